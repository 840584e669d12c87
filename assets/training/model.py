"""The demo model: a small decoder of the llama family, and the projector that brings pictures to it, in PyTorch.

Owns the network and its configuration; pictures come as features of tower.py.  RoPE turns neighbouring pairs
(2i, 2i+1), as GGUF's llama files want it, so that the exported query and key rows need no reordering.  Does not train
or store anything.
"""

import dataclasses
import math

import torch
from torch import nn
from torch.nn import functional as F


@dataclasses.dataclass
class Config:
    vocabulary: int
    width: int = 128
    layers: int = 4
    heads: int = 4
    key_heads: int = 2
    inner: int = 384
    sight: int = 128  # width of a picture's features
    context: int = 512
    rope_base: float = 1000.0
    epsilon: float = 1e-5

    @property
    def head(self):
        return self.width // self.heads


class Norm(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.width))
        self.epsilon = config.epsilon

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight, self.epsilon)


def rope_angles(config, positions):
    """positions [..., T] -> cos, sin [..., 1, T, head / 2]"""
    frequency = config.rope_base ** (-torch.arange(0, config.head, 2).float() / config.head)
    angle = positions[..., None, :, None] * frequency
    return torch.cos(angle), torch.sin(angle)


def rotate(x, cos, sin):
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        linear = lambda rows, columns: nn.Linear(columns, rows, bias=False)
        self.attn_norm, self.ffn_norm = Norm(config), Norm(config)
        self.attn_q = linear(config.width, config.width)
        self.attn_k = linear(config.key_heads * config.head, config.width)
        self.attn_v = linear(config.key_heads * config.head, config.width)
        self.attn_output = linear(config.width, config.width)
        self.ffn_gate = linear(config.inner, config.width)
        self.ffn_up = linear(config.inner, config.width)
        self.ffn_down = linear(config.width, config.inner)
        self.start()

    def start(self):
        """First weights.  Keys start as queries do, and outputs as transposed values, so that from the first step on a
        word attends to its like and adds what it attends to: looking words up is then learned many times sooner."""
        config, groups = self.config, self.config.heads // self.config.key_heads
        for weight in self.parameters():
            if weight.ndim == 2:
                nn.init.normal_(weight, std=0.75 / math.sqrt(config.width))
        with torch.no_grad():
            queries = self.attn_q.weight.view(config.key_heads, groups, config.head, config.width)
            self.attn_k.weight.copy_(queries[:, 0].flatten(0, 1))
            values = self.attn_v.weight.view(config.key_heads, 1, config.head, config.width)
            self.attn_output.weight.copy_(0.5 * values.expand(-1, groups, -1, -1).flatten(0, 2).T)
            self.ffn_down.weight.mul_(1 / math.sqrt(config.layers))

    def heads(self, x, count):
        return x.unflatten(-1, (count, self.config.head)).transpose(-2, -3)

    def forward(self, x, cos, sin, mask, change=None, watched=0):
        """x [B, T, width], mask [B, 1, T, T], 0 or -inf.  Returns x and the attention [B, watched, T, T] of the first
        heads.  change: a function of (scores, mask) that gives the scores to use."""
        config, h = self.config, self.attn_norm(x)
        q = rotate(self.heads(self.attn_q(h), config.heads), cos, sin)
        k = rotate(self.heads(self.attn_k(h), config.key_heads), cos, sin)
        v = self.heads(self.attn_v(h), config.key_heads)
        groups = config.heads // config.key_heads
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        scores = lambda heads: q[:, :heads] @ k[:, :heads].transpose(-1, -2) / math.sqrt(config.head)
        attention = (scores(watched) + mask).softmax(-1) if watched else None
        if change is None:
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        else:
            mixed = (change(scores(config.heads), mask) + mask).softmax(-1) @ v
        x = x + self.attn_output(mixed.transpose(-2, -3).flatten(-2))
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h)), attention


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.token_embd = nn.Embedding(config.vocabulary, config.width)
        nn.init.normal_(self.token_embd.weight, std=0.15)
        self.blk = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.output_norm = Norm(config)
        self.mm = nn.Sequential(nn.Linear(config.sight, config.width), nn.GELU(), nn.Linear(config.width, config.width))

    def forward(self, ids, positions=None, mask=None, change=None, watched=None, features=None, first=0):
        """ids [B, T] -> final states [B, T, width], after the last norm, and {layer: attention} of the layers of
        watched = {layer: how many of its heads}.  mask [B, 1, T, T] bool.  change: as in Block.forward, for all layers.
        features [B, n, sight]: a picture, in place of ids first to first + n."""
        if positions is None:
            positions = torch.arange(ids.shape[1]).expand(ids.shape)
        if mask is None:
            mask = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()[None, None]
        x, attentions, watched = self.token_embd(ids), {}, watched or {}
        if features is not None:
            x = torch.cat([x[:, :first], self.mm(features), x[:, first + features.shape[1]:]], 1)
        cos, sin = rope_angles(self.config, positions)
        mask = torch.zeros(mask.shape).masked_fill(~mask, -math.inf)
        for layer, block in enumerate(self.blk):
            x, attentions[layer] = block(x, cos, sin, mask, change, watched.get(layer, 0))
        return self.output_norm(x), attentions

    def logits(self, states):
        return F.linear(states, self.token_embd.weight)
