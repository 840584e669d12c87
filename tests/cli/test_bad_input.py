#!/usr/bin/python3
"""Bad input: one clear sentence and the right status, never a crash.  Each case is named after what is wrong."""
import os
from unittest import mock

import numpy as np

from cli import FOLDER, PROMPT, check, end, environment, path, refused, run, skip, small_model
from gguf_write import TYPES, write_gguf
import models

MODEL = small_model()
COMMANDS = (["explain", "-p", PROMPT], ["generate", "-p", PROMPT], ["tokenize", "-p", PROMPT], ["info"], ["bench"])


BPE = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.merges": ["l e"], "tokenizer.ggml.scores": None}


def write(name, content):
    with open(path(name), "wb") as file:
        file.write(content)
    return path(name)


def everywhere(what, status, words, model, commands=COMMANDS):
    for command in commands:
        refused(f"{command[0]}: {what}", status, words, *command, "-m", model)


def no_such_model():
    everywhere("no such model", 1, ["nowhere.gguf", "no such"], path("nowhere.gguf"))
    everywhere("no model of that name", 1, "nonesuch", "nonesuch")
    everywhere("a folder", 1, "folder", FOLDER)
    everywhere("an empty name", 1, "\"\"", "")
    everywhere("a device", 1, "/dev/null", "/dev/null")
    if os.geteuid() == 0:
        skip("root may read everything: a model without read permission")
    else:
        os.chmod(write("locked.gguf", b"GGUF"), 0)
        everywhere("not readable", 1, "ermission", path("locked.gguf"))


def found_by_name():
    folder = path("data/atmanscope/models")
    os.makedirs(folder)
    for name in ("SmolLM2-135M-Instruct.Q4_1.gguf", "smollm-old.gguf", "mmproj-smollm2.gguf", "smollm2-mmproj-f16.gguf",
                 "Tiny-00001-of-00002.gguf"):
        os.symlink(MODEL, os.path.join(folder, name))
    for name in ("smollm2", "SMOLLM2", "135m", "SmolLM2-135M-Instruct.Q4_1", "smollm2-135m-instruct.q4_1.gguf",
                 "smollm-o"):
        code, out, said = run("tokenize", "-m", name, "-p", "ball")
        check(code == 0 and out, f"-m {name}: {said!r}")
    refused("two models fit", 2, ["smollm", "2 models"], "tokenize", "-m", "smollm", "-p", "ball")
    refused("a projector is no model", 1, "mmproj", "tokenize", "-m", "mmproj", "-p", "ball")
    refused("no home", 1, "smollm2", "tokenize", "-m", "smollm2", "-p", "ball",
            env=environment(HOME=None, XDG_DATA_HOME=None))


