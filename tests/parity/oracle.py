"""The same explanations by PyTorch and transformers, for golden files and for checking the reference itself.

Weights are expanded by the gguf package and run by transformers' own Llama; AtMan is one function put in its
attention's place.  Needs torch, transformers and gguf (`./start check full` provides them); nothing in `make check`
does.
"""
import gguf
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

# What the attention function reads: set before each pass.  multiplier [probes, positions] or None.
state = {"multiplier": None, "variant": None, "layers": (0, 0)}


def manipulated(module, query, key, value, attention_mask, scaling=None, dropout=0.0, softcap=None, **_):
    """query [probes, heads, rows, head_dim], key and value [probes, kv_heads, positions, head_dim]; the mask knows
    windows, and pictures that look both ways."""
    groups = query.shape[1] // key.shape[1]
    key, value = (torch.repeat_interleave(t, groups, dim=1) for t in (key, value))
    score = torch.matmul(query, key.transpose(2, 3)) * (scaling or key.shape[-1] ** -0.5)
    if softcap is not None:
        score = softcap * torch.tanh(score / softcap)
    rows, columns = score.shape[-2:]
    if attention_mask is not None:
        hidden = attention_mask[..., :columns] < 0
    else:
        hidden = torch.ones(rows, columns, dtype=torch.bool, device=score.device).triu(columns - rows + 1)
    m, (first, last) = state["multiplier"], state["layers"]
    if m is not None and first <= module.layer_idx <= last:
        m, variant = m[:, None, None, :], state["variant"]
        if variant == "product":
            score = score * m
        elif variant == "log-additive":
            score = score + m.log()
        else:
            seen = score if variant == "row-min" else score.masked_fill(hidden, float("inf"))
            low = seen.amin(dim=-1, keepdim=True)
            score = score + (m - 1) * (score - low)
    score = score.masked_fill(hidden, float("-inf"))
    weight = torch.nan_to_num(torch.softmax(score, dim=-1), nan=0.0)  # nothing left to attend to: 0
    return torch.matmul(weight, value).transpose(1, 2).contiguous(), weight


ALL_ATTENTION_FUNCTIONS.register("atman", manipulated)
ALL_MASK_ATTENTION_FUNCTIONS.register("atman", eager_mask)


def unpermute(array, heads):
    """Rows of q and k from the file's rotary order (pairs side by side) to transformers' (halves)."""
    return array.reshape(heads, array.shape[0] // heads // 2, 2, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)


def load(path, dtype=torch.float32):
    """A LlamaForCausalLM with the file's weights."""
    reader = gguf.GGUFReader(path)

    def meta(key, default=None):
        entry = reader.get_field("llama." + key)
        return default if entry is None else entry.contents()

    arrays = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in reader.tensors}
    heads, width = meta("attention.head_count"), meta("embedding_length")
    kv_heads, head_dim = meta("attention.head_count_kv", heads), meta("attention.key_length", width // heads)
    if meta("rope.dimension_count", head_dim) != head_dim:
        raise ValueError("transformers' Llama turns whole heads only")
    attention_bias = "blk.0.attn_q.bias" in arrays
    config = LlamaConfig(
        vocab_size=len(arrays["token_embd.weight"]), hidden_size=heads * head_dim,
        intermediate_size=meta("feed_forward_length"),
        num_hidden_layers=meta("block_count"), num_attention_heads=heads, num_key_value_heads=kv_heads,
        head_dim=head_dim,
        rms_norm_eps=meta("attention.layer_norm_rms_epsilon"), max_position_embeddings=meta("context_length"),
        tie_word_embeddings="output.weight" not in arrays, attention_bias=attention_bias,
        mlp_bias="blk.0.ffn_up.bias" in arrays, attn_implementation="atman")
    config.hidden_size = width  # only the constructor insists that the heads fill it
    model = LlamaForCausalLM(config).to(dtype).eval()
    names = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
             "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
             "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
             "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
    tensors = {}
    for name, array in arrays.items():
        parts = name.split(".")
        if parts[0] == "rope_freqs":
            continue
        if parts[-2] in ("attn_q", "attn_k"):
            array = unpermute(array, heads if parts[-2] == "attn_q" else kv_heads)
        layer = f"model.layers.{parts[1]}." if parts[0] == "blk" else ""
        tensors[layer + names[parts[-2]] + "." + parts[-1]] = torch.from_numpy(np.array(array)).to(dtype)
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    absent = [n for n in missing if n != "lm_head.weight" and not (attention_bias and n.endswith("o_proj.bias"))]
    if absent or unexpected:
        raise ValueError(f"missing {absent}, unexpected {unexpected}")
    with torch.no_grad():
        for name in missing:
            if name.endswith("bias"):
                model.get_parameter(name).zero_()
        base = torch.tensor(meta("rope.freq_base", 10000.0), dtype=torch.float64)
        frequency = base ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
        if "rope_freqs.weight" in arrays:
            frequency = frequency / torch.from_numpy(np.array(arrays["rope_freqs.weight"], np.float64))
        model.model.rotary_emb.inv_freq = (frequency / (meta("rope.scaling.factor", 0) or 1)).float()
    return model


@torch.no_grad()
def log_probs(model, ids, rows, multipliers=None, variant=None, layers=None, batch=16):
    """Log-probabilities [probes, rows, vocabulary] after the positions rows of ids, as reference.log_probs()."""
    multipliers = np.ones((1, len(ids))) if multipliers is None else np.asarray(multipliers)
    out = []
    for start in range(0, len(multipliers), batch):
        part = torch.from_numpy(multipliers[start:start + batch]).to(model.dtype)
        state.update(multiplier=None if variant is None else part, variant=variant,
                     layers=layers or (0, model.config.num_hidden_layers - 1))
        hidden = model.model(torch.tensor([list(ids)] * len(part)), use_cache=False).last_hidden_state[:, list(rows)]
        out.append(torch.log_softmax(model.lm_head(hidden).double(), dim=-1).numpy())
    return np.concatenate(out)


@torch.no_grad()
def greedy(model, ids, count):
    """The most probable continuation, its log-probs, and by how much the nearest choice was ahead of the next."""
    state.update(multiplier=None)
    feed, past, tokens, logp, margin = torch.tensor([list(ids)]), None, [], [], float("inf")
    for _ in range(count):
        answer = model(feed, past_key_values=past, use_cache=True)
        best = torch.log_softmax(answer.logits[0, -1].double(), dim=-1).topk(2)
        tokens.append(int(best.indices[0]))
        logp.append(float(best.values[0]))
        margin = min(margin, float(best.values[0] - best.values[1]))
        feed, past = best.indices[None, :1], answer.past_key_values
    return tokens, logp, margin
