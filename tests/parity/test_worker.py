#!/usr/bin/python3
"""What the worker keeps, against plain full recomputation: the relevance for every candidate and for any other token
comes from kept states, and a request after another one, of which part is still valid, says the same as it would
alone."""
import json
import os
import subprocess
import tempfile

import numpy as np

import models
import program
import reference
import test_small

worst = 0.0
TOKEN, WORD = 0, 1  # of enum unit_kind


class Worker:
    """One ask_worker process."""

    def __init__(self, *paths):
        self.process = subprocess.Popen(["./tests/parity/ask_worker", *paths], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def ask(self, line):
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"ask_worker ended with status {self.process.wait()} on {line}")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        program.check(self.process.wait() == 0, f"ask_worker ended with status {self.process.returncode}")


def near(found, wanted, label):
    global worst
    found, wanted = np.array(found, float), np.array(wanted)
    if found.shape != wanted.shape:
        program.check(False, f"{label}: shape {found.shape}, not {wanted.shape}")
        return
    off = np.abs(found - wanted).max(initial=0)
    worst = max(worst, off)
    program.check(off <= test_small.TOLERANCE, f"{label}: off by {off:.2g} nats")


def drops(model, answer, request, direct=False):
    """[units, targets, vocabulary]: by how much each probe lowers each log-probability, on all paths or on direct
    ones."""
    prompt, target = answer["prompt"], [ids[0] for ids in answer["output"]]
    ids, units = prompt + target[:-1], answer["units"]
    cosine = reference.cosines(model, ids) if request["similarity"] is not None else None
    m = [np.ones(len(ids))]
    m += [reference.multiplier(unit, len(ids), request["factor"], request["similarity"], cosine) for unit in units]
    first, last = request["layers"]
    layers = first, model.layers - 1 if last < 0 else last
    rows = range(len(prompt) - 1, len(ids))
    logp = reference.log_probs(model, ids, rows, m, reference.VARIANTS[request["suppression"]], layers,
                               direct=direct)
    out = logp[0] - logp[1:]
    for u, unit in enumerate(units if cosine is None else []):  # what is like a unit may stand before it
        out[u, np.arange(len(target)) + len(prompt) <= unit[0]] = 0
    return out


def converse(name, model, path):
    """A series of requests to one worker, each of which leaves something of the former valid."""
    base = dict(prompt=test_small.text_of(10, 21), generate=3, units="token", suppression=1, factor=0.1,
                similarity=None,
                layers=[0, -1], foil=None, both=True, resume=True)
    longer = base["prompt"] + " the red ball"
    changes = [{}, {"generate": 6}, {"generate": 2}, {"factor": 0.0, "suppression": 3}, {"units": "word"},
               {"target": " blue"},
               {"target": " blue ball"}, {"target": " blue hat", "foil": " blue ball"}, {"prompt": longer},
               {"prompt": longer + " and a hat"}, {"prompt": longer[:-5] + "car is", "generate": 5},
               {"prompt": longer[:-5] + "car is", "generate": 5, "units": "word"},
               {"layers": [1, 1]},
               {"prompt": longer, "generate": 4, "suppression": 0}, {"suppression": 2, "factor": 4.0},
               {"prompt": base["prompt"][:20], "units": "sentence"}, {}, {"units": "word"},
               {"units": "word", "zooms": [[0, 12, TOKEN]]}, {"units": "paragraph"},
               {"units": "paragraph", "zooms": [[0, 99, WORD]]},
               {"units": "paragraph", "zooms": [[0, 99, WORD], [0, 12, TOKEN]]},
               {"similarity": 0.4}, {"similarity": 0.4, "generate": 6},
               {"similarity": 0.4, "generate": 2, "units": "word"}]
    worker = Worker(path)
    kept = 0
    for change in changes:
        request = {**base, **change}
        answer, label = worker.ask(request), f"{name}, {change}"
        if "error" in answer:
            program.check(False, f"{label}: {answer['error']}")
            continue
        drop, relevance = drops(model, answer, request), np.array(answer["relevance"])
        alone, direct = drops(model, answer, request, True), np.array(answer["direct"], float)
        program.check(not np.isnan(direct).any(),
                      f"{label}: direct paths to {np.isnan(direct).sum()} tokens are not known")
        kept += answer["kept"]
        program.check(answer["probes"] + answer["kept"] == len(answer["units"]), f"{label}: {answer['probes']} probes, "
                      f"{answer['kept']} kept, of {len(answer['units'])}")
        for t, ids in enumerate(answer["output"]):
            wanted = drop[:, t, ids]
            if request["foil"] and t == len(answer["output"]) - 1:
                continue  # a contrast with the foil: test_small.py compares it
            near(relevance[:, t], wanted, f"{label}: token {t} and its candidates")
            near(direct[:, t], alone[:, t, ids], f"{label}: direct paths to token {t} and its candidates")
        for t, token in ((0, 5), (len(answer["output"]) - 1, 300), (0, answer["output"][0][3])):
            chosen = worker.ask({"retarget": [t, token]})
            near(chosen.get("chosen", []), drop[:, t, token], f"{label}: token {t} turned into {token}")
            near(chosen.get("chosen_direct", []), alone[:, t, token],
                 f"{label}: token {t} turned into {token}, direct paths")
        fresh = worker.ask({**request, "fresh": True})
        program.check(fresh["relevance"] == answer["relevance"], f"{label}: not to the bit what a fresh run says")
        program.check(fresh["direct"] == answer["direct"], f"{label}: direct paths are not to the bit a fresh run's")
        program.check(fresh["kept"] == 0, f"{label}: a fresh run keeps {fresh['kept']}")
    program.check(kept > 60, f"{name}: only {kept} probes were kept")
    worker.close()


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name in ("grouped", "plain", "stretched"):
            path = os.path.join(folder, name + ".gguf")
            models.build(path, models.SHAPES[name])
            try:
                converse(name, reference.Model(path), path)
            except RuntimeError as error:
                program.check(False, str(error))
    print(f"largest difference from the reference: {worst:.1e} nats")
    program.end()


if __name__ == "__main__":
    main()
