#!/usr/bin/python3
"""Where results go: files whole or not at all, full disks, closed pipes, ^C, budgets."""
import json
import os
import pty
import re
import signal
import stat
import subprocess
import threading
import time

from cli import FOLDER, PROGRAM, PROMPT, check, end, environment, path, refused, run, skip, small_model

MODEL = small_model()
GIVEN = ["explain", "-m", MODEL, "-p", PROMPT, "--format", "json"]
LONG = "the red ball was for him and the blue ball was for her. " * 18
COMMANDS = (GIVEN, ["generate", "-m", MODEL, "-p", PROMPT], ["tokenize", "-m", MODEL, "-p", PROMPT], ["info", MODEL],
            ["bench", "-m", MODEL, "--length", "20"])


def files():
    folder = path("out")
    os.mkdir(folder)
    name = os.path.join(folder, "result.json")
    for command in COMMANDS:
        code, out, said = run(*command, "-o", name)
        check(code == 0 and out == b"" and os.path.getsize(name) > 0, f"{command[0]} -o: {code}, {said!r}")
    json_file = os.path.join(folder, "e.json")
    run(*GIVEN, "-o", json_file)
    check(json.load(open(json_file, encoding="utf-8"))["complete"] is True, "what is in the file")
    check(stat.S_IMODE(os.stat(json_file).st_mode) == 0o666 & ~umask(), "a new file's mode")
    os.chmod(json_file, 0o640)
    link = os.path.join(folder, "link.json")
    os.symlink("e.json", link)
    run(*GIVEN, "-o", link)
    check(os.path.islink(link) and stat.S_IMODE(os.stat(json_file).st_mode) == 0o640,
          "a link stays a link, a mode a mode")
    check(sorted(os.listdir(folder)) == ["e.json", "link.json", "result.json"], f"left behind: {os.listdir(folder)}")


def endings():
    """The file's name says the format, unless --format does."""
    begins = {".json": b"{", ".html": b"<!DOCTYPE html>", ".txt": PROMPT[:4].encode(), ".json.old": PROMPT[:4].encode()}
    for ending, start in begins.items():
        name = path("answer" + ending)
        code, _, said = run(*GIVEN[:5], "-o", name)
        with open(name, "rb") as file:
            begun = file.read(40)
        check(code == 0 and begun.lower().startswith(start.lower()), f"-o answer{ending}: {code}, {said!r}, {begun!r}")
    name = path("asked.html")
    run(*GIVEN, "-o", name)
    check(json.load(open(name, encoding="utf-8"))["complete"] is True, "--format before the ending")


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def bad_places():
    kept = path("kept.json")
    with open(kept, "w", encoding="utf-8") as file:
        file.write("precious")
    for command in COMMANDS:
        refused(f"{command[0]}: no such folder", 1, ["nowhere", "folder"], *command, "-o", path("nowhere/result"))
        refused(f"{command[0]}: a folder", 1, "folder", *command, "-o", FOLDER)
        refused(f"{command[0]}: an empty name", 1, "empty", *command, "-o", "")
        refused(f"{command[0]}: below a file", 1, "directory", *command, "-o", kept + "/result")
        refused(f"{command[0]}: a full disk", 1, ["/dev/full", "No space"], *command, "-o", "/dev/full")
        with open("/dev/full", "wb") as full:
            refused(f"{command[0]}: standard output on a full disk", 1, "No space", *command, stdout=full)
    refused("an answer that fails keeps the old file", 1, "context", *GIVEN[:4], LONG * 4, "-o", kept)
    check(open(kept, encoding="utf-8").read() == "precious", "a failed run has changed its output file")
    if os.geteuid() == 0:
        skip("root may write everywhere: a folder without write permission")
    else:
        os.mkdir(path("locked"), 0o500)
        refused("a folder that may not be written", 1, "ermission", *GIVEN, "-o", path("locked/result"))


def full_disk():
    """A file system of 64 kB: the result does not fit, the old file stays, nothing is left behind."""
    disk = path("disk")
    os.mkdir(disk)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=False,
                                           stderr=subprocess.DEVNULL).returncode != 0:
        skip("a small file system cannot be mounted here: a full disk behind a renamed file")
        return
    try:
        target = os.path.join(disk, "result.json")
        with open(target, "w", encoding="utf-8") as file:
            file.write("precious")
        refused("a full file system", 1, ["result.json", "No space"], "explain", "-m", MODEL, "-p", LONG, "--units",
                "token",
                "--format", "json", "--generate", "4", "-o", target)
        check(os.listdir(disk) == ["result.json"] and open(target, encoding="utf-8").read() == "precious",
              f"left on the full disk: {os.listdir(disk)}")
    finally:
        subprocess.run(["umount", disk], check=False)


