#!/usr/bin/python3
"""What explain and generate write: the schema of atmanscope.explanation/1 to the letter, and the other formats."""
import html.parser
import json
import math
import re

from cli import PROMPT, check, end, environment, refused, run, small_model
import models

MODEL = small_model()
GIVEN = ["-m", MODEL, "-p", PROMPT, "--precision", "f32"]
NUMBER = (int, float)


def explain(*arguments, prompt=PROMPT):
    code, out, said = run("explain", "-m", MODEL, "-p", prompt, "--precision", "f32", "--format", "json", *arguments)
    check(code == 0 and said == b"", f"explain {arguments}: status {code}, {said!r}")
    check(out.endswith(b"}\n") and out.count(b"\n") == 1, "one object on one line")
    return json.loads(out)


def precision():
    """Few units are measured in f32, whatever is asked for, and that is what is said."""
    e = explain("--precision", "int8")
    check(len(e["units"]) <= 32 and e["device"]["precision"] == "f32", f"{e['device']} of {len(e['units'])} units")
    e = explain("--precision", "int8", prompt=12 * PROMPT)
    check(len(e["units"]) > 32 and e["device"]["precision"] == "int8", f"{e['device']} of {len(e['units'])} units")


def keys(what, value, *names):
    check(list(value) == list(names), f"{what} has {list(value)}, not {list(names)}")


def schema(e):
    keys("the explanation", e, "schema", "model", "device", "method", "prompt", "target", "units", "relevance",
         "noise_floor",
         "complete", "cost", *["direct"] * (e["method"]["paths"] == "all"))
    check(e["schema"] == "atmanscope.explanation/1", e["schema"])
    keys("model", e["model"], "file", "architecture", "quantisation")
    check(e["model"]["file"] == MODEL and e["model"]["architecture"] == "llama", e["model"])
    keys("device", e["device"], "kind", "precision", "threads")
    check(e["device"]["kind"] == "cpu" and e["device"]["threads"] >= 1, e["device"])
    keys("method", e["method"], "suppression", "factor", "similarity", "similarity_text", "window",
         "layers", "paths")
    keys("prompt", e["prompt"], "text", "tokens", "images")
    check(e["prompt"]["images"] == [], "pictures that nobody gave")
    keys("target", e["target"], "text", "tokens")
    text, at = e["prompt"]["text"].encode(), 0
    for i, token in enumerate(e["prompt"]["tokens"]):
        keys("a prompt token", token, "index", "id", "text", "start", "end", "kind")
        check(token["index"] == i and isinstance(token["id"], int) and isinstance(token["text"], str), token)
        check(token["kind"] in ("text", "special"), token)
        check(at <= token["start"] <= token["end"] <= len(text), f"offsets: {token}")
        check(token["kind"] == "text" or token["start"] == token["end"], f"a special token spans text: {token}")
        at = token["end"]
    check(at == len(text), f"the tokens end at {at} of {len(text)}")
    for t, token in enumerate(e["target"]["tokens"]):
        keys("a target token", token, "index", "id", "text", "logprob", "candidates")
        check(token["index"] == t and token["logprob"] <= 0, token)
        probabilities = [c["logprob"] for c in token["candidates"]]
        check(len(probabilities) == 8 and probabilities == sorted(probabilities, reverse=True), probabilities)
        check(sum(map(math.exp, probabilities)) <= 1 + 1e-6, "candidates are likelier than certain")
        for c in token["candidates"]:
            keys("a candidate", c, "id", "text", "logprob")
            check(c["id"] != token["id"] or c["logprob"] == token["logprob"], f"{c} is {token}")
    matrix(e)
    keys("cost", e["cost"], "probes", "rows", "seconds", "tokens_per_second", "vision_seconds",
         "peak_bytes")
    check(all(isinstance(x, NUMBER) and x >= 0 for x in e["cost"].values()), e["cost"])
    check(e["noise_floor"] is not None and 0 <= e["noise_floor"] < 1e-2, e["noise_floor"])
    check(e["complete"] is True, e["complete"])


