#!/usr/bin/python3
"""atmanscope eval: its JSON and its table, data sets that are wrong, ^C, and the same numbers from the same seed."""
import json
import signal
import subprocess

from cli import FOLDER, PROGRAM, PROMPT, check, end, environment, path, refused, run, small_model

SCORES = {"hit", "hit_all", "ap", "ap_all", "ar", "ar_all", "deletion"}
MAPS = ["method", "direct", "rollout", "random", "uniform", "recency"]


def write(name, *lines):
    with open(path(name), "w", encoding="utf-8") as file:
        file.writelines((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    return path(name)


def case(prompt=PROMPT, **more):
    """A prompt of which "red" and "blue" decide."""
    spans = [[prompt.index(word), prompt.index(word) + len(word)] for word in ("red", "blue")]
    return {"prompt": prompt, "truth": {"spans": spans}, **more}


def evaluate(*arguments):
    code, out, said = run("eval", *arguments)
    check(code == 0 and said == b"", f"{arguments}: status {code}, {said!r}")
    return json.loads(out)


def is_estimate(found, cases, label):
    check(sorted(found) == ["cases", "high", "low", "value"], f"{label}: {found}")
    check(found["cases"] == cases, f"{label}: {found['cases']} cases, not {cases}")
    check(found["low"] - 1e-12 <= found["value"] <= found["high"] + 1e-12, f"{label}: {found}")


def result():
    model = small_model()
    greedy = json.loads(run("generate", "-m", model, "-p", PROMPT, "-n", "4", "--format", "json")[1])["text"]
    data = write("cases.jsonl", case(id="forced", target=" blue ball"), "", case(id=7, answer=f"  {greedy}\n"),
                 case(answer="never said"), {"prompt": "for the sun", "id": "untold", "note": ["not ours"]})
    plain = ["-m", model, data, "--generate", "4"]
    found = evaluate(*plain, "--leave-one-out", "--per-case")
    check(found["schema"] == "atmanscope.evaluation/1" and found["complete"] is True, "schema, complete")
    check(found["dataset"] == {"file": data, "cases": 4}, f"{found['dataset']}")
    check(found["method"]["paths"] == "all" and found["units"] == "token" and found["seed"] == 0, "what was done")
    is_estimate(found["accuracy"], 2, "accuracy")
    check(found["accuracy"]["value"] == 0.5, f"accuracy {found['accuracy']}")
    check("pictures" not in found and found["text"]["cases"] == 4, "sides")
    maps = found["text"]["maps"]
    check(sorted(maps) == sorted(MAPS + ["leave_one_out"]), f"maps: {sorted(maps)}")
    for name, scores in maps.items():
        check(set(scores) == SCORES, f"{name}: {sorted(scores)}")
        for score, value in scores.items():
            wrong = name == "leave_one_out" or not score.endswith("_all")
            is_estimate(value, 3 if score == "deletion" else 2 if wrong else 3, f"{name} {score}")
    cases = found["cases"]
    check([one["id"] for one in cases] == ["forced", "7", "line 4", "untold"], f"{[one['id'] for one in cases]}")
    check([one["line"] for one in cases] == [1, 3, 4, 5], "lines")
    check([one["right"] for one in cases] == [None, True, False, None], "right")
    check(cases[0]["answer"] is None and cases[1]["answer"] == greedy, "answers")
    check("deletion" not in cases[2]["text"]["maps"]["method"], "a wrong answer is not followed")
    units = cases[0]["text"]["units"]
    texts = [PROMPT[unit["start"]:unit["end"]].strip() for unit in units if unit["truth"]]
    check(texts == ["red", "blue"], f"the words that decide: {texts}")
    check(maps["uniform"]["hit_all"]["value"] == maps["uniform"]["ap_all"]["value"] and
          abs(maps["uniform"]["hit_all"]["value"] - 2 / len(units)) < 1e-9 and maps["uniform"]["ar_all"]["value"] == 1,
          "a uniform map")
    for option in (["--per-case", "--leave-one-out"], ["--threads", "1"]):
        again = evaluate(*plain, *option)
        check(again["text"]["maps"]["random"] == maps["random"], f"{option}: another random map")
    other = evaluate(*plain, "--seed", "1")
    check(other["text"]["maps"]["random"] != maps["random"], "another seed: the same random map")
    first = evaluate(*plain, "--limit", "2")
    check(first["dataset"]["cases"] == 2 and first["complete"] is True and "cases" not in first, "--limit 2")
    words = evaluate(*plain, "--units", "word", "--per-case")
    check(len(words["cases"][0]["text"]["units"]) == len(PROMPT.split()), "--units word")
    table = run("eval", *plain, "--format", "text")[1].decode()
    check(table.startswith("4 of 4 cases") and all(f"\n{name} " in table for name in MAPS), f"the table: {table}")
    piped = run("eval", "-m", model, "-", "--generate", "4", stdin=open(data, "rb").read())
    check(piped[0] == 0 and json.loads(piped[1])["text"]["maps"] == evaluate(*plain)["text"]["maps"], "from a pipe")
    code, out, _ = run("eval", *plain, "-o", path("result.json"))
    check(code == 0 and out == b"" and json.load(open(path("result.json")))["text"]["cases"] == 4, "-o FILE")


def wrong():
    model = small_model()
    good = case()
    open(path("picture.png"), "wb").close()
    refused("no data set", 2, "DATASET", "eval", "-m", model)
    refused("two data sets", 2, "not expected", "eval", "-m", model, "a", "b")
    refused("a data set that is not there", 1, "cannot open", "eval", "-m", model, path("none.jsonl"))
    refused("an empty one", 1, "no case", "eval", "-m", model, write("empty.jsonl", "", " "))
    refused("a folder", 1, FOLDER, "eval", "-m", model, FOLDER)
    for what, words, line in (
            ("no JSON", "no JSON", "{"), ("a list", "no object", "[1]"), ("no prompt", "\"prompt\"", {"target": "a"}),
            ("a number as a prompt", "\"prompt\"", {"prompt": 5}), ("an empty prompt", "\"prompt\"", {"prompt": ""}),
            ("a NUL in a prompt", "no JSON", '{"prompt": "a\\u0000b"}'), ("bytes that are no text", "no JSON", '{"prompt": "\udcff"}'),
            ("an empty target", "\"target\"", {"prompt": "a", "target": ""}),
            ("an answer that is no text", "\"answer\"", {"prompt": "a", "answer": ["a"]}),
            ("a truth that is none", "\"truth\"", {**good, "truth": [1]}),
            ("spans that are none", "\"spans\"", {**good, "truth": {"spans": 5}}),
            ("a span turned round", "\"spans\"", {**good, "truth": {"spans": [[0, 3], [5, 5]]}}),
            ("a span beyond the end", "\"spans\"", {**good, "truth": {"spans": [[0, len(PROMPT) + 1]]}}),
            ("a span before the start", "\"spans\"", {**good, "truth": {"spans": [[-1, 2]]}}),
            ("a picture that is not there", "none.png", {**good, "images": ["none.png"]}),
            ("a picture without a name", "\"images\"", {**good, "images": [5]}),
            ("a rect of no picture", "\"rects\"", {**good, "truth": {"rects": [[0, 0, 0, 4, 4]]}}),
            ("a rect without width", "\"rects\"", {**good, "images": ["picture.png"], "truth": {"rects": [[0, 0, 0, 0, 4]]}}),
            ("too few masks", "\"masks\"", {**good, "images": ["picture.png"] * 2, "truth": {"masks": ["picture.png"]}}),
            ("a mask that is not there", "none.png", {**good, "images": ["picture.png"], "truth": {"masks": ["none.png"]}}),
    ):
        text = line if isinstance(line, str) else json.dumps(line)
        with open(path("wrong.jsonl"), "wb") as file:
            file.write(json.dumps(good).encode() + b"\n\n" + text.encode("utf-8", "surrogateescape") + b"\n")
        refused(what, 1, [words, "line 3"], "eval", "-m", model, path("wrong.jsonl"))
    refused("a broken picture", 1, ["line 2", "picture.png"], "eval", "-m", model,
            write("broken.jsonl", good, {**good, "images": ["picture.png"]}))
    refused("a limit of none", 2, "--limit", "eval", "-m", model, path("cases.jsonl"), "--limit", "0")
    refused("an option of explain's", 2, "--foil", "eval", "-m", model, path("cases.jsonl"), "--foil", "a")
    refused("a prompt", 2, "-p", "eval", "-m", model, path("cases.jsonl"), "-p", PROMPT)


def interrupted():
    """^C: what was run so far is written, and the status says so."""
    data = write("many.jsonl", *[case() for _ in range(3000)])
    process = subprocess.Popen([PROGRAM, "eval", "-v", "-m", small_model(), data, "--leave-one-out", "--per-case"],
                               env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while b"line 3: " not in process.stderr.readline():  # the third case is done
        check(process.poll() is None, "it ended by itself")
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)
    check(process.returncode == 130 and b"atmanscope:" not in said, f"^C: status {process.returncode}, {said!r}")
    found = json.loads(out)
    check(found["complete"] is False and found["dataset"]["cases"] == len(found["cases"]) >= 3, "what there was")


result()
wrong()
interrupted()
end()
