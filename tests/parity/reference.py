"""AtMan by plain full recomputation in double precision: the truth the engine is measured against.

No prefix reuse, no differences, no packing: every probe runs every row of the fed sequence through every layer.
Written to be checked line by line against the method (arXiv 2301.08110, section 3): the model first (embed, norm, rope,
attend, block), then what a probe is (multipliers), then relevance.  NumPy only; shares nothing with core/ and gpu/.

Where a function takes pictures, these are (first position, rows [n, width], mutual): rows that stand in the place of
embeddings from that position on, whatever ids stand there; with mutual they see each other in both directions.
"""
import math

import numpy as np

import weights

VARIANTS = ("row-min", "row-min-causal", "product", "log-additive")


# What a file does not say of its family.  norm: rms or layer; pre, post: the branches' inputs, outputs are normalised;
# per_head, whole: how queries and keys are; halves: columns (i, i + half) turn together, else (2i, 2i + 1); unturned,
# full: every so many layers one has no RoPE, sees all keys; cap, final: default soft caps.
FAMILIES = {
    "llama": dict(), "mistral3": dict(), "granite": dict(), "smollm3": dict(unturned=4),
    "qwen2": dict(halves=True), "qwen3": dict(halves=True, query_norm="per_head"),
    "phi3": dict(halves=True, full=0),
    "gemma": dict(halves=True, act="gelu", root=True),
    "gemma2": dict(halves=True, act="gelu", root=True, post=True, full=2, cap=50.0, final=30.0),
    "gemma3": dict(halves=True, act="gelu", root=True, post=True, full=6, query_norm="per_head", local_base=10000.0),
    "olmo2": dict(halves=True, pre=False, post=True, full=4, query_norm="whole"),
    "gpt2": dict(norm="layer", act="gelu", gated=False, places=True),
    "gptneox": dict(norm="layer", act="erf", gated=False, halves=True, parallel=True),
}


