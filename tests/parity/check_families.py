"""Every family in files that llama.cpp's own converter wrote, against transformers with AtMan in its attention's place.

    PYTHONPATH=LLAMA_CPP:LLAMA_CPP/gguf-py check_families.py [NAME...]

LLAMA_CPP is a folder with llama.cpp's source; run it in the build folder.

Log-probabilities within 1e-3 and relevance within 1e-3 nats in all four variants, over prompts longer than any window,
by the program and by the NumPy reference that `make check` trusts.
"""
import os
import sys
import tempfile
import warnings

import numpy as np
import torch
from transformers.models.gemma3 import modeling_gemma3

import converted
import oracle
import program
import reference
import test_small

TOLERANCE = 1e-3  # nats


@torch.no_grad()
def log_probs(model, ids, rows, multipliers, variant):
    """[probes, rows, vocabulary], as reference.log_probs() for all layers."""
    oracle.state.update(multiplier=torch.from_numpy(np.asarray(multipliers)), variant=variant,
                        layers=(0, model.config.num_hidden_layers - 1))
    logits = model(torch.tensor([list(ids)] * len(multipliers)), use_cache=False).logits[:, list(rows)]
    return torch.log_softmax(logits.double(), dim=-1).numpy()


@torch.no_grad()
def picture_log_probs(model, ids, pictures, rows, multipliers, variant):
    """As log_probs(), with pictures as reference.log_probs() takes them: rows among Gemma 3's embeddings, and the masks
    that transformers makes for them."""
    x = model.model.embed_tokens(torch.tensor(ids))
    kinds = torch.zeros(1, len(ids), dtype=torch.long)
    for first, own, _ in pictures:
        x[first:first + len(own)] = torch.from_numpy(own)
        kinds[0, first:first + len(own)] = 1
    masks = modeling_gemma3.create_masks_for_vision_model(
        model.config, x[None], None, None, None, modeling_gemma3.get_block_sequence_ids_for_mask(kinds))
    oracle.state.update(multiplier=torch.from_numpy(np.asarray(multipliers)), variant=variant,
                        layers=(0, model.config.num_hidden_layers - 1))
    logits = model(inputs_embeds=x.repeat(len(multipliers), 1, 1), attention_mask=masks,
                   use_cache=False).logits[:, list(rows)]
    return torch.log_softmax(logits.double(), dim=-1).numpy()


def compare_pictures(model, path):
    """Gemma 3 with two pictures, one longer than the window: the NumPy reference, which test_rows.py trusts."""
    rng = np.random.default_rng(1)
    ids = rng.integers(3, 300, 44).tolist()
    pictures = [(at, rng.normal(0, 1, (n, model.config.hidden_size)), True) for at, n in ((4, 20), (27, 5))]
    m = np.where(np.arange(44) == np.arange(-1, 43)[:, None], 0.1, 1)
    for variant in reference.VARIANTS:
        args = pictures, [31, 43], m, variant
        theirs = picture_log_probs(model, ids, *args)
        ours = reference.log_probs(reference.Model(path), ids, *args[1:], (0, model.config.num_hidden_layers - 1),
                                   pictures)
        off, most = np.abs(theirs - ours).max(), np.abs(theirs[0] - theirs[1:]).max()
        program.check(off <= TOLERANCE < most,
                      f"gemma3 with pictures, {variant}: the NumPy reference is off by {off:.2g}")
        print(f"gemma3 with pictures, {variant}: NumPy off by {off:.1e}; changes up to {most:.2g} nats")


def compare(name, model, path, prompt, variant, count):
    label = f"{name}, {variant}, {len(prompt)} characters"
    found = program.explain(path, prompt, generate=2, units="word", variant=variant)
    ids, target = ([token["id"] for token in found[part]["tokens"]] for part in ("prompt", "target"))
    fed, rows = ids + target[:-1], range(len(ids) - 1, len(ids) + len(target) - 1)
    spans = program.unit_spans(found)
    chosen = list(range(0, len(spans), max(1, len(spans) // count)))
    m = [np.ones(len(fed))] + [reference.multiplier(spans[u], len(fed), 0.1, None, None) for u in chosen]
    logp = log_probs(model, fed, rows, m, variant)
    other = reference.log_probs(reference.Model(path), fed, rows, m, variant, (0, model.config.num_hidden_layers - 1))
    numpy_off = np.abs(logp - other).max()
    t = np.arange(len(target))
    wanted = logp[0, t, target] - logp[1:, t, target]
    for row, u in enumerate(chosen):
        wanted[row, t + len(ids) <= spans[u][0]] = 0
    off = np.abs(np.array(found["relevance"])[chosen] - wanted).max()
    pairs = [(c["id"], c["logprob"]) for c in found["target"]["tokens"][0]["candidates"]]
    log_off = max(abs(logp[0, 0, i] - p) for i, p in pairs)
    program.check(off <= TOLERANCE, f"{label}: the program's relevance is off by {off:.2g} nats")
    program.check(log_off <= TOLERANCE, f"{label}: the program's log-probs are off by {log_off:.2g}")
    program.check(numpy_off <= TOLERANCE, f"{label}: the NumPy reference is off by {numpy_off:.2g}")
    return off, log_off, numpy_off, len(fed), np.abs(wanted).max()


def main():
    warnings.filterwarnings("ignore")
    names = sys.argv[1:] or converted.FAMILIES
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            path = os.path.join(folder, name + ".gguf")
            try:
                model = converted.build(name, "atman")
                converted.convert(model, path)
                model = model.double()
                results = [compare(name, model, path, test_small.text_of(12, len(name)), variant, 8)
                           for variant in reference.VARIANTS]
                results.append(compare(name, model, path, test_small.text_of(30, 3), "row-min-causal", 3))
                if name == "gemma3":
                    compare_pictures(model, path)
            except Exception as error:  # one family's failure must not hide the others'
                program.check(False, f"{name}: {type(error).__name__}: {error}")
                continue
            worst = np.max(results, axis=0)
            print(f"{name}: relevance off by {worst[0]:.1e} of {worst[4]:.2g} nats, log-probs by {worst[1]:.1e}, "
                  f"NumPy by {worst[2]:.1e}; up to {int(worst[3])} tokens", flush=True)
            os.remove(path)
    program.end()


if __name__ == "__main__":
    main()
