#!/usr/bin/python3
"""Help, version, the man page, and options that are wrong: status 2 and one line."""
import os
import re
import shutil
import subprocess

from cli import PROMPT, check, end, environment, path, refused, run, skip, small_model

COMMANDS = ["explain", "generate", "info", "tokenize", "bench", "eval", "guard", "replay"]


def helps():
    for command in [""] + COMMANDS:
        arguments = [command] if command else []
        code, out, said = run(*arguments, "-h")
        text = out.decode()
        check(code == 0 and said == b"", f"{command} -h: status {code}, {said!r}")
        check("Examples" in text and "Usage" in text, f"{command} -h has no examples")
        check(max(map(len, text.splitlines())) <= 100, f"{command} -h is wider than 100 columns")
        check(run(*arguments, "--help")[1] == out, f"{command} --help differs from -h")
        listed = [line for line in text.splitlines() if re.match(r"  (-.|  ).*--", line)]
        check(len(listed) >= 5, f"{command} -h lists {len(listed)} options")
    code, out, _ = run("--version")
    check(code == 0 and re.fullmatch(rb"atmanscope \d+\.\d+\.\d+\n", out), f"--version: {out!r}")


def made_from_the_table():
    code, page, _ = run("--man")
    check(code == 0 and page.startswith(b".TH ATMANSCOPE 1"), "--man is no man page")
    scripts = {shell: run("--completion=" + shell)[1] for shell in ("bash", "zsh", "fish")}
    check(run("--completion")[1] == scripts["bash"], "--completion is bash's")
    refused("an unknown shell", 2, "bash, zsh or fish", "--completion=ksh")
    for command in COMMANDS:
        for name in re.findall(rb"--([a-z0-9-]+)", run(command, "-h")[1].split(b"Examples")[0]):
            check(name.replace(b"-", b"\\-") in page, f"--{name.decode()} is not in the man page")
            for shell, script in scripts.items():
                option = b" -l " + name + b" " if shell == "fish" else b"--" + name
                check(option in script, f"--{name.decode()} is not completed by {shell}")
    check(b".SH KEYS" in page and b".SH EXIT STATUS" in page, "the man page lacks sections")
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8"], input=page, capture_output=True, check=False)
        check(done.stderr == b"", f"groff says {done.stderr[:300]!r}")
    else:
        skip("groff is not installed")
    for shell, script in scripts.items():
        if not shutil.which(shell):
            skip(f"{shell} is not installed")
            continue
        with open(path(shell), "wb") as file:
            file.write(script)
        check_only = "--no-execute" if shell == "fish" else "-n"
        done = subprocess.run([shell, check_only, path(shell)], capture_output=True, env=environment(), check=False)
        check(done.returncode == 0 and done.stderr == b"", f"{shell} says {done.stderr!r}")
    for typed, expected in ((["atmanscope", "explain", "--form"], ["--format"]), (["atmanscope", "gu"], ["guard"]),
                            (["atmanscope", "explain", "--precision", ""], ["auto", "f32", "bf16", "int8"]),
                            (["atmanscope", "bench", "--format", ""], ["text", "json"]),
                            (["atmanscope", "--gra"], ["--graphics"]), (["atmanscope", "explain", "--gra"], []),
                            (["atmanscope", "explain", "--units", "w"], ["word"])):
        words = " ".join(f"'{word}'" for word in typed)
        line = (f"source {path('bash')}; COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; _atmanscope; "
                "echo ${COMPREPLY[@]}")
        done = subprocess.run(["bash", "--norc", "-c", line], capture_output=True, check=False)
        check(done.stdout.decode().split() == expected, f"bash completes {typed} to {done.stdout!r}")
        if shutil.which("fish"):
            done = subprocess.run(["fish", "-c", f"source {path('fish')}; complete -C '{' '.join(typed)}'"],
                                  capture_output=True, env=environment(), check=False)
            seen = [line.split("\t")[0] for line in done.stdout.decode().splitlines()]
            check(sorted(seen) == sorted(expected), f"fish completes {typed} to {seen}")


