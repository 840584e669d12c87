#!/usr/bin/env python3
"""What a map costs after one that is much like it: the rows behind what both have in common, and how right that is.

    tests/bench/edits.py [--questions ../shared/data/qa/xquad-en-half.json] [--model smollm2.gguf] [--prompts 10]

Over prompts of accuracy.py: a whole map, then one token of output more, a word more at the prompt's end, another
question, and a passage without a word from its middle; each beside the same map from nothing.  Printed: the time and
the rows of the one as a share of the other's, and both maps' rank correlation with f32's (medians, worst).  Reads the
worker's answers through tests/parity/ask_worker (`make tests/parity/ask_worker`).  No part of `make check`.
"""
import argparse
import os
import statistics

import accuracy
import anytime


def edits(prompt):
    """Names, prompts and how many tokens of output, in the order of a session."""
    passage, question = prompt.rsplit("\n\n", 1)
    words = passage.split(" ")
    middle = len(words) // 2
    yield "an output token more", prompt, 2
    yield "a word at the end", prompt + " the", 2
    yield "another question", passage + "\n\nQuestion: What is this text about?\nAnswer:", 1
    yield "a word less in the middle", " ".join(words[:middle] + words[middle + 1:]) + "\n\n" + question, 1


def last_token(answer):
    return [unit[-1][0] for unit in answer["relevance"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--questions", default=accuracy.QUESTIONS)
    parser.add_argument("--model", default=os.path.join(accuracy.DATA, "atmanscope", "models", "smollm2.gguf"))
    parser.add_argument("--program", default=os.path.join(anytime.ROOT, "build", "tests", "parity", "ask_worker"))
    parser.add_argument("--precision", default="int8", choices=["f32", "bf16", "int8"])
    parser.add_argument("--prompts", type=int, default=10)
    parser.add_argument("--words", type=int, default=100, help="longest passage")
    parser.add_argument("--memory", type=int, metavar="MEGABYTES", help="the program's limit, if not the usual one")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    a = parser.parse_args()
    limit = ["-m", str(a.memory)] if a.memory else []
    session, fresh, exact = (anytime.Worker(a, precision, *limit) for precision in (a.precision, a.precision, "f32"))
    rows = {}
    print("units  seconds    rows  of a whole map's time, rows   rank with f32: going on, whole", flush=True)
    for prompt in accuracy.prompts(a.questions, a.words, a.prompts):
        whole = session.ask(prompt, 1, resume=True)
        print(f"{len(whole['units']):5} {whole['seconds']:8.2f} {whole['rows']:7}  (peak {whole['peak'] / 1e6:.0f} MB)")
        for name, text, generate in edits(prompt):
            found, other = session.ask(text, generate, resume=True), fresh.ask(text, generate, fresh=True)
            truth = last_token(exact.ask(text, generate))
            row = (found["seconds"] / other["seconds"], found["rows"] / other["rows"],
                   accuracy.correlation(truth, last_token(found)), accuracy.correlation(truth, last_token(other)))
            rows.setdefault(name, []).append(row)
            print(f"{len(found['units']):5} {found['seconds']:8.2f} {found['rows']:7} {row[0]:11.3f} {row[1]:14.3f}"
                  f" {row[2]:20.4f} {row[3]:8.4f}  {name}", flush=True)
    for worker in (session, fresh, exact):
        worker.close()
    print(f"medians of {len(next(iter(rows.values())))}, and of the ranks the worst:")
    for name, some in rows.items():
        time, share, going, whole = zip(*some)
        print(f"  {name:26} time {statistics.median(time):.3f}, rows {statistics.median(share):.3f}, rank "
              f"{statistics.median(going):.4f} ({min(going):.4f}), whole {statistics.median(whole):.4f} "
              f"({min(whole):.4f})")


if __name__ == "__main__":
    main()
