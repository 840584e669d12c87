#!/usr/bin/env python3
"""How soon an explanation is of use: what is shown when a tenth of its time is over, beside what is shown at the end.

    tests/bench/anytime.py [--questions ../shared/data/qa/xquad-en-half.json] [--model smollm2.gguf] [--prompts 40]

Over the prompts of accuracy.py: how many of the five tokens that are most relevant in the end are among the first five
by the values known when a tenth of the time is over, from the request to its end; and when the preview of all tokens
was there, as a multiple of the prompt's plain pass.  On a busy machine the clock says little: the processors' time,
which is counted beside it, says more.  Reads the worker's events through tests/parity/ask_worker (`make
tests/parity/ask_worker`). No part of `make check`.
"""
import argparse
import json
import os
import statistics
import subprocess

import accuracy

ROOT = os.path.join(accuracy.HERE, "..", "..")

REAL, PROCESSORS, STRONGEST = 1, 2, 4  # of an event, behind its kind


class Worker:
    """One ask_worker process."""

    def __init__(self, a, precision, *options):
        line = [a.program, "-p", precision, "-t", str(a.threads), *options, a.model]
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, prompt, generate, **more):
        line = {"prompt": prompt, "generate": generate, "units": "token", "suppression": 1, "factor": 0.1,
                "layers": [0, -1], **more}
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def joined(path, words, count):
    """Passages of an article one after the other, about so many words in all, and a question about one in their
    middle."""
    with open(path, encoding="utf-8") as file:
        articles = json.load(file)["data"]
    prompts = []
    for article in articles:
        taken, length = [], 0
        for passage in article["paragraphs"]:
            more = len(passage["context"].split())
            if length < 0.85 * words and length + more <= 1.15 * words:
                taken.append(passage)
                length += more
        if length >= 0.8 * words:
            question = taken[len(taken) // 2]["qas"][0]["question"]
            text = "\n\n".join(passage["context"] for passage in taken)
            prompts.append(f"{text}\n\nQuestion: {question}\nAnswer:")
    return prompts[:count]


def found(events, clock, fraction):
    """How many of the last event's strongest are shown after a fraction of the time."""
    before = [event for event in events if event[clock] <= fraction * events[-1][clock]]
    return len(set(before[-1][STRONGEST] if before else []) & set(events[-1][STRONGEST]))


def first(events, kind, clock):
    return next(event[clock] for event in events if event[0] == kind)


def preview(events):
    """The event that ends the preview."""
    return [event for event in events if event[0] == "direct"][-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--questions", default=accuracy.QUESTIONS)
    parser.add_argument("--model", default=os.path.join(accuracy.DATA, "atmanscope", "models", "smollm2.gguf"))
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "tests", "parity", "ask_worker"))
    parser.add_argument("--precision", default="int8", choices=["f32", "bf16", "int8"])
    parser.add_argument("--prompts", type=int, default=40)
    parser.add_argument("--words", type=int, default=100, help="longest passage")
    parser.add_argument("--joined", type=int, metavar="WORDS",
                        help="join passages to so many words, for longer prompts")
    parser.add_argument("--generate", type=int, default=1, help="tokens of output")
    parser.add_argument("--fraction", type=float, default=0.1, help="of the time")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    a = parser.parse_args()
    worker = Worker(a, a.precision)
    prompts = joined(a.questions, a.joined, a.prompts) if a.joined else accuracy.prompts(a.questions, a.words,
                                                                                         a.prompts)
    rows = []
    # The first pass after opening pays for page faults; no prompt's own is kept.
    worker.ask("Once more: " + prompts[-1], a.generate)
    print("units  seconds  preview after  in plain passes  of the five, by the clock  by processors'", flush=True)
    for prompt in prompts:
        answer = worker.ask(prompt, a.generate, shown=True)
        events = answer["shown"]
        there = preview(events)
        passes = (there[PROCESSORS] - first(events, "units", PROCESSORS)) / first(events, "token", PROCESSORS)
        rows.append((there[PROCESSORS] / events[-1][PROCESSORS], passes, found(events, REAL, a.fraction),
                     found(events, PROCESSORS, a.fraction)))
        print(f"{len(answer['units']):5} {events[-1][REAL]:8.2f} {there[REAL]:14.3f} {passes:16.2f} {rows[-1][2]:27}"
              f" {rows[-1][3]:20}", flush=True)
    worker.close()
    share, passes, clock, processors = zip(*rows)
    print(f"medians of {len(rows)}: preview there after {statistics.median(share):.1%} of the time; it takes "
          f"{statistics.median(passes):.2f} plain passes;\nafter {a.fraction:.0%} of the time, of the five strongest "
          f"at the end {statistics.median(clock):g} are shown by the clock, {statistics.median(processors):g} by processors' time "
          f"(means {statistics.mean(clock):.2f}, {statistics.mean(processors):.2f}; fewer than 4 in "
          f"{sum(n < 4 for n in clock)} and {sum(n < 4 for n in processors)})")


if __name__ == "__main__":
    main()
