"""Drive the real program from the parity tests, and count what they find.

Tests run in the top build folder, where the program is; automake's harness sets srcdir.  The models folder is where
`./start get` puts what it fetches.
"""
import json
import os
import subprocess
import sys

DATA = os.environ.get("XDG_DATA_HOME", "")
if not os.path.isabs(DATA):
    DATA = os.path.join(os.path.expanduser("~"), ".local", "share")
MODELS = os.path.join(DATA, "atmanscope", "models")

passed = failed = skipped = 0


def check(condition, text):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"{os.path.basename(sys.argv[0])}: failed: {text}")


def skip(reason):
    global skipped
    skipped += 1
    print("skipped: " + reason)


def end():
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 77 if not passed and skipped else 0)


def model(name):
    """The path of a fetched model, or None."""
    path = os.path.join(MODELS, name + ".gguf")
    return path if os.path.isfile(path) else None


def run(command, *arguments, timeout=3600):
    """One run of the program, prompts as they are; its JSON, or an exception that shows what it said."""
    raw = ["--raw"] if command in ("explain", "generate") else []
    line = ["./atmanscope", command, *raw, *arguments, "--format", "json", "-q"]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(line)}: status {done.returncode}: "
                           f"{done.stderr.decode(errors='replace').strip()}")
    return json.loads(done.stdout)


def explain(path, prompt, target=None, generate=None, units="token", variant="row-min-causal", factor=0.1,
            similarity=None, layers=None, foil=None, paths=None, weights=None):
    arguments = ["-m", path, "-p", prompt, "--units", units, "--suppress", variant, "--factor", repr(factor),
                 "--similarity", "off" if similarity is None else repr(similarity), "--precision", "f32"]
    for option, value in (("--target", target), ("--generate", generate), ("--foil", foil), ("--paths", paths),
                          ("--weights", weights)):
        arguments += [option, str(value)] if value is not None else []
    if layers:
        arguments += ["--layers", f"{layers[0]}-{layers[1]}"]
    return run("explain", *arguments)


def unit_spans(explanation):
    """Each unit as (first, last, first_share, last_share).  A token's share in a unit is that of its bytes, the white
    space at its ends not counted (a token of nothing else counts whole); a piece of a character counts as the first
    byte."""
    text, at, spans = explanation["prompt"]["text"].encode(), 0, []
    tokens = explanation["prompt"]["tokens"]

    def share(index, start, end):
        low, high = tokens[index]["start"], tokens[index]["end"]
        body = text[low:high]
        if body.strip():
            low, high = high - len(body.lstrip()), low + len(body.rstrip())
        elif low == high:
            low = min(low, len(text) - 1)
            high = low + 1
        return (min(end, high) - max(start, low)) / (high - low)

    for unit in explanation["units"]:
        first, last = unit["tokens"]
        if first >= len(tokens) or unit["kind"] in ("special", "token", "patch"):
            spans.append((first, last, 1.0, 1.0))
            continue
        body = unit["text"].encode()
        start = text.index(body, at)
        at = start + len(body)
        spans.append((first, last, share(first, start, at), share(last, start, at)))
    return spans