def matrix(e):
    prompt, targets = len(e["prompt"]["tokens"]), len(e["target"]["tokens"])
    check(len(e["relevance"]) == len(e["units"]), "a row for each unit")
    for u, (unit, row) in enumerate(zip(e["units"], e["relevance"])):
        keys("a unit", unit, "index", "kind", "tokens", "text")
        first, last = unit["tokens"]
        check(unit["index"] == u and 0 <= first <= last < prompt + targets, unit)
        check(len(row) == targets and all(isinstance(x, NUMBER) for x in row), f"row {row}")
        for t, value in enumerate(row):
            if first >= prompt + t:
                check(value == 0, f"unit {u} comes after target {t} and has {value}")


def direct_apart(e):
    """How far what direct paths do, beside the relevance, is from an explanation by them alone."""
    alone = explain("--generate", "4", "--units", "token", "--paths", "direct")
    check("direct" not in alone and alone["method"]["paths"] == "direct", "direct paths beside themselves")
    check([len(row) for row in e["direct"]] == [len(row) for row in e["relevance"]], "the shape of direct")
    known = [(x, y) for a, b in zip(e["direct"], alone["relevance"]) for x, y in zip(a, b) if x is not None]
    check(len(known) >= len(e["units"]), f"{len(known)} values of direct paths")
    return max(abs(x - y) for x, y in known)


def json_explanation():
    e = explain("--generate", "4", "--units", "token")
    schema(e)
    check(e["method"] == {"suppression": "row-min-causal", "factor": 0.1, "similarity": None, "similarity_text": None,
                          "window": 5,
                            "layers": [0, 2],
                          "paths": "all"},
          e["method"])
    check(any(abs(x) > 1e-3 for row in e["relevance"] for x in row), "nothing is relevant")
    check(e["prompt"]["tokens"][0]["kind"] == "special" and e["units"][0]["kind"] == "special", "BOS is special")
    words = explain("--units", "word")
    schema(words)
    inner = [u["text"].strip() for u in words["units"] if u["kind"] == "word"]
    check(inner == PROMPT.split(), f"words: {inner}")
    forced = explain("--target", " blue ball", "--suppress", "product", "--factor", "0.3", "--similarity", "0.7",
                     "--layers",
                     "1-2")
    schema(forced)
    check(forced["target"]["text"] == " blue ball", forced["target"]["text"])
    check(forced["method"] == {"suppression": "product", "factor": 0.3, "similarity": 0.7, "similarity_text": 0.7,
                                 "window": 5, "layers": [1, 2],
                               "paths": "all"},
          forced["method"])
    still = explain("--factor", "1")
    check(all(x == 0 for row in still["relevance"] for x in row), "a factor of 1 changes something")
    again = explain("--generate", "4", "--units", "token")
    apart = direct_apart(e)
    check(apart < 1e-4, f"direct paths beside the relevance are {apart} nats from those alone")
    check(again["relevance"] == e["relevance"] and again["target"] == e["target"], "a second run says something else")
    odd = explain(prompt="a \u001b[31m <b>&amp;\u00e9\U0001f600\u4e2d \n\t\"quoted\"\\")
    schema(odd)
    given = run("explain", "-m", MODEL, "--prompt-file", "-", "--format", "json", stdin=PROMPT.encode() + b"\n")[1]
    check(json.loads(given)["prompt"]["text"] == PROMPT, "the line end of a prompt's file is no part of it")


def foil():
    plain = explain("--target", " ball")
    versus = explain("--target", " ball", "--foil", " blue")
    check("foil" not in plain, "a foil that was not asked for")
    check(list(versus["foil"]) == ["token", "id", "text", "logprob"], versus["foil"])
    check(versus["foil"]["token"] == len(versus["target"]["tokens"]) - 1, "the target ends where the foil differs")
    check(versus["relevance"] != plain["relevance"], "the foil changes nothing")
    later = ["--target", " red ball", "--foil", " red blue", "--units", "token"]
    e = explain(*later)
    check(e["foil"]["token"] > 0, "the foil differs from the first token on")
    best = max(abs(row[-1]) for row, u in zip(e["relevance"], e["units"]) if u["tokens"][0] > 0)
    shown = run("explain", *GIVEN, *later)[1].decode()
    check(f"{best:.3f} nats" in shown and "against the foil" in shown, f"{best} is not the scale of {shown}")


