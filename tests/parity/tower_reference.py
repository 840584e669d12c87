"""A vision tower and its projector, recomputed plainly in double precision from the file: the truth for the tests.

Written from the description of the models alone and shares nothing with core/.  NumPy only.
"""
import math

import numpy as np

import weights

erf = np.vectorize(math.erf)


def gelu_erf(x):
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))


def gelu_quick(x):
    return x / (1 + np.exp(-1.702 * x))


def layer_norm(x, weight, bias, epsilon):
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + epsilon) * weight + bias


class Tower:
    def __init__(self, path):
        self.file = weights.File(path)
        self.projector = self.file.meta.get("clip.projector_type", b"mlp").decode()
        self.epsilon = float(self.meta("attention.layer_norm_epsilon"))
        self.activation = gelu_tanh if self.file.meta.get("clip.use_gelu") else gelu_quick

    def meta(self, key, default=None):
        return self.file.meta.get("clip.vision." + key, default)

    def linear(self, name, x):
        y = x @ self.file.tensor(name + ".weight").T
        return y + self.file.tensor(name + ".bias") if self.file.has(name + ".bias") else y

    def norm(self, name, x):
        if not self.file.has(name + ".weight"):
            return x
        return layer_norm(x, self.file.tensor(name + ".weight"), self.file.tensor(name + ".bias"), self.epsilon)

    def patches(self, pixels):
        """[grid * grid, 3 * patch * patch], what does not fill a patch left out."""
        p, grid = self.meta("patch_size"), self.meta("image_size") // self.meta("patch_size")
        x = pixels[:, :grid * p, :grid * p].reshape(3, grid, p, grid, p)
        return x.transpose(1, 3, 0, 2, 4).reshape(grid * grid, -1)

    def attention(self, block, h):
        heads, width = self.meta("attention.head_count"), self.meta("embedding_length")
        if self.file.has(block + "attn_qkv.weight"):
            q, k, v = np.split(self.linear(block + "attn_qkv", h), 3, axis=-1)
        else:
            q, k, v = (self.linear(block + "attn_" + part, h) for part in "qkv")
        q, k, v = (t.reshape(len(h), heads, width // heads).transpose(1, 0, 2) for t in (q, k, v))
        score = q @ k.transpose(0, 2, 1) / np.sqrt(width // heads)
        score = np.exp(score - score.max(axis=-1, keepdims=True))
        y = score / score.sum(axis=-1, keepdims=True) @ v
        return self.linear(block + "attn_out", y.transpose(1, 0, 2).reshape(len(h), width))

    def states(self, pixels):
        """The state before each layer, and after the last: [layers + 1][rows, width]."""
        width = self.meta("embedding_length")
        x = self.patches(pixels) @ self.file.tensor("v.patch_embd.weight").reshape(width, -1).T
        if self.file.has("v.patch_embd.bias"):
            x = x + self.file.tensor("v.patch_embd.bias")
        if self.file.has("v.class_embd"):
            x = np.concatenate([self.file.tensor("v.class_embd")[None], x])
        states = [self.norm("v.pre_ln", x + self.file.tensor("v.position_embd.weight"))]
        for i in range(self.meta("block_count")):
            x, block = states[-1], f"v.blk.{i}."
            x = x + self.attention(block, self.norm(block + "ln1", x))
            up, down = "ffn_up", "ffn_down"
            if self.file.tensors[block + "ffn_up.weight"][1][0] == self.meta("feed_forward_length") != width:
                up, down = down, up
            h = self.activation(self.linear(block + up, self.norm(block + "ln2", x)))
            states.append(x + self.linear(block + down, h))
        return states

    def rows(self, pixels):
        """[tokens, width of the decoder] from pixels [3, side, side]."""
        states, chosen = self.states(pixels.astype(np.float64)), self.meta("feature_layer")
        if chosen is not None:
            x = np.concatenate([states[i] for i in chosen], axis=1)
        else:
            x = self.norm("v.post_ln", states[-1])
        if self.file.has("v.class_embd"):
            x = x[1:]
        return getattr(self, self.projector)(x)

    def mlp(self, x):
        if not self.file.has("mm.3.weight"):
            return self.linear("mm.2", gelu_erf(self.linear("mm.0", x)))
        return self.norm("mm.4", self.linear("mm.3", gelu_erf(self.norm("mm.1", self.linear("mm.0", x)))))

    def squares(self, x, merge):
        """[tokens, merge, merge, width]"""
        grid = math.isqrt(len(x))
        x = x.reshape(grid // merge, merge, grid // merge, merge, -1)
        return x.transpose(0, 2, 1, 3, 4).reshape(-1, merge, merge, x.shape[-1])

    def idefics3(self, x):
        x = self.squares(x, self.meta("projector.scale_factor"))
        return self.linear("mm.model.fc", x.reshape(len(x), -1))

    def gemma3(self, x):
        x = self.squares(x, self.meta("projector.scale_factor", 4)).mean(axis=(1, 2))
        x = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + self.epsilon)
        return (x * self.file.tensor("mm.soft_emb_norm.weight")) @ self.file.tensor("mm.input_projection.weight")
