#!/usr/bin/python3
"""The program as lines of text: prompts and commands through a pipe, ^C, and a terminal that cannot show the screen."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

from cli import PROGRAM, PROMPT, check, end, environment, path, run, small_model

MODEL = small_model()
GIVEN = ["--plain", "-m", MODEL, "--precision", "f32"]


def talk(*lines, arguments=(), **env):
    code, out, said = run(*GIVEN, *arguments, stdin="\n".join(lines).encode() + b"\n",
                          env=environment(XDG_STATE_HOME=path("state"), **env))
    return code, out.decode(), said.decode()


def prompts():
    code, out, said = talk(PROMPT, ":token 2", ":why 2", ":quit", "never read")
    check(code == 0 and said == "", f"status {code}: {said!r}")
    check("loading the model\n" in out and "Type a prompt; :help" in out and "never" not in out, out)
    check("\033" not in out and "\r" not in out, "plain lines")
    answer, second, again = re.findall(r"(?:The answer|Token 2, .*,) rests on:\n((?:(?:supports|contradicts): .*\n)+)",
                                       out)
    check(len(answer.splitlines()) == 5 and len(again.splitlines()) == 2 and second.startswith(again),
          f"{answer}{second}{again}")
    for line in answer.splitlines():
        found = re.fullmatch(r'(supports|contradicts): (?:[0-9]+[a-z]+ |answer.s )?".+" ([+-][0-9.e-]+) nats '
                             r'\((.*) without it\)', line)
        check(found and (float(found[2]) > 0) == (found[1] == "supports"), line)
        check("likely" in found[3], line)
    e = json.loads(run("explain", "-m", MODEL, "-p", PROMPT, "--precision", "f32", "--generate", "12", "--units",
                       "word",
                       "--format", "json")[1])
    best = max((u for u in e["units"] if u["kind"] != "special" and u["tokens"][0] > 0),
               key=lambda u: abs(sum(e["relevance"][u["index"]])))
    check(f'"{best["text"].strip()}" {sum(e["relevance"][best["index"]]):+.3f} nats' in answer.splitlines()[0], answer)
    _, out_all, _ = talk(PROMPT, ":units token", ":why 1000", ":quit")
    rest = out_all[out_all.rindex("rests on:"):]
    check(len(re.findall(r"^\w+: answer's \"", rest, re.M)) in range(1, 12), "the answer's tokens say so: " + rest)
    check(re.search(r"[0-9]+ more units weigh less\.\n", out), out)
    check(out.index(e["target"]["text"].strip()[:8]) < out.index("rests on"), "the answer streams before")


def commands():
    code, out, said = talk(PROMPT, ":units sentence", ":tokens 3", ":candidates", ":rather zebra", ":prompt",
                           "first line\\", "second line", ":prompt", "::colon", ":prompt", ":token 99", ":units none",
                           ":tokens x", ":why x", ":nonsense", ":open", ":open /no/such.gguf", ":picture", ":save x",
                           ":sample", ":help", "", f":open {MODEL}", ":prompt", ":token all")
    check(code == 0, f"status {code}")
    check("Token 1: " in out and out.count("\nor ") == 7, "eight candidates")
    check(" rather than " in out, out)
    check("The capital of France is Paris. The capital of Italy is\n" in out, "the first sample")
    check(f"\n{PROMPT}\n" in out and "\nfirst line\nsecond line\n" in out and "\n:colon\n" in out, "prompts")
    for word in (":token takes a number from 1 to 3, or all", ":units takes token, word", ":tokens takes", ":why takes",
                 ":nonsense is no command; :help lists them", ":open takes", "/no/such.gguf", ":picture takes",
                 ":save takes"):
        check(sum(word in line for line in said.splitlines()) == 1, f"{word!r} is not in {said!r}")
    check(all(line.startswith("atmanscope: ") for line in said.splitlines()), said)
    for name in ("token N", "why [N]", "rather TEXT", "candidates", "units KIND", "save FILE", "help", "quit"):
        check(f"\n:{name}: " in out, f":{name} is not in the help")
    check(out.count("loading the model") == 3, "opened anew")
    check("nothing is measured yet" in said, "another model, another answer")
    man = run("--man")[1].decode()
    check(all(f"\\fB:{name}\\fR" in man for name in ("token", "why", "rather", "save", "quit")),
          "the man page's commands")


def saves():
    target = path("why.json")
    code, out, said = talk(":save " + target, PROMPT, ":save " + target)
    check(code == 0 and f"saved {target}" in out and "nothing is measured yet" in said, f"{out}{said}")
    with open(target, encoding="utf-8") as file:
        check(json.load(file)["prompt"]["text"] == PROMPT, "what was saved")
    check(":save FILE: write the explanation: .html, .json, .txt, .ansi, .png or .svg" in talk(":help")[1],
          "the endings")
    for ending, start in ((".svg", b"<"), (".png", b"\x89PNG"), (".ansi", b"\x1b["), (".txt", b"the red")):
        target = path("why" + ending)
        code, out, said = talk(PROMPT, ":token 1", ":save " + target)
        if ending in (".svg", ".png") and "Pango" in said:
            continue
        with open(target, "rb") as file:
            kept = file.read()
        check(f"saved {target}" in out and start in kept[:400], f"{ending}: {said} {kept[:40]}")
    with open(path("state/atmanscope/history"), encoding="utf-8") as file:
        kept = [json.loads(line)["prompt"] for line in file]
    check(kept[-1] == PROMPT and kept.count(PROMPT) == 1, kept)
    os.remove(path("state/atmanscope/history"))
    talk("not kept", arguments=["--no-history"])
    check(not os.path.exists(path("state/atmanscope/history")), "--no-history")


def bad_input():
    code, out, said = run(*GIVEN, stdin=b"caf\xe9\n" + b"x" * 3000 + b"\n\0\n" + PROMPT.encode())[0:3]
    check(code == 0 and b"not UTF-8" in said and b"rests on" in out, f"{code} {said!r}")
    code, out, _ = run(*GIVEN, "-p", PROMPT, stdin=b"")
    check(code == 0 and b"rests on" in out, "a prompt of the command line comes first")
    code, _, said = run("--plain", "-m", "/no/such.gguf")
    check(code == 1 and said.count(b"\n") == 1, f"{code} {said!r}")
    with open("/dev/full", "wb") as full:
        code = subprocess.run([PROGRAM, *GIVEN], input=PROMPT.encode(), stdout=full, stderr=subprocess.PIPE,
                              env=environment(), check=False).returncode
    check(code == 1, f"a full disk: status {code}")


class Terminal:
    """The program on a terminal of its own."""
    def __init__(self, *arguments, **env):
        self.process, self.fd = pty.fork()
        if self.process == 0:
            os.execve(PROGRAM, [PROGRAM, *arguments], environment(**env))
        self.seen = ""

    def wait(self, text):
        """Until the text is there; what is behind it is left for the next one."""
        limit = time.time() + 60
        while text not in self.seen and time.time() < limit:
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    break
        found = text in self.seen
        check(found, f"waited in vain for {text!r}: {self.seen!r}")
        self.seen = self.seen.partition(text)[2] if found else ""

    def send(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        status = os.waitpid(self.process, 0)[1]
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def interrupts():
    slow = small_model("slow.gguf", layers=12, width=256, heads=8, kv_heads=4, head_dim=32, ff=1024)
    t = Terminal("--plain", "--no-history", "-m", slow, "--precision", "f32", "--threads", "1", "--units", "token")
    t.wait("> ")
    t.send((PROMPT + " ") * 12 + "\n")
    t.wait("\n")
    time.sleep(0.5)
    t.send("\x03")
    t.wait("stopped")
    t.wait("> ")
    t.send(":prompt\n")
    t.wait("the red ball was for him")
    t.wait("> ")
    t.send("\x03")
    t.wait("nothing runs; ^C again quits")
    t.send("\x03")
    check(t.end() == 0, "^C twice quits")


def dumb():
    t = Terminal("--no-history", "-m", MODEL, TERM="dumb")
    t.wait("TERM=dumb cannot show the screen, so this is the plain mode")
    t.wait("> ")
    t.send("the red ball\n")
    t.wait("rests on")
    t.wait("> ")
    t.send("\x04")
    check(t.end() == 0, "^D ends it")
    code, _, said = run("-m", MODEL, env=environment(TERM="dumb"))
    check(code == 1 and b"needs a terminal" in said and b"--plain" in said, f"{code} {said!r}")


prompts()
commands()
saves()
bad_input()
interrupts()
dumb()
end()