class Model:
    """A model from a GGUF file.  Everything is f64; a layer is expanded when it is asked for."""

    def __init__(self, path):
        self.file = file = weights.File(path)
        self.family = file.meta["general.architecture"].decode()
        self.facts = dict(norm="rms", pre=True, post=False, query_norm=None, act="silu", gated=True, halves=False,
                          unturned=0, full=None, root=False, places=False, parallel=False, local_base=None, cap=0.0,
                          final=0.0) | FAMILIES[self.family]
        meta = self.meta
        self.layers = meta("block_count")
        self.width = meta("embedding_length")
        self.heads = meta("attention.head_count")
        self.kv_heads = meta("attention.head_count_kv", self.heads)
        self.head_dim = meta("attention.key_length", self.width // self.heads)
        self.epsilon = meta("attention.layer_norm_rms_epsilon", 0) or meta("attention.layer_norm_epsilon")
        self.scale = meta("attention.scale", 0) or 1 / np.sqrt(self.head_dim)
        self.cap = meta("attn_logit_softcapping", self.facts["cap"])
        self.final = meta("final_logit_softcapping", self.facts["final"])
        self.input_scale = meta("embedding_scale", 0) or (np.sqrt(self.width) if self.facts["root"] else 1.0)
        self.branch_scale = meta("residual_scale", 0) or 1.0
        self.logit_divisor = meta("logit_scale", 0) or 1.0
        self.parallel = meta("use_parallel_residual", self.facts["parallel"])
        self.rope_columns = meta("rope.dimension_count", self.head_dim)

    def meta(self, key, default=None):
        return self.file.meta.get(f"{self.family}.{key}", default)

    def embed(self, ids, pictures=()):
        """[positions, width]: the tokens' own, without learned positions; rows of pictures are not scaled."""
        x = self.file.tensor("token_embd.weight", rows=np.maximum(ids, 0)) * self.input_scale
        for first, rows, _ in pictures:
            x[first:first + len(rows)] = rows
        return x

    def enter(self, ids, pictures=()):
        """[positions, width]: what the first layer reads."""
        x = self.embed(ids, pictures)
        return x + self.file.tensor("position_embd.weight", rows=np.arange(len(ids))) if self.facts["places"] else x

    def layer(self, index):
        """{short name: array} of everything the file has for one layer, fused matrices taken apart."""
        prefix = f"blk.{index}."
        layer = {name[len(prefix):]: self.file.tensor(name) for name in self.file.tensors if name.startswith(prefix)}
        q, kv, ff = self.heads * self.head_dim, self.kv_heads * self.head_dim, self.meta("feed_forward_length")
        for kind in ("weight", "bias"):
            if f"attn_qkv.{kind}" in layer:
                parts = np.split(layer.pop(f"attn_qkv.{kind}"), [q, q + kv])
                layer.update(zip((f"attn_q.{kind}", f"attn_k.{kind}", f"attn_v.{kind}"), parts))
            if self.facts["gated"] and f"ffn_gate.{kind}" not in layer and f"ffn_up.{kind}" in layer:
                layer[f"ffn_gate.{kind}"], layer[f"ffn_up.{kind}"] = np.split(layer[f"ffn_up.{kind}"], [ff])
        return layer

    def window(self, index):
        """How many keys the layer's queries see; None: all before them."""
        window, pattern = self.meta("attention.sliding_window", 0), self.meta("attention.sliding_window_pattern")
        if self.facts["full"] is None or not window:
            return None
        if pattern is not None and np.ndim(pattern):
            return window if pattern[index] else None
        period = pattern or self.facts["full"]
        return None if period and index % period == period - 1 else window

    def visible(self, index, positions, pictures=()):
        """[queries, keys]: what a layer's queries see.  A window cuts off what is too far behind, in pictures too."""
        query, key = np.arange(positions)[:, None], np.arange(positions)
        seen = key <= query
        for first, rows, mutual in pictures:
            if mutual:
                seen[first:first + len(rows), first:first + len(rows)] = True
        window = self.window(index)
        return seen if window is None else seen & (query - key < window)

    def frequencies(self, index, positions):
        """What each pair's angle grows by from position to position, and what cos and sin are multiplied by; None: no
        RoPE in this layer."""
        if self.facts["places"] or self.facts["unturned"] and (index + 1) % self.facts["unturned"] == 0:
            return None
        if self.family == "granite" and not self.meta("rope.scaling.finetuned", True):
            return None
        pairs, base = self.rope_columns // 2, self.meta("rope.freq_base", 10000.0)
        if self.window(index) is not None:
            base = self.meta("rope.freq_base_swa", self.facts["local_base"] or base)
            return base ** (-np.arange(pairs) / pairs), 1.0
        plain = base ** (-np.arange(pairs) / pairs)
        kind = self.meta("rope.scaling.type", b"linear").decode()
        factor = self.meta("rope.scaling.factor", 0) or self.meta("rope.scale_linear", 0) or 1.0
        magnitude = self.meta("rope.scaling.attn_factor", 1.0)
        original = self.meta("rope.scaling.original_context_length", self.meta("context_length"))
        if kind == "linear":
            plain = plain / factor
        if kind == "yarn":
            at = lambda turns: pairs * np.log(original / (2 * np.pi * turns)) / np.log(base)
            low = max(np.floor(at(self.meta("rope.scaling.yarn_beta_fast", 32.0))), 0)
            high = min(np.ceil(at(self.meta("rope.scaling.yarn_beta_slow", 1.0))), self.rope_columns - 1)
            slowed = np.clip((np.arange(pairs) - low) / max(high - low, 0.001), 0, 1)
            plain = plain * (1 - slowed) + plain / factor * slowed
            if not self.meta("rope.scaling.yarn_log_multiplier", 0):
                magnitude *= 0.1 * np.log(factor) + 1
        for name, used in (("rope_freqs", True), ("rope_factors_short", positions <= original),
                           ("rope_factors_long", positions > original)):
            if used and self.file.has(name + ".weight"):
                plain = plain / self.file.tensor(name + ".weight")
        return plain, magnitude

    def hidden(self, x):
        return norm(self, {name: self.file.tensor(name) for name in ("output_norm.weight", "output_norm.bias")
                           if self.file.has(name)}, "output_norm", x)

    def logits(self, hidden):
        """[rows, vocabulary]; the embedding serves as the output matrix where there is none."""
        file = self.file
        y = hidden @ file.tensor("output.weight" if file.has("output.weight") else "token_embd.weight").T
        y = (y + file.tensor("output.bias") if file.has("output.bias") else y) / self.logit_divisor
        return self.final * np.tanh(y / self.final) if self.final else y


# -- the model ---------------------------------------------------------------------------------------------------------


def norm(model, layer, name, x):
    """Over the last axis; x itself where the file has no such norm."""
    if name + ".weight" not in layer:
        return x
    if model.facts["norm"] == "layer":
        x = x - np.mean(x, axis=-1, keepdims=True)
    y = x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + model.epsilon) * layer[name + ".weight"]
    return y + layer[name + ".bias"] if name + ".bias" in layer else y