def broken_files():
    whole = open(MODEL, "rb").read()
    for size in (0, 3, 4, 23, 24, 100, 5000, len(whole) // 2, len(whole) - 1):
        everywhere(f"cut to {size} bytes", 1, "cut.gguf", write("cut.gguf", whole[:size]))
    everywhere("another format", 1, "text.gguf", write("text.gguf", b"This is a text, not a model.\n" * 40))
    everywhere("version 1", 1, "version", write("v1.gguf", whole[:4] + b"\1\0\0\0" + whole[8:]))
    everywhere("2^63 tensors", 1, "many.gguf", write("many.gguf", whole[:8] + b"\xff" * 7 + b"\x7f" + whole[16:]))
    everywhere("2^64 - 1 entries", 1, "keys.gguf", write("keys.gguf", whole[:16] + b"\xff" * 8 + whole[24:]))
    everywhere("an escape sequence in the name", 1, "mo?[31mdel", path("mo\033[31mdel.gguf"))


def build(name, types=None, **metadata):
    """A small model whose metadata, and the types of whose tensors, are changed; None takes an entry away."""
    def write(where, whole, tensors):
        whole = {key: value for key, value in {**whole, **metadata}.items() if value is not None}
        write_gguf(where, whole, {key: (types or {}).get(key, value) for key, value in tensors.items()})

    with mock.patch.object(models, "write_gguf", write):
        models.build(path(name), models.Shape(layers=1, width=256))
    return path(name)


def unusable(what, words, model, commands=COMMANDS):
    """Readable, but not to be used: info tells what is in it all the same."""
    everywhere(what, 1, words, model, [command for command in commands if command[0] != "info"])
    code, out, said = run("info", model)
    check(code == 1 and b"usable         no" in out, f"info: {what}: status {code}: {out!r}")
    check(all(word in said.decode() for word in words) and said.count(b"\n") == 1, f"info: {what}: {said!r}")


def unsupported():
    computing = [command for command in COMMANDS if command[0] != "tokenize"]
    unusable("architecture", ["mamba", "llama"], build("mamba.gguf", **{"general.architecture": "mamba"}), computing)
    unusable("an escape sequence in the architecture", ["x?[2Jy"],
             build("escape.gguf", **{"general.architecture": "x\033[2Jy"}), computing)
    with mock.patch.dict(TYPES, IQ2_XXS=(16, 256, 66)):
        rows = len(models.vocabulary(True)["tokenizer.ggml.tokens"])
        packed = ("IQ2_XXS", np.zeros((rows, 66), np.uint8))
        unusable("quantisation", ["IQ2_XXS"], build("iq2.gguf", {"token_embd.weight": packed}), computing)
    unusable("tokeniser", ["rwkv"], build("rwkv.gguf", **{"tokenizer.ggml.model": "rwkv"}))
    unusable("pre-tokeniser", ["babel"], build("babel.gguf", **BPE, **{"tokenizer.ggml.pre": "babel"}))
    check(run("tokenize", "-m", path("babel.gguf"), "-p", "ab", "--pre", "gpt-2")[0] == 0, "--pre in place of babel")


def prompts():
    for command in ("explain", "generate"):
        refused(f"{command}: an empty prompt", 2, "empty", command, "-m", MODEL, "-p", "")
        refused(f"{command}: an empty prompt file", 2, "empty", command, "-m", MODEL, "--prompt-file", write("empty",
                                                                                                             b""))
        refused(f"{command}: nothing on standard input", 2, "empty", command, "-m", MODEL, "--prompt-file", "-")
        refused(f"{command}: NUL in the prompt", 1, ["NUL", "byte 3"], command, "-m", MODEL, "--prompt-file", "-",
                stdin=b"red\0ball")
        refused(f"{command}: invalid UTF-8 in the prompt", 1, ["UTF-8", "byte 4"], command, "-m", MODEL,
                "--prompt-file",
                "-", stdin=b"ball\xff")
        refused(f"{command}: invalid UTF-8 in -p", 1, ["UTF-8", "byte 0"], command, "-m", MODEL, "-p", b"\xc3(")
        refused(f"{command}: surrogates", 1, "UTF-8", command, "-m", MODEL, "-p", b"a \xed\xa0\x80")
        refused(f"{command}: no such prompt file", 1, "nowhere", command, "-m", MODEL, "--prompt-file", path("nowhere"))
        refused(f"{command}: a folder as prompt file", 1, "irectory", command, "-m", MODEL, "--prompt-file", FOLDER)
        refused(f"{command}: longer than the context", 1, ["512", "context"], command, "-m", MODEL, "-p",
                "the ball " * 400)
        refused(f"{command}: far longer, told without encoding it", 1, ["at least", "512", "shorten"], command,
                "-m", MODEL, "--prompt-file", write("library", b"the ball " * 400000))
    refused("bench: longer than the context", 1, "512", "bench", "-m", MODEL, "--length", "513")
    refused("bench: an empty prompt", 2, "empty", "bench", "-m", MODEL, "-p", "")
    refused("tokenize: invalid UTF-8", 1, "UTF-8", "tokenize", "-m", MODEL, "-p", b"\xff")


def targets():
    given = ["explain", "-m", MODEL, "-p", PROMPT]
    refused("an empty target", 2, "--target", *given, "--target", "")
    refused("an empty foil", 2, "--foil", *given, "--foil", "")
    refused("invalid UTF-8 in the target", 1, ["--target", "UTF-8"], *given, "--target", b"\xff")
    refused("invalid UTF-8 in the foil", 1, ["--foil", "UTF-8"], *given, "--foil", b" ball\xe2\x82")
    refused("a target longer than the context", 1, ["512", "context"], *given, "--target", "the ball " * 400)
    refused("a foil that is the target", 2, "foil", *given, "--target", " ball", "--foil", " ball")


def settings():
    given = ["-m", MODEL, "-p", PROMPT]
    for command in ("explain", "generate"):
        refused(f"{command}: a regex that does not compile", 2, "(", command, *given, "--units", "a(b",
                *(["--steer", "0=0.5"] if command == "generate" else []))
    refused("layers outside the model", 2, "layer", "explain", *given, "--layers", "1-3")
    refused("layers far outside the model", 2, "layer", "explain", *given, "--layers", "7-90")
    refused("steering a unit that is not there", 2, "walrus", "generate", *given, "--steer", "walrus=0.5")
    refused("steering an index that is not there", 2, "99", "generate", *given, "--steer", "99=0.5")
    refused("layers outside the model while steering", 2, "layer", "generate", *given, "--steer", "0=0.5", "--layers",
            "0-9")
    refused("an unknown pre-tokeniser", 1, "babel", "tokenize", "-m", build("bpe.gguf", **BPE), "-p", "ab", "--pre",
            "babel")
    refused("no CUDA here", 1, "cuda", "explain", *given, "--device", "cuda:987")


def without_tower():
    given = ["explain", "-m", MODEL, "-p", PROMPT]
    refused("a tower that is not there", 1, ["clip.gguf", "No such file"], *given, "--mmproj", "clip.gguf")
    refused("a picture for a model without a tower", 2, [MODEL, "--mmproj"], *given, "--image", "cat.png")


def no_terminal():
    for what, env in (("no terminal", {}), ("TERM unset", {"TERM": None}), ("TERM unknown", {"TERM": "martian"}),
                      ("TERM dumb", {"TERM": "dumb"})):
        for arguments in ([], ["tui"]):
            refused(f"{what}: {' '.join(arguments) or 'atmanscope'}", 1, "terminal", *arguments, "-m", MODEL,
                    env=environment(**env))
        code, out, said = run("explain", "-m", MODEL, "-p", PROMPT, env=environment(**env))
        check(code == 0 and b"\033" not in out, f"{what}: explain into a pipe: status {code}, {said!r}")


no_such_model()
found_by_name()
broken_files()
unsupported()
prompts()
targets()
settings()
without_tower()
no_terminal()
end()