def answers():
    """--proof and --pairs add their objects, and lines for people."""
    e = explain("--generate", "3", "--units", "word", "--proof", "--pairs", "--about", "1")
    keys("the explanation", {k: 0 for k in list(e)[-2:]}, "proof", "pairs")
    keys("a proof", e["proof"], "token", "id", "text", "complete", "logprob", "units", "orders", "points", "area",
         "flip")
    keys("a flip", e["proof"]["flip"], "found", "units", "id", "text", "logprob", "asked_logprob")
    keys("pairs", e["pairs"], "token", "id", "text", "complete", "noise_floor", "bonds")
    for point in e["proof"]["points"]:
        keys("a point", point, "deleted", "ranked", "random")
        check(point["ranked"] < 0 and point["random"] < 0, point)
    for bond in e["pairs"]["bonds"]:
        keys("a bond", bond, "units", "alone", "both", "interaction", "bond")
        check(bond["bond"] in ("independent", "backing", "standing-in", "opposed"), bond)
        check(abs(bond["interaction"] - bond["both"] + sum(bond["alone"])) < 1e-12, bond)
    check(e["proof"]["token"] == e["pairs"]["token"] == 1, "another token")
    check(e["proof"]["id"] == e["target"]["tokens"][1]["id"], "another token of the answer")
    for form in ("ansi", "html"):
        code, out, _ = run("explain", *GIVEN, "--units", "word", "--proof", "--pairs", "--format", form)
        check(code == 0, f"{form}: status {code}")
        for words in (b"strongest first", b"nats", b"together, less what each does alone"):
            check(words in out, f"{form}: {words} is missing")
    refused("nothing is asked about", 2, "--about", "explain", *GIVEN, "--about", "1")
    code, out, said = run("explain", *GIVEN, "--pairs", "--about", "7", "--format", "json")
    check(code != 0 and b"--about 7" in said and "pairs" not in json.loads(out),
          f"an answer too short: {code}, {said!r}")
    code, out, said = run("explain", *GIVEN, "--units", "paragraph", "--pairs", "--format", "json")
    check(code != 0 and b"two units" in said, f"one unit: {code}, {said!r}")
    check("two units" in json.loads(out)["pairs"]["error"], "the answer does not say why it is none")


def reference():
    for units, kind in (("token", int), ("word", list)):
        arguments = ["--generate", "3", "--units", units]
        e = explain(*arguments)
        ours = json.loads(run("explain", *GIVEN, "--format", "reference", *arguments)[1])
        check([x["target_token_id"] for x in ours] == [x["id"] for x in e["target"]["tokens"]], "target ids")
        for t, entry in enumerate(ours):
            keys("a reference entry", entry, "target_token_id", "target_token_index", "explanation")
            check(entry["target_token_index"] == t, entry["target_token_index"])
            before = [u for u in e["units"] if u["tokens"][0] < len(e["prompt"]["tokens"]) + t]
            check(len(entry["explanation"]) == len(before), "units before the target token")
            for u, item in zip(before, entry["explanation"]):
                keys("an item", item, "token_index", "value")
                check(isinstance(item["token_index"], kind), item)
                check(item["value"] == -e["relevance"][u["index"]][t], f"{item} is not the opposite")


class Page(html.parser.HTMLParser):
    """What a browser would see of a page."""
    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.inside = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "br", "input"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        check(self.inside and self.inside[-1] == tag, f"</{tag}> closes {self.inside[-1:]}")
        self.inside = self.inside[:-1]

    def handle_data(self, data):
        if "p" in self.inside and "script" not in self.inside:
            self.text += data