def closed_pipes():
    for command in COMMANDS:
        read, write = os.pipe()
        os.close(read)
        code, _, said = run(*command, stdout=write)
        os.close(write)
        check(code == 1 and said == b"", f"{command[0]} into a closed pipe: status {code}, {said!r}")
    for command in (["-h"], ["explain", "-h"], ["--version"]):
        read, write = os.pipe()
        os.close(read)
        code, _, said = run(*command, stdout=write)
        os.close(write)
        check(code == 1 and said == b"", f"{command} into a closed pipe: status {code}, {said!r}")


def started(*arguments):
    """The program with a terminal on standard error, where it tells how far it is; the process and the terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen([PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave,
                               env=environment())
    os.close(slave)
    return process, master


def read_until(terminal, wanted):
    """What is said on the terminal until what the pattern wants is, or nobody writes to it any more."""
    said = b""
    try:
        while not re.search(wanted, said) and (chunk := os.read(terminal, 4096)):
            said += chunk
    except OSError:
        pass
    return said


def finish(process, terminal):
    """Standard output's and the terminal's last bytes."""
    reader = threading.Thread(target=lambda: said.append(read_until(terminal, b"\0")))
    said = []
    reader.start()
    out = process.communicate(timeout=60)[0]
    reader.join(60)
    os.close(terminal)
    return out, b"".join(said)


def big_model():
    """Large enough that its probes take a second or so."""
    return small_model("big.gguf", layers=6, width=256, heads=4, kv_heads=4, head_dim=64, ff=768, types=["Q8_0"])


def cancelled():
    process, terminal = started("explain", "-m", big_model(), "-p", LONG, "--units", "token", "--format", "json")
    said = read_until(terminal, rb"probes ([4-9]\d|\d{3}) of")  # the last units, then estimates, then more
    process.send_signal(signal.SIGINT)
    before = time.monotonic()
    out, rest = finish(process, terminal)
    took = time.monotonic() - before
    if process.returncode == 0:
        skip("the probes were finished before ^C could reach them")
        return
    check(process.returncode == 130 and b"atmanscope:" not in said + rest,
          f"status {process.returncode}: {said + rest!r}")
    e = json.loads(out)
    check(e["complete"] is False and len(e["relevance"]) == len(e["units"]) > e["cost"]["probes"] > 0,
          "the partial result")
    check(e["estimated"].count(False) == e["cost"]["probes"] and all(any(row) for row in e["relevance"][:-1]),
          f"estimates for what was not measured: {e['estimated']}")
    print(f"^C: {e['cost']['probes']} of {len(e['units'])} probes, {1000 * took:.0f} ms until the end")


def cancelled_while_streaming():
    process, terminal = started("generate", "-m", big_model(), "-p", PROMPT, "-n", "400")
    first = os.read(process.stdout.fileno(), 1)
    process.send_signal(signal.SIGINT)
    rest, said = finish(process, terminal)
    if process.returncode == 0:
        skip("the text was finished before ^C could reach it")
    else:
        check(process.returncode == 130 and b"atmanscope:" not in said and (first + rest).endswith(b"\n"),
              f"status {process.returncode}: {said!r}, {first + rest!r}")


def cancelled_twice():
    process, terminal = started("explain", "-m", big_model(), "-p", LONG, "--units", "token", "--format", "json")
    read_until(terminal, b"loading")
    for _ in range(2):
        process.send_signal(signal.SIGINT)
    out, said = finish(process, terminal)
    check(process.returncode == 130 and b"atmanscope:" not in said, f"status {process.returncode}: {said!r}")


def budget():
    code, out, said = run("explain", "-m", big_model(), "-p", LONG, "--units", "token", "--format", "json", "--budget",
                          "0.05")
    e = json.loads(out)
    check(code == 0 and said == b"" and e["complete"] is False, f"a budget used up: status {code}, {e['complete']}")
    check(len(e["relevance"]) == len(e["units"]) > e["cost"]["probes"] == e["estimated"].count(False),
          f"{e['cost']['probes']} of {len(e['units'])} probes")
    text = run("explain", "-m", big_model(), "-p", LONG, "--format", "ansi", "--budget", "0.05")[1].decode()
    check("marked ~ is an estimate" in text and ("  ~+" in text or "  ~-" in text),
          f"nothing is said to be an estimate: {text}")
    page = run("explain", "-m", big_model(), "-p", LONG, "--format", "html", "--budget", "0.05")[1]
    check(b"Not complete" in page, "the page does not say that it is not complete")


def progress():
    """On standard error where that is a terminal, and wiped at the end."""
    for quiet in ([], ["-q"]):
        process, terminal = started(*GIVEN, *quiet)
        _, said = finish(process, terminal)
        check(process.returncode == 0, "explain with a terminal on standard error")
        check(said == b"" if quiet else said.startswith(b"\r\033[K") and said.endswith(b"\r\033[K"),
              f"{quiet}: {said!r}")
    code, _, said = run(*GIVEN, "-v")
    check(code == 0 and b"probes" in said and b"\r" not in said, f"-v: {said!r}")


files()
endings()
bad_places()
full_disk()
closed_pipes()
cancelled()
cancelled_while_streaming()
cancelled_twice()
budget()
progress()
end()
