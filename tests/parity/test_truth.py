#!/usr/bin/python3
"""The shipped model against known truth, through the program's own `eval`.

Words.  For each case of assets/demo_cases.jsonl the greedy answer must be the expected one; the text token of greatest
relevance, summed over the answer's tokens, must lie in the words that decide; and so must the greatest of the story
alone, before the question, where any of its words decides.  Each in at least the share below, a little under what was
measured when the model was made (assets/README.md).  So that the test can fail, the same maps are held against the
truth of the next case, which they must miss more often than not, and maps that know nothing must miss it too.

Pictures.  Of the scenes of assets/scenes.jsonl so many must be answered rightly, and of these the most relevant patch
must lie on the thing that was asked about so often, with the program's own units and neighbourhoods.  The first of
them, which takes a quarter of a minute; with --all all, and variants of the method beside it.
"""
import glob
import json
import os
import sys

import program

RIGHT, POINTED, TOLD, SHUFFLED = 47 / 48, 46 / 48, 0.85, 0.50
SEEN, ON_IT = 0.98, 0.95
SCENES = 10 if "SLOW_BUILD" in os.environ else 60
LONGEST = 24  # tokens of an answer
ASSETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "assets")


def top_range(found, end):
    """Bytes of the most relevant unit in the first `end` bytes."""
    tops = zip(found["text"]["maps"]["method"]["relevance"], found["text"]["units"])
    top = max((pair for pair in tops if pair[1]["end"] <= end), key=lambda pair: pair[0])[1]
    return top["start"], top["end"]


def overlaps(found, truth):
    return any(found[0] < end and start < found[1] for start, end in truth["spans"])


def words():
    """Stories with a question."""
    path = os.path.join(ASSETS, "demo_cases.jsonl")
    with open(path, encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    result = program.run("eval", "-m", os.path.join(ASSETS, "demo.gguf"), path, "--generate", str(LONGEST),
                         "--per-case")
    found, maps, count = result["cases"], result["text"]["maps"], len(cases)
    told = [overlaps(top_range(one, case["story"]), case["truth"]) for case, one in zip(cases, found)
            if overlaps((0, case["story"]), case["truth"])]
    tops = [top_range(one, len(case["prompt"])) for case, one in zip(cases, found)]
    for case, one, top in zip(cases, found, tops):
        if not one["right"] or one["text"]["maps"]["method"]["hit"] < 1:
            print(f"{case['id']}: {case['prompt']} -> {one['answer']} (expected {case['answer']}), "
                  f"top {case['prompt'][top[0]:top[1]]!r}")
    pointed, right = maps["method"]["hit_all"]["value"] * count, result["accuracy"]["value"] * count
    shuffled = sum(overlaps(top, case["truth"]) for case, top in zip(cases[1:] + cases[:1], tops))
    program.check(result["complete"] and len(found) == count, f"{len(found)} of {count} cases were run")
    program.check(right >= RIGHT * count, f"{right:.0f} of {count} answers are right")
    program.check(pointed >= POINTED * count, f"{pointed:g} of {count} tops are among the words that decide")
    program.check(sum(told) >= TOLD * len(told),
                  f"{sum(told)} of {len(told)} tops of the story are among the words that decide")
    program.check(shuffled < SHUFFLED * count, f"{shuffled} of {count} tops are among the words of another case")
    for kind in ("random", "uniform", "recency"):
        guess = maps[kind]["hit_all"]["value"]
        program.check(guess < SHUFFLED, f"a {kind} map points at the words that decide in {guess:.0%}")
    program.check(maps["method"]["ap"]["low"] > maps["rollout"]["ap"]["high"], "no better than attention rollout")
    print(f"{count} cases: {right:.0f} answers right, {pointed:g} tops decide, {sum(told)} of {len(told)} "
          f"in the story, {shuffled} in another case")
    print("tops that decide, of the rightly answered: " + ", ".join(f"{kind} {one['hit']['value']:.3f}"
                                                                    for kind, one in maps.items()))


def scenes():
    """Pictures with a question."""
    if not glob.glob(os.path.join(ASSETS, "demo-mmproj*.gguf")):
        program.skip("the shipped model has no vision tower: assets/demo-mmproj*.gguf")
        return
    path = os.path.join(ASSETS, "scenes.jsonl")
    extent = ["--variants"] if "--all" in sys.argv else ["--limit", str(SCENES)]
    result = program.run("eval", "-m", os.path.join(ASSETS, "demo.gguf"), path, "--generate", str(LONGEST),
                         "--per-case", *extent)
    maps, right = result["pictures"]["maps"], result["accuracy"]["value"]
    for one in result["cases"]:
        if not one["right"] or one["pictures"]["maps"]["method"]["hit"] < 1:
            print(f"{one['id']}: {one['answer']} ({'right' if one['right'] else 'wrong'}), "
                  f"hit {one['pictures']['maps']['method']['hit']:g}")
    program.check(right >= SEEN, f"{right:.1%} of the answers are right")
    program.check(maps["method"]["hit"]["value"] >= ON_IT,
                  f"{maps['method']['hit']['value']:.1%} of the tops are on the thing")
    for kind in ("random", "uniform", "centre"):
        program.check(maps[kind]["hit"]["high"] < maps["method"]["hit"]["low"], f"no better than the {kind} map")
    print(f"{result['dataset']['cases']} scenes: {right:.1%} right; tops on the thing, or on patches covered by a "
          "fifth, of the rightly answered: " + ", ".join(f"{kind} {one['hit']['value']:.3f}, {one['covered']['value']:.3f}"
                                           for kind, one in maps.items()))


if not os.path.exists("./atmanscope"):
    program.skip("the program is not in the current folder")
else:
    words()
    scenes()
program.end()
