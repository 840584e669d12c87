"""Drive the real program as a shell would, and count what is found.

Tests run in the top build folder, where the program is.  The model is a random small one, made anew for every script.
"""
import atexit
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "parity"))
import models  # noqa: E402
from program import check, end, skip  # noqa: E402,F401

PROGRAM = os.path.abspath("atmanscope")
FOLDER = tempfile.mkdtemp(prefix="atmanscope-cli-")
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
PROMPT = "the red ball was for him and the blue ball was for her"


def path(name):
    return os.path.join(FOLDER, name)


def small_model(name="small.gguf", **changes):
    """A random model of the llama family; changes: fields of models.Shape."""
    if not os.path.exists(path(name)):
        models.build(path(name), models.Shape(**changes))
    return path(name)


def environment(**changes):
    """The caller's, without what would colour the answer; None takes a variable away."""
    plain = {**os.environ, "TERM": "xterm-256color", "XDG_DATA_HOME": path("data"), "HOME": FOLDER}
    for name in ("NO_COLOR", "COLORTERM", "COLORFGBG"):
        plain.pop(name, None)
    plain.update(changes)
    return {name: value for name, value in plain.items() if value is not None}


def run(*arguments, stdin=b"", env=None, timeout=300, **options):
    """One run: status, stdout and stderr as bytes."""
    options.setdefault("stdout", subprocess.PIPE)
    source = {"stdin": stdin} if not isinstance(stdin, bytes) else {"input": stdin}
    done = subprocess.run([PROGRAM, *arguments], stderr=subprocess.PIPE, env=env or environment(), timeout=timeout,
                          check=False, **source, **options)
    return done.returncode, done.stdout or b"", done.stderr


def refused(what, status, words, *arguments, **options):
    """The run must end with that status, nothing on stdout, and one line on stderr that holds all the words."""
    code, out, said = run(*arguments, **options)
    text = said.decode(errors="replace")
    check(code == status, f"{what}: status {code}, not {status}: {text!r}")
    check(text.startswith("atmanscope: ") and text.count("\n") == 1 and text.endswith("\n") and len(text) < 400,
          f"{what}: not one line: {text!r}")
    for word in [words] if isinstance(words, str) else words:
        check(word in text, f"{what}: {word!r} is not in {text!r}")
    check(out == b"", f"{what}: stdout: {out[:200]!r}")
