#!/usr/bin/python3
"""Prompts with pictures: where they stand, their units and the schema's part on them, all formats, and what is
refused."""
import base64
import html.parser
import json
import os
import re
import shutil
import zlib

import numpy as np

from cli import FOLDER, check, end, path, refused, run, small_model
import pictures
import towers

SIDE, GRID = 42, 6
MODEL, TOWER = pictures.build(FOLDER, "llava")
RGB = pictures.picture(SIDE, SIDE)
SQUARE = pictures.write_png(path("square.png"), RGB)
WIDE = pictures.write_png(path("<b>wide & tall.png"), pictures.picture(96, 32, seed=2))


def explain(prompt, *arguments):
    code, out, said = run("explain", "-m", MODEL, "-p", prompt, "--format", "json", *arguments)
    check(code == 0 and said == b"", f"explain {prompt!r} {arguments}: status {code}, {said!r}")
    return json.loads(out)


def places(e):
    """The tokens' kinds in one letter each, runs taken together: 's3 t2 i36'."""
    kinds = "".join(token["kind"][0] for token in e["prompt"]["tokens"])
    return " ".join(f"{run[0][0]}{len(run[0])}" for run in re.finditer(r"(.)\1*", kinds))


def schema():
    e = explain("the <image> red ball", "--image", SQUARE)
    check(re.fullmatch(r"s1 t\d i36 t\d", places(e)), f"tokens: {places(e)}")
    image = e["prompt"]["images"]
    first = image[0]["first"]
    check(image == [{"file": SQUARE, "width": SIDE, "height": SIDE, "columns": GRID, "rows": GRID, "first": first}],
          image)
    for i, token in enumerate(e["prompt"]["tokens"][first:first + 36]):
        check(list(token) == ["index", "id", "text", "start", "end", "kind", "image", "rect"], list(token))
        check(token["id"] == -1 and token["start"] == token["end"] == 4 and token["image"] == 0, token)
        check(token["rect"] == [7 * (i % GRID), 7 * (i // GRID), 7, 7], token["rect"])
    patches = [unit for unit in e["units"] if unit["kind"] == "patch"]
    check(len(patches) == 36 and patches[0]["index"] == first, f"{len(patches)} patches")
    check(patches[8] == {"index": first + 8, "kind": "patch", "tokens": [first + 8] * 2,
                         "text": "picture 1, row 2, column 3",
                         "image": 0, "columns": 1, "rows": 1, "rect": [14, 7, 7, 7]}, patches[8])
    method = {key: e["method"][key] for key in ("similarity", "similarity_text", "window")}
    check(method == {"similarity": 0.7, "similarity_text": None, "window": 5}, method)
    check(e["complete"] and any(abs(e["relevance"][u["index"]][0]) > 1e-3 for u in patches), "no patch is relevant")
    check(e["cost"]["vision_seconds"] > 0, "encoding takes time")
    method = explain("a ball", "--image", SQUARE, "--similarity", "off", "--window", "off")["method"]
    check(method["similarity"] is method["similarity_text"] is method["window"] is None, method)


def order():
    e = explain("a <image> b <image>c", "--image", SQUARE, "--image", WIDE, "--image", SQUARE)
    check([token["image"] for token in e["prompt"]["tokens"]
           if token["kind"] == "image"] == [0] * 36 + [1] * 36 + [2] * 36,
          "pictures stand in their order")
    check(re.fullmatch(r"s1 i36 t\d i36 t\d i36 t\d", places(e)), places(e))
    starts = [e["prompt"]["tokens"][image["first"]]["start"] for image in e["prompt"]["images"]]
    check(starts == [0, 2, 12], f"pictures without a mark come first: {starts}")
    wide = [token["rect"] for token in e["prompt"]["tokens"] if token["kind"] == "image" and token["image"] == 1]
    shown = [rect for rect in wide if rect[2] > 0 and rect[3] > 0]
    check(len(shown) == 12 and abs(sum(w * h for _, _, w, h in shown) - 96 * 32) < 1e-2,
          f"rectangles of a wide picture: {shown}")
    both = explain("<image><image>", "--image", SQUARE, "--image", SQUARE)
    check(places(both) == "s1 i72", places(both))
    text = explain("<image>", *[])
    check(places(text).startswith("s1 t") and text["prompt"]["images"] == [], "without pictures the mark is text")
    spoken = explain("a b", "--image", SQUARE)["prompt"]["tokens"]
    plain = explain("a b")["prompt"]["tokens"]
    strip = lambda tokens: [(t["id"], t["start"], t["end"]) for t in tokens if t["kind"] != "image"]
    check(strip(spoken) == strip(plain), "text behind a picture is tokenised as at the beginning")


def units():
    for kind, count, text, rect in (("patch", 36, "picture 1, row 1, column 2", [7, 0, 7, 7]),
                                    ("2x2", 9, "picture 1, rows 1-2, columns 3-4", [14, 0, 14, 14]),
                                    ("4x4", 4, "picture 1, rows 1-4, columns 5-6", [28, 0, 14, 28]),
                                    ("auto", 36, "picture 1, row 1, column 2", [7, 0, 7, 7])):
        patches = [u for u in explain("red", "--image", SQUARE, "--patches", kind)["units"] if u["kind"] == "patch"]
        check(len(patches) == count and patches[1]["text"] == text and patches[1]["rect"] == rect,
              f"{kind}: {patches[1]}")
        check(sum(u["rect"][2] * u["rect"][3] for u in patches) == SIDE * SIDE,
              f"{kind}: the units do not cover the picture")
    whole = [u for u in explain("red", "--image", SQUARE, "--patches", "whole")["units"] if u["kind"] == "patch"]
    check(len(whole) == 1 and whole[0]["text"] == "picture 1" and whole[0]["tokens"] == [1, 36], whole)
    code, out, _ = run("explain", "-m", MODEL, "-p", "red", "--image", SQUARE, "--patches", "2x2", "--format",
                       "reference")
    lists = [entry["token_index"] for entry in json.loads(out)[0]["explanation"]]
    check(code == 0 and [1, 2, 7, 8] in lists and len(lists) == 11, f"reference: {lists}")


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.images, self.patches, self.data, self.raw = [], [], None, False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.raw = attrs.get("id") == "data"
        check(tag != "b" or "id" in attrs, "a file's name became markup")
        if tag == "img":
            self.images.append(attrs["src"])
        if attrs.get("class", "").split(" ")[0] == "patch":
            self.patches.append((int(attrs["data-unit"]), attrs["style"]))

    def handle_data(self, data):
        if self.raw and data.strip():
            self.data, self.raw = json.loads(data), False


def pixels(png):
    """Of a PNG whose rows use any filter: [height, width, 3]."""
    at, data, size = 8, b"", None
    while at < len(png):
        length, kind = int.from_bytes(png[at:at + 4], "big"), png[at + 4:at + 8]
        body = png[at + 8:at + 8 + length]
        size = (int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")) if kind == b"IHDR" else size
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    rows, out = np.frombuffer(zlib.decompress(data), "u1").reshape(size[1], 1 + 3 * size[0]), []
    before = np.zeros(3 * size[0], int)
    for row in rows:
        line = row[1:].astype(int)
        for i in range(len(line)):
            left, corner = (line[i - 3], before[i - 3]) if i >= 3 else (0, 0)
            guess = left + before[i] - corner
            paeth = min((abs(guess - x), n, x) for n, x in enumerate((left, before[i], corner)))[2]
            line[i] = (line[i] + [0, left, before[i], (left + before[i]) // 2, paeth][row[0]]) & 255
        before = line
        out.append(line)
    return np.array(out, "u1").reshape(size[1], size[0], 3)


def shown():
    given = ["explain", "-m", MODEL, "-p", "the <image> ball", "--image", SQUARE, "--image", WIDE]
    code, out, said = run(*given, "--format", "html")
    page = Page(out.decode())
    check(code == 0 and said == b"" and len(page.images) == 2,
          f"html: status {code}, {said!r}, {len(page.images)} pictures")
    source = page.images[0].split(",")
    check(source[0] == "data:image/png;base64", source[0])
    check((pixels(base64.b64decode(source[1])) == RGB).all(), "the page shows another picture")
    check(len(page.patches) == 36 + 12, f"{len(page.patches)} patches lie over the pictures")
    for unit, style in page.patches:
        check(page.data["units"][unit]["kind"] == "patch" and "left:" in style, f"unit {unit}: {style}")
    check(b"img-src data:" in out, "the page's policy lets no picture in")
    code, out, said = run(*given)
    lines = out.decode().splitlines()
    at = lines.index(f"picture 1: square.png, {SIDE} x {SIDE} pixels, 6 x 6 patches")
    check(all(re.fullmatch(r"([+-][1-9]| \.){6}", line) for line in lines[at + 1:at + 7]), lines[at:at + 8])
    strongest = max(re.findall(r"[1-9]", "".join(lines[at + 1:at + 7])))
    check(f"({'+9'} in a picture)" in out.decode() and strongest >= "1", "the legend tells what the digits mean")
    at = lines.index("picture 2: <b>wide & tall.png, 96 x 32 pixels, 6 x 6 patches")
    check(len([line for line in lines[at + 1:at + 7] if re.fullmatch(r"([+-][1-9]| \.)+", line)]) == 2,
          "padding is not drawn")
    code, out, said = run(*given, "--format", "ansi", "-v")
    check(code == 0 and b"\033[" in out and b"pictures " in said and TOWER.encode() in said, f"{said!r}")
    empty = run("explain", "-m", MODEL, "-p", "<image>", "--image", SQUARE)
    check(empty[0] == 0, f"a picture without a word: {empty[2]!r}")


def generated():
    given = ["generate", "-m", MODEL, "-p", "the <image> ball", "--image", SQUARE, "-n", "4", "--format", "json"]
    plain = json.loads(run(*given)[1])
    check(len(plain["prompt"]["images"]) == 1 and len(plain["tokens"]) >= 1, "generate sees the picture")
    said = []
    for steer in ("picture", "5", "30"):
        steers = ["--steer", f"{steer}=0"] if steer != "picture" else ["--patches", "whole", "--steer", "4=0"]
        e = json.loads(run(*given, *steers)[1])
        said.append([token["logprob"] for token in e["tokens"]] != [token["logprob"] for token in plain["tokens"]])
    check(all(said), f"steering a patch changes nothing: {said}")
    refused("steering beyond the patches", 2, "units 0 to", *given, "--steer", "4000=0")
    code, out, said = run("bench", "-m", MODEL, "--image", SQUARE, "--length", "10", "--format", "json")
    check(code == 0 and json.loads(out)["prompt_tokens"] == 46, f"bench: {said!r}")


def tokens():
    code, out, said = run("tokenize", "-m", MODEL, "-p", "the <image> ball", "--image", SQUARE)
    rows = [line.split(b"\t") for line in out.splitlines()]
    e = explain("the <image> ball", "--image", SQUARE)["prompt"]["tokens"]
    check(code == 0 and [[int(x) for x in row[:4]] for row in rows] == [[t["index"], t["id"], t["start"], t["end"]]
                                                                        for t in e],
          f"tokenize: {said!r}")
    refused("lines and pictures", 2, "--jsonl", "tokenize", "-m", MODEL, "--jsonl", "-", "--image", SQUARE)


def towers_found():
    other = shutil.copy(MODEL, path("other.gguf"))
    given = ["explain", "-m", other, "-p", "a ball", "--format", "json", "--image", SQUARE]
    refused("no tower beside it", 2, ["other.gguf", "--mmproj"], *given)
    named = run(*given, "--mmproj", TOWER)
    check(named[0] == 0, f"--mmproj: {named[2]!r}")
    one = path("sub/mmproj-any.gguf")
    os.mkdir(path("sub"))
    shutil.copy(MODEL, path("sub/deep.gguf"))
    shutil.copy(TOWER, one)
    given[2] = path("sub/deep.gguf")
    check(run(*given)[0] == 0, "mmproj*.gguf beside the model is found")
    shutil.copy(TOWER, path("sub/mmproj-two.gguf"))
    refused("two towers", 2, ["2 vision towers", "mmproj-two.gguf"], *given)
    shutil.copy(TOWER, path("sub/deep-mmproj-q8.gguf"))
    check(run(*given)[0] == 0, "the model's own tower goes before")
    check(run("explain", "-m", given[2], "-p", "a ball")[0] == 0, "without pictures nobody asks for towers")


def wrong():
    given = ["explain", "-m", MODEL, "-p", "the <image> ball"]
    refused("no such picture", 1, "nowhere.png", *given, "--image", path("nowhere.png"))
    refused("no picture", 1, ["llava.gguf", "PNG"], *given, "--image", MODEL)
    with open(path("cut.png"), "wb") as file:
        file.write(open(SQUARE, "rb").read()[:-40])
    refused("half a picture", 1, "cut.png", *given, "--image", path("cut.png"))
    refused("too few pictures", 2, ["2 places", "<image>"], *given[:-1], "<image> and <image>", "--image", SQUARE)
    refused("a model for a tower", 1, "vision tower", *given, "--image", SQUARE, "--mmproj", MODEL)
    refused("a tower for a model", 1, "--mmproj", "explain", "-m", TOWER, "-p", "a")
    towers.build(path("narrow.gguf"), towers.Tower(class_row=True, pre=True, out=40))
    refused("a tower of another width", 2, ["96", "40"], *given, "--image", SQUARE, "--mmproj", path("narrow.gguf"))
    many = ["--image", SQUARE] * 20
    refused("more patches than the context holds", 1, ["720 of them", "512"], *given, *many)
    refused("a picture for a model without a tower", 2, "--mmproj", "explain", "-m", small_model(), "-p", "a",
            "--image", SQUARE)
    refused("no prompt at all", 2, "empty", "explain", "-m", MODEL, "-p", "", "--image", SQUARE)


schema()
order()
units()
shown()
generated()
tokens()
towers_found()
wrong()
end()
