#!/usr/bin/python3
"""atmanscope guard: what holds and what does not, its lines and its JSON, --update, files that are wrong, ^C."""
import json
import os
import re
import signal
import stat
import subprocess
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

from cli import FOLDER, PROGRAM, PROMPT, check, end, environment, path, refused, run, skip, small_model

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "parity"))
import towers
from pictures import write_png

TARGET = " blue ball"
ANY = {"probability": {"min": 0}}  # holds


def write(name, *lines):
    with open(path(name), "w", encoding="utf-8", newline="") as file:
        file.writelines((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    return path(name)


def read(name):
    with open(path(name), encoding="utf-8", newline="") as file:
        return file.read()


def case(*hold, prompt=PROMPT, **more):
    return {"prompt": prompt, "target": TARGET, "hold": list(hold), **more}


def guard(*arguments, status=0, model=None, **options):
    code, out, said = run("guard", "-m", model or small_model(), *arguments, **options)
    check(code == status and said == b"", f"{arguments}: status {code}, {said!r}, {out!r}")
    return out.decode()


def measured(*arguments, **options):
    """Cases by their ids."""
    found = json.loads(guard(*arguments, "--format", "json", **options))
    check(found["schema"] == "atmanscope.guard/1", f"schema {found['schema']}")
    return {one["id"]: one for one in found["cases"]}


def relevances(prompt, *arguments, model=None):
    """Of every unit that counts, in order: its text and its relevance, summed over the target's tokens."""
    code, out, said = run("explain", "-m", model or small_model(), "-p", prompt, "--format", "json", *arguments)
    check(code == 0, f"explain: {said!r}")
    found = json.loads(out)
    return [(unit["text"], sum(row)) for unit, row in zip(found["units"], found["relevance"])
            if unit["kind"] not in ("special", "target") and unit["tokens"][0] > 0], found


def share(units, *words):
    named = sum(max(0, value) for text, value in units if text.strip() in words)
    return named / sum(max(0, value) for _, value in units)


def rank(units, word):
    best = max(value for text, value in units if text.strip() == word)
    return 1 + sum(value > best for _, value in units)


# -- what is measured --------------------------------------------------------------------------------------------------


def against_explain():
    """The numbers are those of explain, taken together by hand."""
    at = PROMPT.index("blue")
    whole = {"min": 0, "max": 1}
    checks = [{"text": "ball", "share": whole}, {"text": "red ball", "share": whole},
              {"text": "him", "rank": {"min": 1}},
              {"span": [at, at + 4], "share": whole}, {"text": "the", "rank": {"min": 1}}, ANY]
    found = measured(write("numbers.jsonl", case(*checks, id="words"), case(*checks[:1], id="tokens", units="token"),
                           {"id": "own", "prompt": PROMPT, "hold": [checks[0], ANY]}), "--generate", "3")
    units, explained = relevances(PROMPT, "--target", TARGET, "--units", "word")
    values = [one["value"] for one in found["words"]["checks"]]
    check(len(values) == 6 and all(one["outcome"] == "held" for one in found["words"]["checks"]), f"{found['words']}")
    check(abs(values[0] - share(units, "ball")) < 1e-6, f"share of ball: {values[0]}, not {share(units, 'ball')}")
    ball = [value for text, value in units if text.strip() == "ball"]
    red = share(units, "red") + max(0, ball[0]) / sum(max(0, value) for _, value in units)
    check(abs(values[1] - red) < 1e-6, f"share of red ball: {values[1]}, not {red}")
    check(values[2] == rank(units, "him"), f"rank of him: {values[2]}, not {rank(units, 'him')}")
    check(abs(values[3] - share(units, "blue")) < 1e-6, f"share of blue: {values[3]}, not {share(units, 'blue')}")
    check(values[4] == rank(units, "the"), f"rank of the: {values[4]}, not {rank(units, 'the')}")
    probability = np.exp(sum(token["logprob"] for token in explained["target"]["tokens"]))
    check(abs(values[5] - probability) < 1e-9, f"probability: {values[5]}, not {probability}")
    for one in found["words"]["checks"]:
        check(one["low"] <= one["value"] <= one["high"], f"a range: {one}")
    tokens, _ = relevances(PROMPT, "--target", TARGET, "--units", "token")
    check(abs(found["tokens"]["checks"][0]["value"] - share(tokens, "ball")) < 1e-6, "units of the case's own")
    own, explained = relevances(PROMPT, "--generate", "3", "--units", "word")
    check(abs(found["own"]["checks"][0]["value"] - share(own, "ball")) < 1e-6, "the model's own answer is explained")
    check(found["own"]["answer"] == explained["target"]["text"] and found["words"]["answer"] is None, "answers")


def conversations():
    template = ("{% for message in messages %}"
                "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}")
    model = small_model("chatty.gguf", template=template)
    words = {"text": "sun", "share": {"min": 0}}
    at = [PROMPT.index("red"), PROMPT.index("red") + 3]
    data = write("chat.jsonl", case(words, {"span": at, "share": {"min": 0}}, {"text": "red", "share": {"min": 0}},
                                    id="system",
                                    system="the sun"),
                 case(ANY, id="chat"), case(ANY, id="raw", chat=False), case(ANY, id="asked", chat=True))
    found = measured(data, model=model)
    units, _ = relevances(PROMPT, "--system", "the sun", "--target", TARGET, "--units", "word", model=model)
    values = [one["value"] for one in found["system"]["checks"]]
    check(abs(values[0] - share(units, "sun")) < 1e-6, f"share of the system's: {values[0]}")
    check(values[1] == values[2] and abs(values[1] - share(units, "red")) < 1e-6,
          f"a span is the prompt's own: {values}")
    chat, raw, asked = (found[name]["probability"] for name in ("chat", "raw", "asked"))
    check(chat == asked != raw, f"chat {chat}, raw {raw}, asked {asked}")
    check(measured(data, "--raw", model=model)["chat"]["probability"] == raw, "--raw")
    out = guard(write("plain.jsonl", case(ANY), case(ANY, chat=True, id="why")), status=1)
    check(out.startswith("ok line 1\nFAILED why: ") and "template" in out, f"no template: {out!r}")


def seen():
    """Units of a picture, by a place in it."""
    tower = towers.Tower(class_row=True, pre=True, out=64)
    model = small_model("seeing.gguf", width=64)
    towers.build(path("seeing-mmproj.gguf"), tower)
    write_png(path("noise.png"), np.random.default_rng(1).integers(0, 255, (60, 60, 3), "u1"))
    prompt, whole = "<image>the red ball was", {"share": {"min": 0, "max": 1}}
    data = write("seen.jsonl", case({"rect": [0, 0, 0, 60, 60], **whole}, {"rect": [0, 16, 1, 20, 3], **whole},
                                    {"text": "red", **whole}, prompt=prompt, images=["noise.png"], id="see"))
    found = measured(data, model=model)["see"]["checks"]
    _, explained = relevances(prompt, "--image", path("noise.png"), "--target", TARGET, "--units", "word", model=model)
    units = [(unit, sum(row)) for unit, row in zip(explained["units"], explained["relevance"])
             if unit["kind"] not in ("special", "target") and unit["tokens"][0] > 0]
    total = sum(max(0, value) for _, value in units)
    patches = [(unit["rect"], value) for unit, value in units if unit["kind"] == "patch"]
    touched = [value for (x, y, w, h), value in patches if x < 36 and 16 < x + w and y < 4 and 1 < y + h]
    check(0 < len(touched) < len(patches), f"{len(touched)} of {len(patches)}")
    for number, values in enumerate(([value for _, value in patches], touched)):
        wanted = sum(max(0, value) for value in values) / total
        check(abs(found[number]["value"] - wanted) < 1e-6, f"rect {number}: {found[number]['value']}, not {wanted}")
    refused("a place in a picture that is not there", 2, ["line 1", "\"rect\""], "guard", "-m", model,
            write("unseen.jsonl", case({"rect": [1, 0, 0, 1, 1], **whole}, images=["noise.png"])))
    out = guard(data, status=1)
    check(out.startswith("FAILED see: ") and "--mmproj" in out, f"no tower: {out!r}")


# -- what is said ------------------------------------------------------------------------------------------------------


def lines():
    greedy = json.loads(run("generate", "-m", small_model(), "-p", PROMPT, "-n", "4", "--format", "json")[1])["text"]
    data = write("lines.jsonl", case({"text": "ball", "share": {"min": 0}}, {"answer": f" {greedy}\n"}, id="good"), "",
                 case({"text": "blue", "share": {"min": 1}}, {"text": "red", "rank": {"max": 99}},
                      {"probability": {"min": 0.999}},
                      id=7), case({"answer": "never\nsaid"}, id="an\tid\x1b[2J"), case(ANY))
    out = guard(data, "--generate", "4", status=1)
    said = out.splitlines()
    check(len(said) == 5 and said[0] == "ok good" and said[3] == "ok line 5" and said[4] == "2 held, 2 failed",
          f"{out}")
    check(said[1].startswith('FAILED 7: share of "blue" is 0') and "below 1; probability is " in said[1] and
          said[1].endswith("below 0.999") and "red" not in said[1], f"{said[1]}")
    check(said[2].startswith("FAILED an id") and "\x1b" not in out and said[2].endswith('", not "never said"'),
          f"{said[2]!r}")
    check(guard(data, "--generate", "4", "-o", path("out.txt"), status=1) == "" and read("out.txt") == out, "-o FILE")
    with open(data, "rb") as file:
        check(guard("-", "--generate", "4", status=1, stdin=file.read()) == out, "from a pipe")
    found = json.loads(guard(data, "--generate", "4", "--format", "json", status=1))
    check((found["held"], found["failed"], found["complete"], found["updated"]) == (2, 2, True, False), "counts")
    check([one["line"] for one in found["cases"]] == [1, 3, 4, 5], "numbers of lines")
    outcomes = [one["outcome"] for one in found["cases"][1]["checks"]]
    check(outcomes == ["failed", "held", "failed"], f"{outcomes}")
    check(guard(write("held.jsonl", case(ANY))) == "ok line 1\n1 held, 0 failed\n", "all hold")
    tie = guard(write("tie.jsonl", case({"text": "ball", "rank": {"max": 1}}, {"text": "ball", "rank": {"min": 2}}), ),
                status=1)
    check(tie.startswith("FAILED"), f"a rank is below 2 or it is not: {tie}")
    code, out, said = run("guard", "-v", "-m", small_model(), path("held.jsonl"))
    check(code == 0 and out.startswith(b"ok") and b"probability is" in said, f"-v: {said!r}")


def undecided():
    """What the noise does not let decide has not been shown to hold."""
    low = path("numbers.jsonl")
    one = measured(low, "--generate", "3")["words"]["checks"][0]
    check(one["low"] < one["value"] < one["high"], f"a range: {one}")
    middle = {"text": "ball", "share": {"min": one["value"]}}
    data = write("close.jsonl", case(middle, id="close"))
    found = measured(data, status=1)["close"]
    check(found["checks"][0]["outcome"] == "undecided" and found["held"] is False, f"{found}")
    out = guard(data, status=1)
    said = re.search(r"is (\S+), and with noise (\S+) to (\S+), which does not tell it from (\S+)\n", out)
    check(said and float(said[2]) < float(said[3]) and out.endswith("0 held, 1 failed\n"), f"{out!r}")
    above = case({"text": "ball", "share": {"min": 1.0001 * one["value"]}})
    said = re.match(r"FAILED line 1: share of \"ball\" is (\S+), below (\S+)\n",
                    guard(write("above.jsonl", above), status=1))
    check(said and float(said[1]) < float(said[2]), f"digits that tell them apart: {said}")


# -- --update ----------------------------------------------------------------------------------------------------------


def updated():
    fine = '  {"prompt":"the red ball", "hold" : [ {"answer": "%s"} ], "id": "as it is"}  \r'
    greedy = json.loads(run("generate", "-m", small_model(), "-p", "the red ball", "-n", "4", "--format",
                            "json")[1])["text"]
    fine %= json.dumps(greedy)[1:-1]
    first = case({"text": "ball", "share": {"min": 1}}, {"text": "him", "rank": {"max": 1, "min": 1}},
                 {"probability": {"min": 0.5}}, {"answer": "n\u00e4"}, {"text": "red", "share": {"min": 0.0, "max": 1}},
                 id="\u00e4rger")
    data = write("update.jsonl", "", fine, json.dumps(first, ensure_ascii=False), " ", case(ANY))
    os.chmod(data, 0o640)
    os.symlink(data, path("link.jsonl"))
    before = read("update.jsonl")
    options = ["--generate", "4"]
    failed = guard(data, *options, status=1)
    check(read("update.jsonl") == before, "without --update nothing is written")
    out = guard(path("link.jsonl"), "--update", *options)
    check(out.endswith("2 held, 1 moved, 0 failed\n") and "moved \u00e4rger: share" in out and "min is now" in out,
          f"{out!r}")
    check(os.path.islink(path("link.jsonl")) and stat.S_IMODE(os.stat(data).st_mode) == 0o640,
          "a link stays, and the mode")
    after = read("update.jsonl").split("\n")
    check(len(after) == 6 and after[0] == "" and after[1] == fine and after[3] == " " and "\u00e4" in after[2],
          f"{after}")
    found, old = json.loads(after[2]), measured(data, *options)["\u00e4rger"]["checks"]
    check([*found] == [*first], f"the order of keys: {[*found]}")
    limits = found["hold"][0]["share"]
    check(abs(limits["min"] / (0.9 * old[0]["value"]) - 1) < 0.01
          and abs(limits["measured"] / old[0]["value"] - 1) < 1e-3,
          f"a tenth below: {limits}, {old[0]}")
    check(found["hold"][1]["rank"]["max"] >= old[1]["value"] == found["hold"][1]["rank"]["measured"], "a rank")
    check(found["hold"][4]["share"]["min"] == 0 and found["hold"][4]["share"]["max"] == 1, "what holds stays")
    check(found["hold"][3]["answer"].strip() != "n\u00e4", "the answer")
    check("measured" in json.loads(after[4])["hold"][0]["probability"], "what is measured stands beside what holds")
    check(guard(data, *options).endswith("3 held, 0 failed\n") and "FAILED" in failed, "now all of it holds")
    check(guard(data, "--update", *options).endswith("3 held, 0 moved, 0 failed\n") and
          read("update.jsonl").split("\n") == after, "once more changes nothing")
    check(len([name for name in os.listdir(FOLDER) if name.startswith("update.jsonl")]) == 1,
          "no temporary file is left")


def not_updated():
    open(path("broken.png"), "wb").close()
    whole = json.dumps(case({"text": "ball", "share": {"min": 1}}))
    for what, line in (("no chat template", case(ANY, chat=True)), ("no picture", case(ANY, images=["broken.png"])),
                       ("units that are none", case({"text": "red", "share": {"min": 0}}, units="("))):
        data = write("kept.jsonl", whole, line)
        code, out, said = run("guard", "-m", small_model(), data, "--update")
        check(code == 1 and b"kept.jsonl: is left as it was" in said and b"1 failed" in out,
              f"{what}: {code}, {said!r}, {out!r}")
        check(json.loads(read("kept.jsonl").split("\n")[0]) == json.loads(whole), f"{what}: the file was written")
    refused("--update of standard input", 2, "--update", "guard", "-m", small_model(), "-", "--update")
    before = write("wrong.jsonl", whole, "{")
    refused("--update of a file that is wrong", 2, "line 2", "guard", "-m", small_model(), before, "--update")


# -- mistakes ----------------------------------------------------------------------------------------------------------


def wrong():
    model, good = small_model(), case(ANY, id="one")
    refused("no file", 2, "FILE", "guard", "-m", model)
    refused("two files", 2, "not expected", "guard", "-m", model, "a", "b")
    refused("a file that is not there", 2, "cannot open", "guard", "-m", model, path("none.jsonl"))
    refused("an empty one", 2, "no case", "guard", "-m", model, write("empty.jsonl", "", " "))
    refused("a model that is not there", 1, "none.gguf", "guard", "-m", path("none.gguf"), write("good.jsonl", good))
    ball = {"text": "ball"}
    for what, words, line in (
            ("no JSON", "no JSON", "{"), ("a list", "no object", "[1]"),
            ("a key twice", "no JSON", '{"id": "a", "id": "b"}'),
            ("an unknown key", ["\"promt\"", "prompt"], case(ANY, promt="a")),
            ("an empty key", "no key", case(ANY, **{"": 1})),
            ("two keys in one", "no key", case(ANY, **{"id prompt": 1})), ("a part of a key", "no key", case(ANY, i=1)),
            ("no prompt", "\"prompt\"", {"hold": [ANY]}),
            ("an empty target", "\"target\"", {**good, "id": 2, "target": ""}),
            ("an id twice", "line 1", good), ("nothing to hold", "\"hold\"", {"prompt": "a"}),
            ("an empty list to hold", "\"hold\"", case()), ("a check that is none", "number 2", case(ANY, 5)),
            ("an empty check", "says not one", case({})), ("two kinds", "says not one", case({**ANY, "answer": "a"})),
            ("a kind that is none", "says not one", case({**ball, "shar": {"min": 0}})),
            ("units of a probability", "\"text\"", case({**ball, **ANY})),
            ("no units", "one \"text\"", case({"share": {"min": 0}})),
            ("two ways to name them", "one \"text\"", case({**ball, "span": [0, 3], "share": {"min": 0}})),
            ("words that are nowhere", ["\"bal\"", "whole words"], case({"text": "bal", "share": {"min": 0}})),
            ("words that are none", "\"text\"", case({"text": " ", "share": {"min": 0}})),
            ("a span beyond the end", "\"span\"", case({"span": [0, len(PROMPT) + 1], "share": {"min": 0}})),
            ("a span turned round", "\"span\"", case({"span": [5, 5], "share": {"min": 0}})),
            ("a rect without a picture", "\"rect\"", case({"rect": [0, 0, 0, 1, 1], "share": {"min": 0}})),
            ("a limit that is a number", "\"share\"", case({**ball, "share": 0.5})),
            ("no limit", "neither", case({**ball, "share": {}})),
            ("measured alone", "neither", case({**ball, "share": {"measured": 1}})),
            ("an unknown limit", "\"least\"", case({**ball, "share": {"least": 1}})),
            ("a share above 1", "0 to 1", case({**ball, "share": {"min": 1.5}})),
            ("a share below 0", "0 to 1", case({**ball, "share": {"max": -1}})),
            ("a share that is text", "0 to 1", case({**ball, "share": {"max": "1"}})),
            ("a rank of 0", "from 1", case({**ball, "rank": {"max": 0}})),
            ("half a rank", "from 1", case({**ball, "rank": {"max": 1.5}})),
            ("limits that exclude each other", "above", case({**ball, "share": {"min": 0.5, "max": 0.4}})),
            ("an answer that is none", "\"answer\"", case({"answer": None})),
            ("chat that is neither", "\"chat\"", case(ANY, chat="yes")),
            ("a system without a chat", "\"system\"", case(ANY, system="a", chat=False)),
            ("a role in the prompt", "role", case(ANY, system="a", prompt="user:\nhello")),
            ("a picture that is not there", "none.png", case(ANY, images=["none.png"])),
    ):
        text = line if isinstance(line, str) else json.dumps(line)
        refused(what, 2, [*([words] if isinstance(words, str) else words), "line 3"], "guard", "-m", model,
                write("wrong.jsonl", good, "", text))
    refused("an option of eval's", 2, "--per-case", "guard", "-m", model, path("good.jsonl"), "--per-case")
    refused("a prompt", 2, "-p", "guard", "-m", model, path("good.jsonl"), "-p", PROMPT)
    refused("--update of another command", 2, "--update", "eval", "-m", model, path("good.jsonl"), "--update")


def interrupted():
    """^C: the status says so, what was run so far is there, and a file to be updated stays as it was."""
    data = write("many.jsonl", *[case({"text": "ball", "share": {"min": 0}}) for _ in range(3000)])
    before = read("many.jsonl")
    process = subprocess.Popen([PROGRAM, "guard", "-m", small_model(), data, "--update"], env=environment(),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in iter(process.stdout.readline, b""):
        if line == b"ok line 3\n":
            break
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)
    check(process.returncode == 130 and said == b"", f"^C: status {process.returncode}, {said!r}")
    check(b" held, 0 moved, 0 failed, " in out and out.endswith(b" not run\n"), f"^C: {out[-100:]!r}")
    check(read("many.jsonl") == before, "^C: the file was written")


def shipped_model():
    """The example of the README, on the model that ships."""
    if not os.path.exists("assets/demo.gguf"):
        skip("the shipped model is not there: assets/demo.gguf")
        return
    readme = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")
    with open(readme, encoding="utf-8") as file:
        text = file.read().split("## A guard for prompts", 1)[1].split("```\n")[1]
    example = write("readme.jsonl", " ".join(text.split("\n")))
    code, out, said = run("guard", example)
    check(code == 0 and out == b"ok hat\n1 held, 0 failed\n", f"the README's example: {code}, {out!r}, {said!r}")
    code, out, said = run("guard", example, "--chat-template", "chatml", "--system", "a")
    check(code == 2, "--system is the line's")


against_explain()
conversations()
seen()
lines()
undecided()
updated()
not_updated()
wrong()
interrupted()
shipped_model()
end()
