#!/usr/bin/python3
"""atmanscope eval: its JSON and its table, data sets that are wrong, ^C, and the same numbers from the same seed."""
import json
import os
import signal
import struct
import subprocess
import sys
import zlib

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

from cli import FOLDER, PROGRAM, PROMPT, check, end, environment, path, refused, run, small_model

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "parity"))
import towers

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
    check(found["method"]["paths"] == "all" and found["units"] == "token" and found["seed"] == 0
          and found["chat"] is False, "what was done")
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


# -- pictures ----------------------------------------------------------------------------------------------------------

SIDE = 60  # pixels of a picture; the tower sees 4 x 4 patches of it


def png(name, pixels):
    """pixels [height, width, 3] or [height, width] u8."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    with open(path(name), "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunks)


def tiles(explained):
    """Of every unit that is a patch or more: its index, and the numbers of its patches, row by row."""
    kinds = [token["kind"] for token in explained["prompt"]["tokens"]]
    before = kinds.index("image")
    for index, unit in enumerate(explained["units"]):
        if unit["kind"] == "patch":
            first, last = (token - before for token in unit["tokens"])
            columns = (last - first) % 4 + 1
            yield index, [patch for patch in range(first, last + 1) if (patch - first) % 4 < columns]


def covers(explained, mask):
    """[units] the share of each unit's area in which mask is set, and whether it has any of it."""
    side = SIDE // 4
    patches = mask.reshape(4, side, 4, side).mean(axis=(1, 3)).ravel()
    shares = np.array([patches[patch].mean() for _, patch in tiles(explained)])
    return shares, shares > 0


def expected(explained, mask):
    """The scores of one map, from an explanation."""
    relevance = np.array([explained["relevance"][index] for index, _ in tiles(explained)])
    shares, good = covers(explained, mask)
    order, weight = relevance.sum(axis=1), (relevance ** 2).sum(axis=1)
    top = order == order.max()
    return {"hit": good[top].mean(), "covered": (shares >= 0.2)[top].mean(), "ap": (weight * good).sum() / weight.sum(),
            "ar": (weight / weight.max() * good).sum() / good.sum()}


def pictures():
    tower = towers.Tower(class_row=True, pre=True, out=64)
    model = small_model("seeing.gguf", width=64)
    towers.build(path("seeing-mmproj.gguf"), tower)
    rng = np.random.default_rng(1)
    for name in ("one", "two"):
        png(name + ".png", rng.integers(0, 255, (SIDE, SIDE, 3), "u1"))
    mask = np.zeros((SIDE, SIDE), "u1")
    mask[17:33, 2:20] = 255
    mask[0, 0] = 127  # is not yet meant
    png("mask.png", mask)
    rect = np.zeros((SIDE, SIDE), bool)
    rect[40:52, 30:59] = True
    prompt = "<image>the red ball was"
    data = write("seen.jsonl", {"prompt": prompt, "images": ["one.png"], "target": " blue",
                                "truth": {"masks": ["mask.png"]}},
                 {"prompt": prompt, "images": ["two.png"], "target": " blue",
                  "truth": {"rects": [[0, 30, 40, 29, 12]]}},
                 {"prompt": prompt, "images": ["one.png"], "target": " blue",
                  "truth": {"spans": [[11, 14]], "masks": ["mask.png"], "rects": [[0, 0, 0, 60, 60]]}})
    found = evaluate("-m", model, data, "--variants", "--per-case")
    sides, maps = found["cases"], found["pictures"]["maps"]
    check(found["pictures"]["cases"] == 3 and found["text"]["cases"] == 1, "sides")
    check(sorted(maps) == ["2x2", "centre", "direct", "method", "no_window", "patch", "random", "rollout", "uniform"],
          f"maps: {sorted(maps)}")
    check("recency" in found["text"]["maps"] and "centre" not in found["text"]["maps"], "maps of words")
    for number, (picture, where) in enumerate((("one", mask > 127), ("two", rect), ("one", mask > 127))):
        side = sides[number]["pictures"]
        for kind, options in (("method", []), ("direct", ["--paths", "direct"]),
                              ("patch", ["--patches", "patch", "--similarity", "off"]),
                              ("2x2", ["--patches", "2x2", "--similarity", "off"]), ("no_window", ["--window", "off"])):
            code, out, said = run("explain", "-m", model, "-p", prompt, "--image", path(picture + ".png"), "--target",
                                  " blue",
                                  "--format", "json", *options)
            check(code == 0, f"explain: {said!r}")
            explained = json.loads(out)
            for score, value in expected(explained, where).items():
                got = side["maps"][kind][score]
                check(abs(got - value) < 1e-4, f"case {number}, {kind}, {score}: {got}, not {value}")
            if kind == "method":
                shares, good = covers(explained, where)
                check(np.allclose([unit["cover"] for unit in side["units"]], shares, ), f"case {number}: cover")
                check([unit["truth"] for unit in side["units"]] == good.tolist(), f"case {number}: truth")
        centre = np.array(side["maps"]["centre"]["relevance"]).reshape(4, 4)
        check(np.allclose(centre, centre[::-1]) and np.allclose(centre, centre.T) and (centre >= 0).all() and
              (centre[1:3, 1:3] == centre.max()).all(), f"the centre map: {centre}")
    check(sides[2]["text"]["maps"]["method"]["hit"] is not None, "a case of both sides")
    check(maps["uniform"]["hit"]["cases"] == 3 and maps["uniform"]["ar"]["value"] == 1, "a uniform map")
    png("small.png", np.zeros((5, 5), "u1"))
    refused("a mask of another size", 1, ["line 1", "5 x 5", "60 x 60"], "eval", "-m", model,
            write("sizes.jsonl", {"prompt": prompt, "images": ["one.png"], "truth": {"masks": ["small.png"]}}))
    refused("pictures without a tower", 2, ["line 1", "--mmproj"], "eval", "-m", small_model(), data)


# -- mistakes ----------------------------------------------------------------------------------------------------------


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
            ("a NUL in a prompt", "no JSON", '{"prompt": "a\\u0000b"}'),
            ("bytes that are no text", "no JSON", '{"prompt": "\udcff"}'),
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
            ("a rect without width", "\"rects\"",
             {**good, "images": ["picture.png"], "truth": {"rects": [[0, 0, 0, 0, 4]]}}),
            ("too few masks", "\"masks\"",
             {**good, "images": ["picture.png"] * 2, "truth": {"masks": ["picture.png"]}}),
            ("a mask that is not there", "none.png",
             {**good, "images": ["picture.png"], "truth": {"masks": ["none.png"]}}),
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
    for line in iter(process.stderr.readline, b""):
        if line.startswith(b"line 3: "):  # the third case is done
            break
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)
    check(process.returncode == 130 and b"atmanscope:" not in said, f"^C: status {process.returncode}, {said!r}")
    found = json.loads(out)
    check(found["complete"] is False and found["dataset"]["cases"] == len(found["cases"]) >= 3, "what there was")


result()
pictures()
wrong()
interrupted()
end()