def linear(layer, name, x):
    y = x @ layer[name + ".weight"].T
    return y + layer[name + ".bias"] if name + ".bias" in layer else y


def erf(x):
    return np.vectorize(math.erf)(x)


ACTIVATIONS = {
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3))),
    "erf": lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2))),
}


def rope(model, index, x):
    """x [heads, positions, head_dim]: pairs of columns turn by position times their frequency."""
    frequencies = model.frequencies(index, x.shape[1])
    if frequencies is None:
        return x
    frequency, magnitude = frequencies
    pairs = len(frequency)
    angle = np.arange(x.shape[1])[:, None] * frequency
    cos, sin = magnitude * np.cos(angle), magnitude * np.sin(angle)
    first = slice(0, pairs) if model.facts["halves"] else slice(0, 2 * pairs, 2)
    second = slice(pairs, 2 * pairs) if model.facts["halves"] else slice(1, 2 * pairs, 2)
    y = x.copy()
    y[..., first] = x[..., first] * cos - x[..., second] * sin
    y[..., second] = x[..., first] * sin + x[..., second] * cos
    return y


def suppress(score, m, visible, variant):
    """Scaled scores [heads, queries, keys] with key column k turned by m[k]."""
    if variant == "row-min":
        low = score.min(axis=-1, keepdims=True)  # over the whole row, keys after the query included
        return (score - low) * m + low
    if variant == "row-min-causal":
        low = np.where(visible, score, np.inf).min(axis=-1, keepdims=True)
        return (score - low) * m + low
    if variant == "product":
        return score * m
    if variant == "log-additive":
        with np.errstate(divide="ignore"):
            return score + np.log(m)
    raise ValueError(variant)


def attention_weights(model, visible, query, key, m, variant):
    """[heads, positions, positions] of query [heads, positions, head_dim] and key [kv_heads, ...]; visible [positions,
    positions]; m [positions] or None: untouched."""
    key = np.repeat(key, model.heads // model.kv_heads, axis=0)
    score = query @ key.transpose(0, 2, 1) * model.scale
    if model.cap:
        score = model.cap * np.tanh(score / model.cap)
    if m is not None:
        score = suppress(score, m, visible, variant)
    score = np.where(visible, score, -np.inf)
    top = score.max(axis=-1, keepdims=True)
    weight = np.exp(score - np.where(np.isfinite(top), top, 0))
    total = weight.sum(axis=-1, keepdims=True)
    return weight / np.where(total > 0, total, 1)  # a row with nothing left attends to nothing: 0


def attention(model, index, layer, x, m, variant, plain):
    def heads(name, count, x=x):
        """[heads, positions, head_dim]; queries and keys normalised in one piece, or each head by itself."""
        y = linear(layer, name, norm(model, layer, "attn_norm", x))
        if model.facts["query_norm"] == "whole":
            y = norm(model, layer, name + "_norm", y)
        y = y.reshape(len(x), count, model.head_dim).transpose(1, 0, 2)
        return norm(model, layer, name + "_norm", y) if model.facts["query_norm"] == "per_head" else y

    among = x if plain is None else plain
    query = rope(model, index, heads("attn_q", model.heads))
    key, value = rope(model, index, heads("attn_k", model.kv_heads, among)), heads("attn_v", model.kv_heads, among)
    layer["weights"] = attention_weights(model, layer["visible"], query, key, m, variant)
    attended = layer["weights"] @ np.repeat(value, model.heads // model.kv_heads, axis=0)
    y = linear(layer, "attn_output", attended.transpose(1, 0, 2).reshape(len(x), -1))
    return norm(model, layer, "post_attention_norm", y)


def feed_forward(model, layer, x):
    h = norm(model, layer, "ffn_norm", x)
    activation = ACTIVATIONS[model.facts["act"]]
    up = linear(layer, "ffn_up", h)
    middle = activation(linear(layer, "ffn_gate", h)) * up if model.facts["gated"] else activation(up)
    return norm(model, layer, "post_ffw_norm", linear(layer, "ffn_down", middle))


def block(model, index, layer, x, m, variant, plain=None):
    """One layer over one sequence x [positions, width]; plain: the sequence that keys and values are made of, if
    another."""
    y = x + model.branch_scale * attention(model, index, layer, x, m, variant, plain)
    return y + model.branch_scale * feed_forward(model, layer, x if model.parallel else y)


def log_probs(model, ids, rows, multipliers, variant, layers, pictures=(), direct=False):
    """Log-probabilities [probes, rows, vocabulary] of what follows the positions `rows` of the sequence ids, for each
    row of multipliers [probes, positions], applied in the layers first .. last (both included).
    direct: keys and values are those of the untouched model throughout, so that every row is changed by itself
    alone."""
    probes, plain = [model.enter(ids, pictures) for _ in multipliers], model.enter(ids, pictures)
    for index in range(model.layers):
        layer = model.layer(index)
        layer["visible"] = model.visible(index, len(ids), pictures)
        for p, m in enumerate(multipliers):
            touched = m if layers[0] <= index <= layers[1] else None
            probes[p] = block(model, index, layer, probes[p], touched, variant, plain if direct else None)
        plain = block(model, index, layer, plain, None, variant) if direct else plain
    logits = model.logits(np.concatenate([model.hidden(x[rows]) for x in probes]))
    top = logits.max(axis=-1, keepdims=True)
    logits -= top + np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))
    return logits.reshape(len(probes), len(rows), -1)


