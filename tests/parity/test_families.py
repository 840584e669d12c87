#!/usr/bin/python3
"""Every family against plain full recomputation in double precision, on random small models: relevance within 1e-3 nats
for every variant, over prompts longer than their windows; what is not supported is refused by name."""
import os
import subprocess
import tempfile

import gguf_write
import models
import program
import reference
import test_small

REFUSED = {"qwen3moe": "mixture of experts", "mamba2": "state-space", "rwkv7": "recurrent", "stablelm": "stablelm"}


def each_family(name, path):
    model, prompt = reference.Model(path), test_small.text_of(12, len(name))
    compare = lambda text, **options: test_small.compare(name, model, path, text, **options)
    for turn, variant in enumerate(reference.VARIANTS):
        found = compare(prompt, variant=variant, generate=2, units="word", factor=(0.1, 0.0, 2.0, 0.5)[turn])
    compare(prompt, generate=2, units="sentence", variant="row-min", factor=1.0)
    compare(prompt, target=" blue", variant="product", layers=(1, model.layers - 1))
    if found:
        ids = [token["id"] for token in found["prompt"]["tokens"] + found["target"]["tokens"]][:-1]
        program.check(len(ids) > 18, f"{name}: the prompt has only {len(ids)} tokens")
        compare(prompt, generate=2, units="word", similarity=test_small.clear_similarity(model, ids))
    compare(test_small.text_of(30, 3), sample=6, generate=1)
    test_small.steering(name, model, path)


def refusals(folder):
    """Other architectures are refused by their name, and the supported ones are named."""
    path = os.path.join(folder, "other.gguf")
    mixture = {"general.architecture": "llama", "llama.expert_count": 8}
    for metadata, said in [({"general.architecture": name}, (name, what)) for name, what in REFUSED.items()] + [
            (mixture, ("mixture of experts", "llama.expert_count = 8"))]:
        gguf_write.write_gguf(path, metadata, {})
        done = subprocess.run(["./atmanscope", "info", path], capture_output=True, timeout=60, check=False)
        line = done.stderr.decode()
        program.check(done.returncode == 1 and line.count("\n") == 1 and all(part in line for part in said),
                      f"{metadata}: status {done.returncode}, {line!r}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name, path in models.build_all(folder, models.FAMILIES).items():
            each_family(name, path)
        refusals(folder)
    worst = test_small.worst
    print(f"largest differences from the reference: {worst['relevance']:.1e} nats of relevance, "
          f"{worst['log-prob']:.1e} of log-prob")
    program.end()


if __name__ == "__main__":
    if not os.path.exists("./atmanscope"):
        program.check(False, "the program is not in the current folder")
        program.end()
    main()
