#!/usr/bin/python3
"""--memory: the limit is kept, by bytes that the system counted; numbers do not depend on it; what cannot be kept is
refused; a session keeps to it too, and what it leaves is for going on from."""
import json
import os
import re
import resource
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cli import PROGRAM, check, end, refused, run, skip, small_model

WORDS = "the red ball was for him and the blue ball was for her ".split()
PROMPT = " ".join(WORDS[i * 7 % len(WORDS)] for i in range(150))  # some 200 tokens
with open(PROGRAM, "rb") as program:
    bytes_of_it = program.read()
SANITIZED = any(name in bytes_of_it for name in (b"__asan_init", b"__tsan_init"))


def model():
    """Wide and thin, so that a token's activations take what can be told apart: 12 layers, some 0.3 MB a token."""
    return small_model("wide.gguf", layers=12, width=256, heads=8, kv_heads=2, head_dim=32, ff=2560, types=["Q8_0"])


def explain(*options):
    """The map, and what was said beside it."""
    code, out, said = run("explain", "-m", model(), "-p", PROMPT, "--raw", "--units", "token", "--threads", "2",
                          "--format", "json", "-v", *options)
    check(code == 0, f"{options}: status {code}: {said[-300:]!r}")
    return json.loads(out), said.decode()


def peak_of_a_run(*arguments):
    """As the system says it of a child of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        code, _, _ = run(*arguments)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        os.write(writer, f"{code} {peak}".encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    code, peak = map(int, os.read(reader, 100).split())
    os.close(reader)
    return code, peak


def limit_kept():
    free, _ = explain("--precision", "f32")
    kept = free["cost"]["peak_bytes"]
    code, _, said = run("explain", "-m", model(), "-p", PROMPT, "--raw", "--units", "token", "--threads", "2",
                        "--precision", "f32", "--memory", "20M")
    needed = re.search(r"need (\d+) MB, and --memory allows 20", said.decode())
    check(code == 1 and needed, f"what would be needed: {code}, {said!r}")
    if not needed:
        return
    least = int(needed.group(1)) * 1000000
    check(least < kept, f"there is nothing to save: {least} and {kept} bytes")
    for limit in (least, least + 10000000):
        tight, said = explain("--precision", "f32", "--memory", f"{limit // 1000000}M")
        check(tight["relevance"] == free["relevance"], "numbers depend on the limit")
        check(tight["cost"]["peak_bytes"] <= limit, f"{tight['cost']['peak_bytes']} bytes within {limit}")
        again = re.search(r"within (\d+) MB, activations of the plain pass were computed again (\d+) times, "
                          r"in [\d.]+ s", said)
        check(again and int(again.group(1)) * 1000000 == limit and int(again.group(2)) > 0, f"what it cost: {said!r}")
    code, peak = peak_of_a_run("explain", "-m", model(), "-p", PROMPT, "--raw", "--units", "token", "--threads", "2",
                               "--precision", "f32", "--memory", f"{least // 1000000}M")
    check(code == 0 and peak <= least, f"the system counts {peak} bytes within {least}")
    print(f"peaks: {kept / 1e6:.0f} MB, within {least / 1e6:.0f} MB {peak / 1e6:.0f}")


def copies_kept(precision):
    """Copies in fewer bits count too."""
    code, _, said = run("explain", "-m", model(), "-p", PROMPT, "--raw", "--units", "token", "--threads", "2",
                        "--precision", precision, "--memory", "20M")
    if b"does not offer" in said:
        skip(said.decode().strip())
        return
    needed = re.search(r"need (\d+) MB", said.decode())
    check(code == 1 and needed, f"{precision} in too little: {code}, {said!r}")
    if not needed:
        return
    tight, _ = explain("--precision", precision, "--memory", f"{needed.group(1)}M")
    check(tight["device"]["precision"] == precision, f"{tight['device']}")
    check(tight["cost"]["peak_bytes"] <= int(needed.group(1)) * 1000000,
          f"{precision}: {tight['cost']['peak_bytes']} bytes within {needed.group(1)} MB")
    print(f"{precision}: {tight['cost']['peak_bytes'] / 1e6:.0f} MB within {needed.group(1)}")


def session(limit, prompts):
    """Rows of the maps of prompts that begin alike, and the peak in the end."""
    request = dict(generate=1, units="token", suppression=1, factor=0.1, layers=[0, -1], resume=True)
    lines = "".join(json.dumps({"prompt": prompt, **request}) + "\n" for prompt in prompts)
    answers = subprocess.run(["./tests/parity/ask_worker", "-p", "int8", "-t", "2", "-m", str(limit), model()],
                             input=lines.encode(), stdout=subprocess.PIPE, check=False).stdout.splitlines()
    answers = [json.loads(answer) for answer in answers]
    for answer in answers:
        check("error" not in answer and answer["peak"] <= limit * 1000000, f"within {limit} MB: {str(answer)[:200]}")
    return [answer.get("rows", 0) for answer in answers]


def session_kept():
    """Going on from former probes takes what the limit leaves, and no more."""
    prompts = [PROMPT, PROMPT + " red", PROMPT + " red ball"]
    tight, ample = session(150, prompts), session(400, prompts)
    check(len(tight) == len(ample) == 3, f"{tight}, {ample}")
    check(all(rows > tight[0] / 2 for rows in tight), f"nothing left to keep rows in: {tight}")
    check(all(rows < ample[0] / 3 for rows in ample[1:]), f"rows to go on from: {ample}")
    print(f"rows of three maps, each a word longer: {tight} within 150 MB, {ample} within 400")


def everywhere():
    """Every command that computes keeps to it, or says in one line that it cannot."""
    refused("generate in too little", 1, "need", "generate", "-m", model(), "-p", PROMPT, "--raw", "--memory", "5M")
    refused("bench in too little", 1, "need", "bench", "-m", model(), "--length", "64", "--memory", "5M")
    code, out, _ = run("bench", "-m", model(), "--length", "64", "--budget", "1", "--format", "json", "--threads", "2",
                       "--memory", "300M")
    found = json.loads(out) if code == 0 else {"map": {}}
    check(code == 0 and found["map"]["limit_bytes"] == 300000000 and found["map"]["peak_bytes"] <= 300000000 and
          found["file_bytes"] > 0 and "again" in found["map"], f"bench: {code}, {found}")
    code, out, _ = run("bench", "-m", model(), "--length", "64", "--budget", "1", "--format", "json", "--threads", "2")
    found = json.loads(out) if code == 0 else {"file_bytes": 0, "map": {"limit_bytes": 0}}
    plain = found["file_bytes"] + 50000000  # the program, and keys and values of so few tokens
    check(2 * plain < found["map"]["limit_bytes"] < 3.2 * plain, f"the default, three times a plain pass: {found}")


if SANITIZED:
    skip("a sanitizer's own memory counts too")
else:
    limit_kept()
    copies_kept("int8")
    copies_kept("bf16")
    session_kept()
    everywhere()
end()
