#!/usr/bin/env python3
"""How cost grows: full maps over lengths of the prompt and numbers of threads, as a Markdown table with the ratios
first.

    tests/bench/scale.py [--model smollm2.gguf] [--lengths 64,256,1024,4096] [--threads 1,2,4] [--precision auto]

What takes longer than --budget seconds is ended then, and its time computed from the two longest maps with as many
threads that are whole; that is marked "~", and so are those of memory, which may still grow.  Where this
Python has llama-cpp-python, its plain pass over as many tokens, measured in the same run, is the yardstick of time and
memory.  Below the table: the exponents with which time and memory grow from one length to the next.  No part of `make
check`: times prove nothing on a busy machine.
"""
import argparse
import json
import math
import os
import subprocess

import compare


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        names = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    return f"{names[0] if names else 'unknown processor'}, {len(os.sched_getaffinity(0))} cores"


def is_part(found):
    return found["map"]["units"] != found["map"]["probes"]


def bench(a, length, threads, budget):
    line = [a.program, "bench", "-m", a.model, "--length", str(length), "--threads", str(threads), "--precision",
            a.precision, "--budget", str(budget), "--format", "json"]
    return json.loads(subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout)


def expected(whole, length):
    """Seconds of a map by those of two others: products go with N^2, for N probes have N / 2 rows each, attention with
    N^3, for each of these sees so many keys."""
    (n, less), (m, more) = ((r["length"], r["seconds"] / r["length"]**2) for r in whole)
    cubic = (more - less) / (m - n)
    return (more + cubic * (length - m)) * length**2


def measure(a, length, threads, before):
    """The program's numbers and, or None, llama.cpp's; before: what was measured with as many threads."""
    found = bench(a, length, threads, a.budget)
    seconds, whole = found["map"]["seconds"], [r for r in before if not r["about"]][-2:]
    if is_part(found):
        seconds = expected(whole, length) if len(whole) == 2 else math.nan
    other = compare.in_own_process("llama.cpp", ["--model", a.model, "--length", str(length), "--threads", str(threads),
                                                 "--repeat", "3"])
    return {"length": length, "threads": threads, "about": "~" if is_part(found) else "", "precision":
            found["device"]["precision"], "seconds": seconds,
            "plain": found["plain"]["seconds"], "preview": found["map"]["preview_seconds"],
            "peak": found["map"]["peak_bytes"], "llama": None if isinstance(other, str) else other}


def times(r, key, unit):
    """How many times `unit`; "~" where that was computed, "-" where it is not known."""
    return f"{r['about']}{r[key] / unit:.1f}" if unit and not math.isnan(r[key]) else "-"


def row(r):
    llama = r["llama"] or {"plain_seconds": 0, "peak_bytes": 0}
    passes = times(r, "seconds", llama["plain_seconds"])
    if passes != "-":
        passes += f" (N/{r['length'] * llama['plain_seconds'] / r['seconds']:.0f})"
    return (f"| {r['length']} | {r['threads']} | {passes} | {times(r, 'peak', llama['peak_bytes'])} | "
            f"{times(r, 'seconds', r['plain'])} | {r['preview'] / r['plain']:.1f} | "
            f"{times(r, 'seconds', 1)} s | {r['about']}{r['peak'] / 2**20:.0f} MiB |")


def exponents(results, threads):
    mine = [r for r in results if r["threads"] == threads and not math.isnan(r["seconds"])]
    steps = []
    for less, more in zip(mine, mine[1:]):
        step = math.log(more["length"] / less["length"])
        time, memory = (math.log(more[key] / less[key]) / step for key in ("seconds", "peak"))
        steps.append(f"{less['length']} to {more['length']}: time N^{time:.2f}, memory N^{memory:.2f}")
    return f"{threads} threads, " + "; ".join(steps)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default=os.path.join(compare.DATA, "atmanscope", "models", "smollm2.gguf"))
    parser.add_argument("--program", default=os.path.join(compare.HERE, "..", "..", "build", "atmanscope"))
    parser.add_argument("--lengths", default="64,256,1024,4096")
    parser.add_argument("--threads", default="1,2,4")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--budget", type=float, default=90, help="seconds for each map")
    a = parser.parse_args()
    lengths, threads = ([int(n) for n in text.split(",")] for text in (a.lengths, a.threads))
    print(f"{os.path.basename(a.model)} on {processor()}, {a.precision} precision\n")
    print("| tokens N | threads | map, llama.cpp passes | memory, times llama.cpp's | map, own passes "
          "| preview, own passes | map | peak |\n|---|---|---|---|---|---|---|---|")
    results = []
    for t in threads:
        for n in lengths:
            results.append(measure(a, n, t, [r for r in results if r["threads"] == t]))
            print(row(results[-1]), flush=True)
    print()
    for t in threads if len(lengths) > 1 else []:
        print(exponents(results, t))


if __name__ == "__main__":
    main()
