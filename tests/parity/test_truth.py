#!/usr/bin/python3
"""The shipped model against known truth, through the program itself.

For each case of assets/demo_cases.jsonl the greedy answer must be the expected one; the text token of greatest
relevance, summed over the answer's tokens, must lie in the words that decide; and so must the greatest of the story
alone, before the question, where any of its words decides.  Each in at least the share below, a little under what was
measured when the model was made (assets/README.md).  So that the test can fail, the same maps are held against the
truth of the next case, which they must miss more often than not.
"""
import json
import os

import program

RIGHT, POINTED, TOLD, SHUFFLED = 0.95, 0.90, 0.85, 0.50
LONGEST = 24  # tokens of an answer
ASSETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "assets")


def answer_of(found):
    """The answer's text, without the token that ends it."""
    return "".join(token["text"] for token in found["target"]["tokens"]).replace("</s>", "").strip()


def top_range(found, end):
    """Bytes of the most relevant unit in the first `end` bytes; specials and the answer's tokens do not count."""
    tokens, tops = found["prompt"]["tokens"], []
    for unit, row in zip(found["units"], found["relevance"]):
        first, last = unit["tokens"]
        if last < len(tokens) and all(token["kind"] == "text" for token in tokens[first:last + 1]):
            tops.append((sum(row), tokens[first]["start"], tokens[last]["end"]))
    return max(top for top in tops if top[2] <= end)[1:]


def overlaps(found, truth):
    return any(found[0] < end and start < found[1] for start, end in truth["spans"])


def main():
    if not os.path.exists("./atmanscope"):
        program.skip("the program is not in the current folder")
        program.end()
    with open(os.path.join(ASSETS, "demo_cases.jsonl"), encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    found = [program.explain(os.path.join(ASSETS, "demo.gguf"), case["prompt"], generate=LONGEST) for case in cases]
    tops = [top_range(one, len(case["prompt"])) for case, one in zip(cases, found)]
    right = pointed = told = tellable = 0
    for case, one, top in zip(cases, found, tops):
        answer, good = answer_of(one), overlaps(top, case["truth"])
        right, pointed = right + (answer == case["answer"]), pointed + good
        if overlaps((0, case["story"]), case["truth"]):
            tellable += 1
            told += overlaps(top_range(one, case["story"]), case["truth"])
        if answer != case["answer"] or not good:
            print(f"{case['id']}: {case['prompt']} -> {answer} (expected {case['answer']}), "
                  f"top {case['prompt'][top[0]:top[1]]!r}")
    shuffled = sum(overlaps(top, case["truth"]) for case, top in zip(cases[1:] + cases[:1], tops))
    count = len(cases)
    program.check(right >= RIGHT * count, f"{right} of {count} answers are right")
    program.check(pointed >= POINTED * count, f"{pointed} of {count} tops are among the words that decide")
    program.check(told >= TOLD * tellable, f"{told} of {tellable} tops of the story are among the words that decide")
    program.check(shuffled < SHUFFLED * count, f"{shuffled} of {count} tops are among the words of another case")
    program.check(all(one["complete"] for one in found), "a map is not complete")
    print(f"{count} cases: {right} answers right, {pointed} tops decide, {told} of {tellable} in the story, "
          f"{shuffled} in another case")
    program.end()


if __name__ == "__main__":
    main()