def wrong():
    model = small_model()
    given = ["-m", model, "-p", PROMPT]
    refused("an unknown option", 2, ["--nope", "explain -h"], "explain", "--nope")
    refused("an unknown letter", 2, "-x", "explain", "-x")
    refused("an unknown command", 2, "frobnicate", "frobnicate")
    refused("a command behind its options", 2, "atmanscope explain", "-p", "a", "explain")
    for kind in ("words", "Sentence", "TOKENS", "sentense", "para"):
        refused(f"units {kind!r}", 2, "[" + kind[0] + "]" + kind[1:], "explain", *given, "--units", kind)
    refused("no prompt", 2, ["--prompt-file", "-: standard input"], "explain", "-m", model)
    refused("another command's option", 2, "--foil", "generate", *given, "--foil", "a")
    refused("a missing value", 2, "--prompt", "explain", "-m", model, "--prompt")
    refused("a value for a flag", 2, "--quiet", "explain", *given, "--quiet=yes")
    refused("a stray argument", 2, "the red ball", "explain", "-m", model, "the red ball")
    refused("no prompt", 2, "prompt", "explain", "-m", model)
    refused("no prompt to tokenise", 2, "prompt", "tokenize", "-m", model)
    refused("two prompts", 2, "twice", "explain", *given, "--prompt-file", "-")
    refused("no file to look into", 2, "FILE", "info")
    refused("raw and templated", 2, "--raw", "explain", *given, "--raw", "--chat")
    for value in ("-0.1", "4.5", "nan", "inf", "much", "", "0.1x", "1e999"):
        refused(f"factor {value!r}", 2, "--factor", "explain", *given, "--factor", value)
    for value in ("1.5", "-2", "on", ""):
        refused(f"similarity {value!r}", 2, "--similarity", "explain", *given, "--similarity", value)
    for value in ("3-1", "a-b", "-1", "1-", "0.5", ""):
        refused(f"layers {value!r}", 2, "--layers", "explain", *given, "--layers", value)
    for value in ("0", "-1", "2.5", "many", "99999999999", ""):
        refused(f"generate {value!r}", 2, "--generate", "explain", *given, "--generate", value)
    refused("threads 0", 2, "--threads", "explain", *given, "--threads", "0")
    refused("a budget below 0", 2, "--budget", "explain", *given, "--budget=-1")
    refused("an unknown way to suppress", 2, "row-min-causal", "explain", *given, "--suppress", "softly")
    refused("an unknown format", 2, ["ansi", "reference"], "explain", *given, "--format", "xml")
    refused("an unknown precision", 2, "bf16", "explain", *given, "--precision", "f64")
    refused("weights kept in no way we know", 2, "mapped", "explain", *given, "--weights", "folded")
    for value in ("0", "300", "M", "1e3M", "-2G", "3 G", "2X", "99999999T", ""):
        refused(f"--memory {value}", 2, "300M", "explain", *given, f"--memory={value}")
    refused("int8 without copies", 2, "--weights mapped", "explain", *given, "--weights", "mapped", "--precision",
            "int8")
    refused("an unknown device", 2, "cuda", "explain", *given, "--device", "abacus")
    refused("a device number that is none", 2, "cuda:N", "explain", *given, "--device", "cuda:x")
    refused("a seed below 0", 2, "--seed", "explain", *given, "--seed=-1")
    refused("steering without a factor", 2, "UNIT=FACTOR", "generate", *given, "--steer", "ball")
    refused("steering by too much", 2, "0 to 4", "generate", *given, "--steer", "ball=5")
    refused("no bench of nothing", 2, "--length", "bench", "-m", model, "--length", "0")
    for value in ("0", "4", "on", ""):
        refused(f"window {value!r}", 2, "--window", "explain", *given, "--window", value)
    refused("units of pictures that are none", 2, "4x4", "explain", *given, "--patches", "3x3")
    refused("too many pictures", 1, "64", "explain", *given, *["--image", "a.png"] * 65)


def spelled_in_every_way():
    model = small_model()
    wanted = run("generate", "-m", model, "-p", PROMPT, "-n", "3")
    check(wanted[0] == 0 and wanted[1] != b"", f"generate: {wanted}")
    for arguments in (["--model", model, "--prompt", PROMPT, "--tokens", "3"], [f"-m{model}", f"-p{PROMPT}", "-n3"],
                      [f"--model={model}", f"--prompt={PROMPT}", "--tokens=3"], ["-qm", model, "-p", PROMPT, "-qn3"]):
        check(run("generate", *arguments)[1] == wanted[1], f"{arguments[0]} and so on: another result")


def shipped_model():
    """Without -m: the model beside the program."""
    if not os.path.exists("assets/demo.gguf"):
        skip("the shipped model is not there: assets/demo.gguf")
        return
    code, out, said = run("generate", "-p", "Anna has a red ball. Tom has a blue hat. What does Tom have?", "-n", "8")
    check(code == 0 and b"blue hat" in out, f"the shipped model: status {code}: {out!r}, {said!r}")
    check(run("info", "assets/demo.gguf")[0] == 0, "info of the shipped model")


helps()
made_from_the_table()
wrong()
spelled_in_every_way()
shipped_model()
end()
