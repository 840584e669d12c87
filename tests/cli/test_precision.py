#!/usr/bin/python3
"""--precision: maps in bf16 and int8 beside those in f32, and what is said of the choice."""
import json
import os
import re
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cli import check, end, refused, run, skip

MODEL = os.path.join(os.environ.get("srcdir", "."), "assets", "demo.gguf")
PROMPT = 8 * "Anna has a red ball. Ben has a blue ball. Anna gave it to Ben. "
ASK = ["explain", "-m", MODEL, "-p", PROMPT, "--raw", "--units", "token", "--threads", "2", "--format", "json"]


def explain(*options):
    """The map, or what was said in its place."""
    code, out, said = run(*ASK, *options)
    return (json.loads(out) if code == 0 else None), said.decode()


def rank(values):
    return np.argsort(np.argsort(values, kind="stable"), kind="stable")


def beside(exact, precision, least_rank, most):
    """most: of the greatest relevance, what one may be off by."""
    found, said = explain("--precision", precision)
    if not found and "does not offer" in said:
        skip(said.strip())
        refused(f"no {precision} here", 1, ("cpu", precision, "--precision f32"), *ASK, "--precision", precision)
        return
    check(found and found["device"]["precision"] == precision, f"{precision}: {said}")
    wanted, got = (np.array(e["relevance"])[:, 0] for e in (exact, found))
    alike = np.corrcoef(rank(wanted), rank(got))[0, 1]
    off, size = np.abs(wanted - got).max(), np.abs(wanted).max()
    check(alike >= least_rank, f"{precision}: rank correlation {alike:.4f}")
    check(off <= most * size, f"{precision}: off by {off:.2g} nats of {size:.2g}")
    check(not np.array_equal(wanted, got), f"{precision}: to the bit what f32 says, so it is f32")
    again, _ = explain("--precision", precision, "--threads", "1")
    check(again and again["relevance"] == found["relevance"], f"{precision}: numbers depend on the threads")
    refused(f"{precision} without copies", 2, ("--weights mapped", precision), *ASK, "--weights", "mapped",
            "--precision",
            precision)


def chosen():
    """What -v says of the times is what the choice was made by."""
    found, said = explain("-v")
    times = {name: (float(ms), float(rate)) for name, ms, rate in
             re.findall(r"^(\w+): ([\d.]+) ms a product, ([\d.]+) times the rate of f32$", said, re.M)}
    check(found and {"f32", "int8"} <= set(times) <= {"f32", "bf16", "int8"}, f"the table: {said}")
    check(times.get("f32", (0, 0))[1] == 1, f"f32 is not 1.00 times itself: {times}")
    taken = found["device"]["precision"]
    check(taken in times and (taken == "f32" or times[taken][1] >= 1.99), f"{taken} by {times}")


f32, why = explain("--precision", "f32")
check(f32 and len(f32["units"]) > 64, f"f32: {why}")
beside(f32, "bf16", 0.998, 0.01)
beside(f32, "int8", 0.97, 0.1)
chosen()
end()
