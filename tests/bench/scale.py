#!/usr/bin/env python3
"""How cost grows: full maps over lengths of the prompt and numbers of threads, as a Markdown table with the ratios
first.

    tests/bench/scale.py [--model smollm2.gguf] [--lengths 64,256,1024,4096] [--threads 1,2,4] [--precision auto]

What would take longer than --budget seconds is measured a second time, for three times as long, and computed from the
rows that ran between the two; that is marked "~".  Where this
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


def measure(a, length, threads):
    """The program's numbers and, or None, llama.cpp's."""
    found = bench(a, length, threads, a.budget)
    begun, found = (found, bench(a, length, threads, 3 * a.budget)) if is_part(found) else (None, found)
    seconds = found["map"]["seconds"]
    if is_part(found):  # the first rows are dearer: small groups, and what is done once
        rate = (found["map"]["rows"] - begun["map"]["rows"]) / (seconds - begun["map"]["seconds"])
        seconds += (length * (length + 1) / 2 - found["map"]["rows"]) / rate
    other = compare.in_own_process("llama.cpp", ["--model", a.model, "--length", str(length), "--threads", str(threads),
                                                 "--repeat", "3"])
    return {"length": length, "threads": threads, "about": "~" if is_part(found) else "", "precision":
            found["device"]["precision"], "seconds": seconds,
            "plain": found["plain"]["seconds"], "preview": found["map"]["preview_seconds"],
            "peak": found["map"]["peak_bytes"], "llama": None if isinstance(other, str) else other}


def row(r):
    llama = r["llama"]
    passes = r["seconds"] / llama["plain_seconds"] if llama else 0
    of_llama = f"{passes:.1f} (N/{r['length'] / passes:.0f}) | {r['peak'] / llama['peak_bytes']:.1f}" if llama else "- | -"
    return (f"| {r['length']} | {r['threads']} | {of_llama} | {r['about']}{r['seconds'] / r['plain']:.1f} | "
            f"{r['preview'] / r['plain']:.1f} | {r['about']}{r['seconds']:.2f} s | {r['peak'] / 2**20:.0f} MiB |")


def exponents(results, threads):
    mine = [r for r in results if r["threads"] == threads]
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
    print("| tokens N | threads | map, llama.cpp passes | memory, times llama.cpp's | map, own passes | preview, own passes "
          "| map | peak |\n|---|---|---|---|---|---|---|---|")
    results = []
    for t in threads:
        for n in lengths:
            results.append(measure(a, n, t))
            print(row(results[-1]), flush=True)
    print()
    for t in threads:
        print(exponents(results, t))


if __name__ == "__main__":
    main()