# -- the method --------------------------------------------------------------------------------------------------------


def multiplier(unit, positions, factor, similarity, cosine):
    """m [positions] of one unit (first, last, first_share, last_share): 1 leaves a key alone.

    With similarity s0, every other position k whose cosine s to the unit (the nearest of its tokens) is at least s0 is
    turned too, by as much of it as it is alike: m = 1 - (1 - factor) s, but never below 0.  Of a token that is the
    unit's in part, the share counts in the same way.
    """
    first, last, first_share, last_share = unit
    m = np.ones(positions)
    if similarity is not None:
        alike = cosine[first:last + 1].max(axis=0)
        near = alike >= similarity
        m[near] = np.maximum(1 - (1 - factor) * alike[near], 0)
    m[first:last + 1] = factor
    m[last] = 1 - (1 - factor) * last_share
    m[first] = 1 - (1 - factor) * first_share
    return m


def cosines(model, ids, pictures=()):
    e = model.embed(ids, pictures)
    e = e / np.linalg.norm(e, axis=1, keepdims=True)
    return e @ e.T


def explain(model, prompt, target, units, variant, factor, similarity=None, layers=None, foil=None, paths="all",
            pictures=()):
    """Relevance [units, targets] in nats, positive = supports, and the log-probabilities [targets, vocabulary] of the
    untouched model.

    prompt, target: token ids.  units: (first, last, first_share, last_share) over prompt + target positions; earlier
    target tokens may be units.  foil: token id that the last target token is compared with, or None.
    """
    ids = list(prompt) + list(target[:-1])  # the last token predicts nothing that is asked for
    rows = np.arange(len(prompt) - 1, len(ids))  # row r predicts position r + 1
    cosine = cosines(model, ids, pictures) if similarity is not None else None
    m = [np.ones(len(ids))]
    m += [multiplier(unit, len(ids), factor, similarity, cosine) for unit in units]
    logp = log_probs(model, ids, rows, m, variant, layers or (0, model.layers - 1), pictures, paths == "direct")
    t = np.arange(len(target))
    score = logp[:, t, target]
    if foil is not None:
        score[:, -1] -= logp[:, -1, foil]
    relevance = score[0] - score[1:]
    for u, unit in enumerate(units):
        relevance[u, t + len(prompt) <= unit[0]] = 0  # what stands at or after a target token does not explain it
    return relevance, logp[0]


def rollout(model, ids, rows, pictures=()):
    """Attention rollout (Abnar and Zuidema 2020): how much of each of the positions `rows` every position is, after all
    layers: [rows, positions]."""
    x, made = model.enter(ids, pictures), np.eye(len(ids))
    for index in range(model.layers):
        layer = model.layer(index)
        layer["visible"] = model.visible(index, len(ids), pictures)
        x = block(model, index, layer, x, None, None)
        made = (layer["weights"].mean(axis=0) + np.eye(len(ids))) / 2 @ made
    return made[rows]


def greedy(model, prompt, count):
    """The most probable continuation, token by token, each from the whole sequence."""
    ids = list(prompt)
    for _ in range(count):
        logp = log_probs(model, ids, [len(ids) - 1], [None], None, (0, model.layers - 1))
        ids.append(int(logp[0, 0].argmax()))
    return ids[len(prompt):]