def page():
    nasty = "ball </script><script>alert(1)</script> <!-- <img src=x onerror=alert(2)> &lt; \"'"
    for prompt in (PROMPT, nasty):
        code, out, said = run("explain", "-m", MODEL, "-p", prompt, "--generate", "3", "--format", "html")
        check(code == 0 and said == b"", f"html: status {code}: {said!r}")
        text = out.decode()
        seen = Page(text)
        check(seen.inside == [], f"not closed: {seen.inside}")
        check(prompt in seen.text, "the prompt is not on the page")
        check([t for t, _ in seen.tags].count("script") == 2, "two scripts: the data and ours")
        check(not [t for t, _ in seen.tags if t in ("img", "link", "iframe")], "the page asks for something else")
        check(not any(name.startswith("on") for _, a in seen.tags for name in a), "an event attribute")
        check(not re.search(r"(src|href)=|url\(|@import", re.sub(r"<script type=\"application/json\".*?</script>", "",
                                                                 text,
              flags=re.S)) or prompt == nasty, "the page is not self-contained")
        data = json.loads(re.search(r"<script type=\"application/json\" id=\"data\">(.*?)</script>", text, re.S)[1])
        check(data["prompt"]["text"] == prompt and data["schema"] == "atmanscope.explanation/1", "the embedded data")
        buttons = [a["data-token"] for t, a in seen.tags if t == "button"]
        check(buttons == [str(i) for i in range(len(data["target"]["tokens"]))] + ["-1"], f"buttons {buttons}")
        units = [int(a["data-unit"]) for t, a in seen.tags if "data-unit" in a]
        check(sorted(set(units)) == units == list(range(len(data["units"]))), f"units on the page: {units}")
        check("times" in seen.text and "nats" in seen.text, "the legend")


def picture():
    """PNG and SVG, or where the program has been built without Pango a sentence that says so."""
    for name, starts, holds in (("png", b"\x89PNG\r\n", b"IEND"), ("svg", b"<?xml", b"</svg>")):
        code, out, said = run("explain", *GIVEN, "--format", name)
        if code == 1:
            check(out == b"" and (b"built without Pango" in said or b"no font" in said), f"{name}: {said!r}")
        else:
            check(code == 0 and out.startswith(starts) and holds in out[-40:], f"{name}: status {code}, {out[:40]!r}")


def ansi():
    def words(**env):
        return run("explain", *GIVEN, "--format", "ansi", "--factor", "0", env=environment(**env))[1].decode()
    check("\033[0;38;5;" in words(), "256 colours")
    check("48;2;" in words(COLORTERM="truecolor"), "24-bit colours")
    check(re.search("\033\\[[0-9;]*4[0-7]m", words(TERM="xterm")), "16 colours")
    for quiet in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        check("\033" not in words(**quiet), f"colours in spite of {quiet}")
    check("\033[0;38;5;" in words(TERM=None), "colours that were asked for by name")
    plain = run("explain", *GIVEN)[1].decode()
    check("\033" not in plain and PROMPT in plain and "nats" in plain, "no colours into a pipe")
    escapes = run("explain", "-m", MODEL, "-p", "ball \033[31m\a red", "--format", "ansi",
                  env=environment(NO_COLOR="1"))[1]
    check(b"\033" not in escapes and b"\a" not in escapes, "the prompt's control characters reach the terminal")
    for form in ("ansi", "html", "json"):
        turned = run("explain", "-m", MODEL, "-p", "ball \u202e \u2067red", "--format", form)[1].decode()
        turned = turned.split("<script")[0]
        found = "\u202e" in turned or "\u2067" in turned or "\\u202e" in turned.lower()
        check(found == (form == "json"), f"marks that turn the writing: {form}")
    check(b"token by token" in run("explain", *GIVEN, "--generate", "3")[1], "several tokens")


def scales():
    """Each scale has its own colours, on a terminal and in a page; grey says by underlines what contradicts."""
    seen = set()
    for name in ("blue-orange", "blue-red", "purple-green", "grey"):
        text = run("explain", *GIVEN, "--format", "ansi", "--factor", "0", "--scale", name)[1].decode()
        legend = re.search("contradicts.*supports", text)[0]
        seen.add(tuple(re.findall("48;5;([0-9]+)", legend)))
        check((" -" in legend.split(" 0 ")[0][20:]) == (name == "grey"), f"{name}: {legend!r}")
        page = run("explain", *GIVEN, "--format", "html", "--scale", name)[1].decode()
        check(f'<body class="{name}">' in page, f"the page of {name}")
        seen.add(tuple(re.findall("--(?:support|contradict): ([0-9, ]+);", page)))
    check(len(seen) == 8 and all(len(colours) in (4, 10) for colours in seen), f"colours of the scales: {seen}")
    refused("an unknown scale", 2, ["--scale", "grey"], "explain", *GIVEN, "--scale", "rainbow")


