#!/usr/bin/python3
"""tokenize: one token a line for a prompt, one line of JSON for a line of JSON."""
import json

from cli import check, end, path, refused, run, small_model

MODEL = small_model()
TEXTS = ["the red ball", "", " ", "\u00e9\U0001f600\u4e2d", "one\0two", "a\nb\tc\r\n", "<s> is text </s>",
         "\"quoted\\", "\u2028",
         "the " * 5000]


def lines(texts):
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


def jsonl(*arguments, stdin):
    code, out, said = run("tokenize", "-m", MODEL, "--jsonl", *arguments, stdin=stdin)
    check(code == 0 and said == b"", f"status {code}: {said!r}")
    return [json.loads(line) for line in out.decode().splitlines()]


def by_line():
    answers = jsonl("-", stdin=lines(TEXTS))
    check(len(answers) == len(TEXTS), f"{len(answers)} answers")
    for text, answer in zip(TEXTS, answers):
        check(list(answer) == ["ids", "offsets"] and len(answer["ids"]) == len(answer["offsets"]),
              f"{text[:20]!r}: {answer}")
        check(answer["ids"][:1] == [1] and answer["offsets"][:1] == [[0, 0]], f"{text[:20]!r}: no BOS")
        check(1 not in answer["ids"][1:] and 2 not in answer["ids"], f"{text[:20]!r}: typed specials are text")
        at = 0
        for start, stop in answer["offsets"]:
            check(at <= start <= stop <= len(text.encode()), f"{text[:20]!r}: offsets {start}, {stop} after {at}")
            at = stop
        check(at == len(text.encode()), f"{text[:20]!r}: the tokens end at {at}")
    with open(path("texts.jsonl"), "wb") as file:
        file.write(lines(TEXTS)[:-1] + b"\n\n  \n")
    check(jsonl(path("texts.jsonl"), stdin=b"") == answers, "a file, and empty lines in it")
    check(len(jsonl("-", stdin=lines(["the red ball"] * 30000))) == 30000, "many lines")
    run("tokenize", "-m", MODEL, "--jsonl", path("texts.jsonl"), "-o", path("out.jsonl"))
    with open(path("out.jsonl"), encoding="utf-8") as file:
        check([json.loads(line) for line in file] == answers, "-o")


def by_prompt():
    for text in TEXTS[:-1]:
        if "\0" in text:
            continue
        code, out, said = run("tokenize", "-m", MODEL, "-p", text)
        rows = [line.split("\t") for line in out.decode().split("\n")[:-1]]
        wanted = jsonl("-", stdin=lines([text]))[0]
        check(code == 0 and [int(row[1]) for row in rows] == wanted["ids"], f"{text!r}: {rows}, {said!r}")
        check([[int(row[2]), int(row[3])] for row in rows] == wanted["offsets"], f"{text!r}: offsets")
        check([int(row[0]) for row in rows] == list(range(len(rows))), f"{text!r}: indices")
        check(all(isinstance(json.loads(row[4]), str) for row in rows), f"{text!r}: texts")


def wrong():
    given = ["tokenize", "-m", MODEL, "--jsonl"]
    refused("no JSON", 1, "line 2", *given, "-", stdin=lines(["a"]) + b"{text}\n")
    refused("no text", 1, ["line 1", "text"], *given, "-", stdin=b'{"texts": "a"}\n')
    refused("text that is a number", 1, "line 1", *given, "-", stdin=b'{"text": 1}\n')
    refused("a list", 1, "line 1", *given, "-", stdin=b'["text"]\n')
    refused("two objects on a line", 1, "line 1", *given, "-", stdin=b'{"text": "a"} {"text": "b"}\n')
    refused("invalid UTF-8", 1, "line 1", *given, "-", stdin=b'{"text": "\xff"}\n')
    refused("half a surrogate", 1, "line 1", *given, "-", stdin=b'{"text": "\\ud800"}\n')
    refused("no such file", 1, "nowhere", *given, path("nowhere"))


by_line()
by_prompt()
wrong()
end()
