#!/usr/bin/env python3
"""Speed beside others: the program, AtMan in PyTorch by full recomputation, and llama.cpp, on one file in one run.

    tests/bench/compare.py [--model smollm2.gguf] [--length 256] [--target-length 1] [--threads 2] [--format json]

Run it with a Python that has torch, transformers and gguf, and llama-cpp-python; whichever is missing is left out, and
said so.  Each is measured in a process of its own, one after the other, with the same number of threads.  What would
take too long is computed from a sample: full recomputation from a few probes, llama.cpp's map (which it cannot make) as
one plain pass for every probe; such numbers are marked "~".  No part of `make check`: times prove nothing on a busy
machine.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")


def median_seconds(work, times):
    """After one run to warm up."""
    work()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def token_ids(a):
    """As many as the prompt and the target's fed tokens have; which ones does not matter to speed."""
    return [1 + 37 * i % 5000 for i in range(a.length + a.target_length - 1)]


def measure_program(a):
    line = [a.program, "bench", "-m", a.model, "--length", str(a.length), "--target-length", str(a.target_length),
            "--threads", str(a.threads), "--repeat", str(a.repeat), "--format", "json"]
    found = json.loads(subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout)
    return {"plain_seconds": found["plain"]["seconds"], "map_seconds": found["map"]["seconds"], "estimated": False,
            "units": found["map"]["units"], "first_seconds": found["map"]["first_seconds"],
            "plain_peak_bytes": found["plain"]["peak_bytes"], "peak_bytes": found["map"]["peak_bytes"]}


def measure_pytorch(a):
    sys.path.insert(0, os.path.join(HERE, "..", "parity"))
    import numpy as np
    import torch
    import oracle

    torch.set_num_threads(a.threads)
    model = oracle.load(a.model)
    ids = token_ids(a)
    rows = range(a.length - 1, len(ids))
    units = a.units or len(ids)
    sample = min(a.probes, units)
    m = np.ones((sample, len(ids)))
    m[np.arange(sample), np.arange(sample)] = 0.1
    plain = median_seconds(lambda: oracle.log_probs(model, ids, rows), a.repeat)
    before = peak_bytes()
    probes = median_seconds(lambda: oracle.log_probs(model, ids, rows, m, "row-min-causal", batch=sample), a.repeat)
    return {"plain_seconds": plain, "map_seconds": probes * units / sample, "estimated": sample < units,
            "plain_peak_bytes": before, "peak_bytes": peak_bytes()}


def measure_llama_cpp(a):
    import llama_cpp

    ids = token_ids(a)
    model = llama_cpp.Llama(a.model, n_ctx=len(ids) + 8, n_batch=len(ids), n_ubatch=len(ids), n_threads=a.threads,
                            n_threads_batch=a.threads, verbose=False)

    def plain():
        model.reset()
        model.eval(ids)

    seconds = median_seconds(plain, a.repeat)
    return {"plain_seconds": seconds, "map_seconds": seconds * (a.units or len(ids)), "estimated": True,
            "plain_peak_bytes": peak_bytes(), "peak_bytes": peak_bytes()}


MEASURES = {"atmanscope": measure_program, "PyTorch": measure_pytorch, "llama.cpp": measure_llama_cpp}


def in_own_process(name, arguments):
    """The measure's numbers, or a sentence about why there are none."""
    done = subprocess.run([sys.executable, __file__, *arguments, "--only", name], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or ["no word of why"])[-1]
    return json.loads(done.stdout)


def table(a, results):
    """Rows of text: seconds, rates, and how many times atmanscope's."""
    ours, passed = results["atmanscope"], a.length + a.target_length - 1
    lines = [f"{os.path.basename(a.model)}, prompt {a.length}, target {a.target_length}, {a.threads} threads" +
             ("" if isinstance(ours, str) else f", {ours['units']} units"),
             f"{'':12}{'plain pass':>12}{'tokens/s':>10}{'ratio':>8}{'full map':>12}{'ratio':>8}{'peak':>10}"]
    for name, result in results.items():
        if isinstance(result, str):
            lines.append(f"{name:12}{result}")
            continue
        about = "~" if result["estimated"] else ""
        ratios = ["", ""] if isinstance(ours, str) else [f"{result[key] / ours[key]:.2f}"
                                                         for key in ("plain_seconds", "map_seconds")]
        lines.append(f"{name:12}{result['plain_seconds']:>10.3f} s"
                     f"{passed / result['plain_seconds']:>10.0f}{ratios[0]:>8}"
                     f"{about + format(result['map_seconds'], '.2f'):>10} s{ratios[1]:>8}"
                     f"{result['peak_bytes'] / 2**20:>6.0f} MiB")
    return "\n".join(lines + ["ratio: time, as a multiple of atmanscope's; ~: from a sample"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default=os.path.join(DATA, "atmanscope", "models", "smollm2.gguf"))
    parser.add_argument("--program", default=os.path.join(HERE, "..", "..", "build", "atmanscope"))
    parser.add_argument("--length", type=int, default=256, help="tokens of the prompt")
    parser.add_argument("--target-length", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeat", type=int, default=3, help="medians of so many")
    parser.add_argument("--probes", type=int, default=8, help="size of PyTorch's sample")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--units", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--only", choices=MEASURES, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.only:
        print(json.dumps(MEASURES[a.only](a)))
        return
    results = {}
    for name in MEASURES:  # the program first: the others are asked for as many probes as it made
        units = ["--units", str(results["atmanscope"]["units"])] if isinstance(results.get("atmanscope"), dict) else []
        results[name] = in_own_process(name, sys.argv[1:] + units)
    print(json.dumps(results) if a.format == "json" else table(a, results))


if __name__ == "__main__":
    main()
