"""AtMan by plain full recomputation in double precision: the truth the engine is measured against.

No prefix reuse, no differences, no packing: every probe runs every row of the fed sequence through every layer.  Written
to be checked line by line against the method (arXiv 2301.08110, section 3): the model first (embed, norm, rope, attend,
block), then what a probe is (multipliers), then relevance.  NumPy only; shares nothing with core/ and gpu/.
"""
import numpy as np

import weights

VARIANTS = ("row-min", "row-min-causal", "product", "log-additive")


class Model:
    """A model of the llama family from a GGUF file.  Everything is f64; a layer is expanded when it is asked for."""

    def __init__(self, path):
        self.file = file = weights.File(path)
        meta = lambda key, default=None: file.meta.get("llama." + key, default)
        if file.meta["general.architecture"] != b"llama":
            raise ValueError("the reference knows the llama family only")
        self.layers = meta("block_count")
        self.width = meta("embedding_length")
        self.heads = meta("attention.head_count")
        self.kv_heads = meta("attention.head_count_kv", self.heads)
        self.head_dim = meta("attention.key_length", self.width // self.heads)
        self.epsilon = meta("attention.layer_norm_rms_epsilon")
        self.scale = meta("attention.scale", 0) or 1 / np.sqrt(self.head_dim)
        self.rope_columns = meta("rope.dimension_count", self.head_dim)
        self.rope_base = meta("rope.freq_base", 10000.0)
        self.rope_scale = 1.0
        if meta("rope.scaling.type", b"linear") == b"linear":
            self.rope_scale = meta("rope.scaling.factor", 0) or meta("rope.scale_linear", 0) or 1.0
        self.rope_factors = file.tensor("rope_freqs.weight") if file.has("rope_freqs.weight") else 1.0
        self.output_norm = file.tensor("output_norm.weight")

    def embed(self, ids):
        """[positions, width]"""
        return self.file.tensor("token_embd.weight", rows=np.asarray(ids))

    def layer(self, index):
        """{short name: array} of everything the file has for one layer, biases where there are any."""
        prefix = f"blk.{index}."
        return {name[len(prefix):]: self.file.tensor(name) for name in self.file.tensors if name.startswith(prefix)}

    def logits(self, hidden):
        """[rows, vocabulary]; the embedding serves as the output matrix where there is none."""
        file = self.file
        y = hidden @ file.tensor("output.weight" if file.has("output.weight") else "token_embd.weight").T
        return y + file.tensor("output.bias") if file.has("output.bias") else y


# -- the model ---------------------------------------------------------------------------------------------------------


def norm(x, weight, epsilon):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + epsilon) * weight


def linear(layer, name, x):
    y = x @ layer[name + ".weight"].T
    return y + layer[name + ".bias"] if name + ".bias" in layer else y


def rope(model, x):
    """x [heads, positions, head_dim]: columns 2i and 2i + 1 turn by position * base^(-2i / columns)."""
    pairs = model.rope_columns // 2
    frequency = model.rope_base ** (-2.0 * np.arange(pairs) / model.rope_columns) / model.rope_factors / model.rope_scale
    angle = np.arange(x.shape[1])[:, None] * frequency
    cos, sin = np.cos(angle), np.sin(angle)
    even, odd = x[:, :, 0:2 * pairs:2], x[:, :, 1:2 * pairs:2]
    y = x.copy()
    y[:, :, 0:2 * pairs:2] = even * cos - odd * sin
    y[:, :, 1:2 * pairs:2] = even * sin + odd * cos
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


def attend(model, query, key, value, m, variant):
    """query [heads, positions, head_dim], key and value [kv_heads, ...]; m [positions] or None: untouched."""
    shared = model.heads // model.kv_heads
    key, value = np.repeat(key, shared, axis=0), np.repeat(value, shared, axis=0)
    score = query @ key.transpose(0, 2, 1) * model.scale
    visible = np.tril(np.ones(score.shape[1:], bool))
    if m is not None:
        score = suppress(score, m, visible, variant)
    score = np.where(visible, score, -np.inf)
    top = score.max(axis=-1, keepdims=True)
    weight = np.exp(score - np.where(np.isfinite(top), top, 0))
    total = weight.sum(axis=-1, keepdims=True)
    return weight / np.where(total > 0, total, 1) @ value  # a row with nothing left attends to nothing: 0


