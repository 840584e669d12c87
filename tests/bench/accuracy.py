#!/usr/bin/env python3
"""Accuracy at speed: the program's maps in low precision beside those in f32, over questions about passages of text.

    tests/bench/accuracy.py [--questions ../shared/data/qa/xquad-en-half.json] [--model smollm2.gguf] [--prompts 40]

The questions are in the format of SQuAD.  A prompt is a passage and a question about it; the token explained is the one
the model answers with.  Printed for each prompt and over all: the rank correlation over all units, the greatest error
in nats beside the noise floor that the program states, and whether the five strongest units are the same.  No part of
`make check`.
"""
import argparse
import json
import os
import statistics
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
QUESTIONS = os.path.join(HERE, "..", "..", "..", "shared", "data", "qa", "xquad-en-half.json")
DATA = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")


def prompts(path, most_words, count):
    """The first question about each passage that is short enough, as many as wanted."""
    with open(path, encoding="utf-8") as file:
        articles = json.load(file)["data"]
    passages = [p for article in articles for p in article["paragraphs"] if len(p["context"].split()) <= most_words]
    step = max(1, len(passages) // count)
    return [f"{p['context']}\n\nQuestion: {p['qas'][0]['question']}\nAnswer:" for p in passages[::step][:count]]


def explain(a, prompt, precision):
    line = [a.program, "explain", "-m", a.model, "--raw", "--prompt-file", "-", "--precision", precision, "--threads",
            str(a.threads), "--units", "token", "--format", "json", "-q"]
    found = json.loads(subprocess.run(line, check=True, input=prompt.encode(), stdout=subprocess.PIPE).stdout)
    return [row[0] for row in found["relevance"]], found["noise_floor"], found["cost"]["seconds"]


def ranks(values):
    """Ranks from 0, equal values sharing theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    rank, i = [0.0] * len(values), 0
    while i < len(order):
        end = i
        while end < len(order) and values[order[end]] == values[order[i]]:
            end += 1
        for k in range(i, end):
            rank[order[k]] = (i + end - 1) / 2
        i = end
    return rank


def correlation(x, y):
    """Spearman's."""
    x, y = ranks(x), ranks(y)
    mean = (len(x) - 1) / 2
    covariance = sum((a - mean) * (b - mean) for a, b in zip(x, y))
    return covariance / (sum((a - mean) ** 2 for a in x) * sum((b - mean) ** 2 for b in y)) ** 0.5


def strongest(values):
    return set(sorted(range(len(values)), key=lambda u: -abs(values[u]))[:5])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--questions", default=QUESTIONS)
    parser.add_argument("--model", default=os.path.join(DATA, "atmanscope", "models", "smollm2.gguf"))
    parser.add_argument("--program", default=os.path.join(HERE, "..", "..", "build", "atmanscope"))
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--prompts", type=int, default=40)
    parser.add_argument("--words", type=int, default=100, help="longest passage")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    a = parser.parse_args()
    rows = []
    print("units     rank  greatest error  noise floor  top five  times faster", flush=True)
    for prompt in prompts(a.questions, a.words, a.prompts):
        exact, _, slow = explain(a, prompt, "f32")
        found, floor, fast = explain(a, prompt, a.precision)
        error = max(abs(x - y) for x, y in zip(exact, found))
        same = strongest(exact) == strongest(found)
        rows.append((correlation(exact, found), error, floor, same, slow / fast))
        print(f"{len(exact):5} {rows[-1][0]:8.4f} {error:15.4f} {floor:12.4f}  {'same' if same else 'differ':>8}"
              f" {slow / fast:13.2f}", flush=True)
    rank, error, floor, same, times = zip(*rows)
    print(f"of {len(rows)} prompts; median and worst:")
    print(f"  rank correlation  {statistics.median(rank):.4f} {min(rank):.4f}")
    print(f"  greatest error    {statistics.median(error):.4f} {max(error):.4f} nats")
    print(f"  times faster      {statistics.median(times):.2f} {min(times):.2f}")
    within = sum(e <= f for e, f in zip(error, floor))
    print(f"  top five the same in {sum(same)}; greatest error within the floor in {within}")


if __name__ == "__main__":
    main()
