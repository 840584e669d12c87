"""Make tests/parity/golden.json, or compare with it: what PyTorch and transformers say about SmolLM2.

    make_golden.py --model smollm2.gguf           write the file
    make_golden.py --model smollm2.gguf --check   compute everything again and compare; also hold the NumPy reference
                                                  against PyTorch on the random small models

Prompts are raw text, without a chat template.  Continuations and log-probabilities come from the dequantised weights in
f32, the way a user of transformers gets them; relevance from the same weights in f64, by full recomputation.
"""
import argparse
import json
import os
import sys
import tempfile

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models as token_models, pre_tokenizers

import models
import oracle
import reference
from prompts import PROMPTS

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json")
TOKENS = 64

# prompt, tokens of its greedy continuation, and how its token units are suppressed
EXPLAINED = [(prompt, 3, dict(variant=variant, factor=0.1)) for variant in reference.VARIANTS for prompt in (0, 2)] + [
    (17, 2, dict(variant="row-min-causal", factor=0.0)),
    (17, 2, dict(variant="log-additive", factor=0.0)),
    (17, 2, dict(variant="log-additive", factor=4.0)),
    (19, 4, dict(variant="row-min-causal", factor=0.5, layers=(5, 20))),
    (19, 4, dict(variant="row-min", factor=0.1, similarity=0.3)),
]


def tokenizer(path):
    """SmolLM2's: digits one by one, then GPT-2's byte-level splitting and merges."""
    reader = gguf.GGUFReader(path)
    tokens = reader.get_field("tokenizer.ggml.tokens").contents()
    merges = [tuple(m.split(" ")) for m in reader.get_field("tokenizer.ggml.merges").contents()]
    t = Tokenizer(token_models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.decoder = decoders.ByteLevel()
    return t


def multipliers(model, ids, count, factor, similarity):
    """One row for each of the first `count` positions as a unit, after one of ones."""
    m = np.ones((count + 1, len(ids)))
    if similarity is not None:
        e = torch.nn.functional.normalize(model.model.embed_tokens.weight[list(ids)].detach(), dim=-1)
        cosine = (e @ e.T).double().numpy()[:count]
        m[1:] = np.where(cosine >= similarity, 1 - (1 - factor) * cosine, 1)
    m[np.arange(1, count + 1), np.arange(count)] = factor
    return m


def explain(model, prompt, target, variant, factor, similarity=None, layers=None):
    """[units, targets]: a unit is a token of prompt + target without its last."""
    ids, first = list(prompt) + list(target[:-1]), len(prompt) - 1
    m = multipliers(model, ids, len(ids), factor, similarity)
    logp = oracle.log_probs(model, ids, range(first, len(ids)), m, variant, layers)[:, np.arange(len(target)), target]
    relevance = logp[0] - logp[1:]
    for t in range(len(target)):
        relevance[len(prompt) + t:, t] = 0
    return relevance


def compute(path):
    encoder, single = tokenizer(path), oracle.load(path, torch.float32)
    out = {"prompts": [], "relevance": []}
    for text in PROMPTS:
        ids = encoder.encode(text, add_special_tokens=False).ids
        tokens, logp, margin = oracle.greedy(single, ids, TOKENS)
        print(f"{margin:8.4f} nats between the first and the second choice at least: {text!r} "
              f"{encoder.decode(tokens[:12])!r}", file=sys.stderr)
        out["prompts"].append({"text": text, "ids": ids, "continuation": tokens, "text_after": encoder.decode(tokens),
                               "logprob": [round(p, 6) for p in logp], "margin": round(margin, 6)})
    double = single.double()
    for prompt, count, how in EXPLAINED:
        entry = out["prompts"][prompt]
        relevance = explain(double, entry["ids"], entry["continuation"][:count], **how)
        out["relevance"].append({"prompt": prompt, "targets": count, **how,
                                 "values": [[round(v, 6) for v in row] for row in relevance.tolist()]})
    return out


def differences(old, new):
    """Sentences about what is not the same."""
    for a, b in zip(old["prompts"], new["prompts"]):
        for key in ("text", "ids", "continuation"):
            if a[key] != b[key]:
                yield f"{a['text']!r}: {key}: {a[key]} in the file, {b[key]} now"
        worst = np.abs(np.subtract(a["logprob"], b["logprob"])).max()
        if worst > 1e-3:
            yield f"{a['text']!r}: log-probs differ by {worst:.2g}"
    for a, b in zip(old["relevance"], new["relevance"]):
        worst = np.abs(np.subtract(a.pop("values"), b.pop("values"))).max()
        if json.dumps(a) != json.dumps(b) or worst > 1e-4:
            yield f"relevance of {a}: differs by {worst:.2g}"


def reference_differences():
    """The NumPy reference against PyTorch: all models that transformers' Llama can be, all variants."""
    rng = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        for name, path in models.build_all(folder).items():
            if models.SHAPES[name].rope_columns:
                continue  # transformers' Llama turns whole heads only
            small, theirs = reference.Model(path), oracle.load(path, torch.float64)
            ids = rng.integers(3, 300, 24)
            m = rng.choice([0, 0.1, 1, 1, 2.5], (6, len(ids)))
            m[0] = 1
            for variant in reference.VARIANTS:
                args = ids, range(4, 24), m, variant, (1, small.layers - 1)
                worst = np.abs(reference.log_probs(small, *args) - oracle.log_probs(theirs, *args)).max()
                print(f"{name}, {variant}: NumPy and PyTorch differ by {worst:.1e} nats at most", file=sys.stderr)
                if not worst < 1e-4:
                    yield f"{name}, {variant}: NumPy and PyTorch differ by {worst:.2g} nats"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, help="SmolLM2-135M-Instruct as a GGUF file")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    new = compute(arguments.model)
    if not arguments.check:
        with open(GOLDEN, "w", encoding="utf-8") as file:
            prompts, relevance = (",\n".join(json.dumps(item) for item in new[key]) for key in ("prompts", "relevance"))
            file.write(f'{{"prompts": [\n{prompts}\n],\n"relevance": [\n{relevance}\n]}}\n')
        return 0
    with open(GOLDEN, encoding="utf-8") as file:
        wrong = list(differences(json.load(file), json.loads(json.dumps(new)))) + list(reference_differences())
    for sentence in wrong:
        print(sentence)
    print("golden files: " + (f"{len(wrong)} differences" if wrong else "the same"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