def block(model, layer, x, m, variant):
    """One layer over one sequence x [positions, width]."""
    heads = lambda y, n: y.reshape(len(x), n, model.head_dim).transpose(1, 0, 2)
    h = norm(x, layer["attn_norm.weight"], model.epsilon)
    query = rope(model, heads(linear(layer, "attn_q", h), model.heads))
    key = rope(model, heads(linear(layer, "attn_k", h), model.kv_heads))
    value = heads(linear(layer, "attn_v", h), model.kv_heads)
    attended = attend(model, query, key, value, m, variant).transpose(1, 0, 2).reshape(len(x), -1)
    x = x + linear(layer, "attn_output", attended)
    h = norm(x, layer["ffn_norm.weight"], model.epsilon)
    gate = linear(layer, "ffn_gate", h)
    return x + linear(layer, "ffn_down", gate / (1 + np.exp(-gate)) * linear(layer, "ffn_up", h))


def log_probs(model, ids, rows, multipliers, variant, layers):
    """Log-probabilities [probes, rows, vocabulary] of what follows the positions `rows` of the sequence ids, for each row
    of multipliers [probes, positions], applied in the layers first .. last (both included)."""
    probes = [model.embed(ids) for _ in multipliers]
    for index in range(model.layers):
        layer = model.layer(index)
        for p, m in enumerate(multipliers):
            touched = m if layers[0] <= index <= layers[1] else None
            probes[p] = block(model, layer, probes[p], touched, variant)
    hidden = np.concatenate([norm(x[rows], model.output_norm, model.epsilon) for x in probes])
    logits = model.logits(hidden)
    top = logits.max(axis=-1, keepdims=True)
    logits -= top + np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))
    return logits.reshape(len(probes), len(rows), -1)


# -- the method --------------------------------------------------------------------------------------------------------


def multiplier(unit, positions, factor, similarity, cosine):
    """m [positions] of one unit (first, last, first_share, last_share): 1 leaves a key alone.

    With similarity s0, every other position k whose cosine s to the unit (the nearest of its tokens) is at least s0 is
    turned too, by as much of it as it is alike: m = 1 - (1 - factor) s, but never below 0.  Of a token that is the unit's
    in part, the share counts in the same way.
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


def cosines(model, ids):
    e = model.embed(ids)
    e = e / np.linalg.norm(e, axis=1, keepdims=True)
    return e @ e.T


def explain(model, prompt, target, units, variant, factor, similarity=None, layers=None, foil=None):
    """Relevance [units, targets] in nats, positive = supports, and the log-probabilities [targets, vocabulary] of the
    untouched model.

    prompt, target: token ids.  units: (first, last, first_share, last_share) over prompt + target positions; earlier
    target tokens may be units.  foil: token id that the last target token is compared with, or None.
    """
    ids = list(prompt) + list(target[:-1])  # the last token predicts nothing that is asked for
    rows = np.arange(len(prompt) - 1, len(ids))  # row r predicts position r + 1
    cosine = cosines(model, ids) if similarity is not None else None
    m = [np.ones(len(ids))]
    m += [multiplier(unit, len(ids), factor, similarity, cosine) for unit in units]
    logp = log_probs(model, ids, rows, m, variant, layers or (0, model.layers - 1))
    t = np.arange(len(target))
    score = logp[:, t, target]
    if foil is not None:
        score[:, -1] -= logp[:, -1, foil]
    relevance = score[0] - score[1:]
    for u, unit in enumerate(units):
        relevance[u, t + len(prompt) <= unit[0]] = 0  # what stands at or after a target token does not explain it
    return relevance, logp[0]


def greedy(model, prompt, count):
    """The most probable continuation, token by token, each from the whole sequence."""
    ids = list(prompt)
    for _ in range(count):
        logp = log_probs(model, ids, [len(ids) - 1], [None], None, (0, model.layers - 1))
        ids.append(int(logp[0, 0].argmax()))
    return ids[len(prompt):]