def generation():
    code, out, _ = run("generate", *GIVEN, "-n", "12", "--format", "json")
    g = json.loads(out)
    keys("the generation", g, "schema", "model", "device", "prompt", "steer", "text", "tokens", "stopped", "complete",
         "cost")
    check(code == 0 and 1 <= len(g["tokens"]) <= 12 and g["complete"] is True, f"{code}: {len(g['tokens'])} tokens")
    check([c["id"] for c in g["tokens"][0]["candidates"]][0] == g["tokens"][0]["id"], "greedy takes the best candidate")
    stream = run("generate", *GIVEN, "-n", "12")[1].decode()
    check(stream == g["text"] + "\n", f"streamed {stream!r}, in JSON {g['text']!r}")
    e = explain("--generate", "12")
    check([t["id"] for t in e["target"]["tokens"]] == [t["id"] for t in g["tokens"]], "explain says something else")
    steered = json.loads(run("generate", *GIVEN, "-n", "12", "--steer", "ball=0", "--steer", "0=2", "--format",
                             "json")[1])
    check([s["unit"] for s in steered["steer"]] == ["ball", "0"], steered["steer"])
    check(steered["tokens"][0]["logprob"] != g["tokens"][0]["logprob"], "steering changes nothing")
    left = json.loads(run("generate", *GIVEN, "-n", "12", "--steer", "ball=1", "--format", "json")[1])
    check([t["id"] for t in left["tokens"]] == [t["id"] for t in g["tokens"]], "a factor of 1 changes the text")


def info_and_bench():
    code, out, _ = run("info", MODEL, "--format", "json")
    i = json.loads(out)
    check(code == 0 and i["usable"] is True and i["reason"] is None, i)
    check((i["layers"], i["width"], i["heads"], i["kv_heads"], i["context"]) == (3, 96, 6, 2, 512), i)
    check(i["vocabulary"] == len(models.vocabulary(True)["tokenizer.ggml.tokens"]), i["vocabulary"])
    check(sum(t["bytes"] for t in i["types"]) <= i["bytes"], "weights larger than the file")
    code, out, _ = run("info", MODEL)
    check(code == 0 and b"usable         yes" in out and b"llama" in out, out)
    check(run("info", "-m", MODEL)[1] == out, "info FILE and info -m FILE differ")
    code, out, said = run("bench", "-m", MODEL, "--length", "40", "--target-length", "2", "--repeat", "2", "--format",
                          "json")
    check(code == 0, f"bench: {said!r}")
    b = json.loads(out)
    check(abs(b["prompt_tokens"] - 40) <= 2 and 1 <= b["target_tokens"] <= 2 and b["repeat"] == 2, b)
    check(b["plain"]["seconds"] > 0 and b["map"]["plain_passes"] > 0 and b["map"]["first_seconds"] > 0, b)
    check(b["map"]["peak_bytes"] >= b["plain"]["peak_bytes"] > 0, "memory")
    again = b["again"]
    cancel = again.pop("cancel_seconds")  # null where the map was done before it could be cancelled
    check(all(figure > 0 for figure in again.values()) and len(again) == 7 and (cancel is None or cancel > 0), again)
    check(b["open_seconds"] > 0 and b["map"]["preview_seconds"] >= b["map"]["first_seconds"], b)
    code, out, _ = run("bench", "-m", MODEL, "--length", "40")
    check(code == 0 and b"plain passes" in out and b"first colours" in out and b"another answer's map" in out, out)


json_explanation()
precision()
foil()
answers()
reference()
page()
picture()
ansi()
scales()
generation()
info_and_bench()
end()
