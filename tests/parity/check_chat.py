#!/usr/bin/env python3
"""Conversations as core/chat.c formats them, and as Jinja runs the templates of well-known models.

    python3 check_chat.py RENDER_CHAT TEMPLATES        (needs jinja2; llama.cpp's folder models/templates)

What a template says beyond its family's form, a date in the system message or instructions for tools, is not ours: each
template is compared in the conversations that it treats plainly.
"""
import datetime
import json
import subprocess
import sys
from pathlib import Path

try:
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError:
    print("check_chat.py: skipped: jinja2 is not installed\n0 passed, 0 failed, 1 skipped")
    sys.exit(77)

ASKED, TOLD, TURNS = "asked", "told", "turns"
SYSTEM, USER, ASSISTANT = (lambda text, role=role: (role, text) for role in ("system", "user", "assistant"))
CONVERSATIONS = {
    ASKED: [USER("Hello there,\n\nwho is it?")],
    TOLD: [SYSTEM("Be terse."), USER("Hello there")],
    TURNS: [USER("Hi"), ASSISTANT("Hello you"), USER("Who is it?")],
    "all": [SYSTEM("Be terse."), USER("Hi"), ASSISTANT("Hello you"), USER("Who is it?")],
}
EVERY = tuple(CONVERSATIONS)
PLAIN = {
    "Bielik-11B-v3.0-Instruct": ("chatml", EVERY),
    "LFM2-8B-A1B": ("chatml", EVERY),
    "MiMo-VL": ("chatml", EVERY),
    "Mistral-Small-3.2-24B-Instruct-2506": ("mistral-v7-tekken", (TOLD, "all")),
    "Qwen-Qwen2.5-7B-Instruct": ("chatml", EVERY),
    "Qwen-Qwen3-0.6B": ("chatml", EVERY),
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": ("deepseek3", ()),
    "google-gemma-2-2b-it": ("gemma", (ASKED, TURNS)),
    "ibm-granite-granite-3.3-2B-Instruct": ("granite", (TOLD, "all")),
    "ibm-granite-granite-4.1": ("granite", EVERY),
    "meta-llama-Llama-3.2-3B-Instruct": ("llama3", ()),
    "microsoft-Phi-3.5-mini-instruct": ("phi3", EVERY),
    "mistralai-Mistral-Nemo-Instruct-2407": ("mistral-v3-tekken", (ASKED, TOLD, TURNS)),
    "openbmb-MiniCPM5-1B": ("chatml", EVERY),
}


def environment():
    def give_up(message):
        raise ValueError(message)

    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    made.globals.update(raise_exception=give_up, strftime_now=datetime.date(2026, 1, 2).strftime)
    made.filters["tojson"] = lambda value, **_: json.dumps(value)
    return made


def ours(program, template, conversation):
    text = "".join(f"{role}:\n{said}\n" for role, said in conversation)
    out = subprocess.run([program, template], input=text.encode(), capture_output=True, check=True).stdout.decode()
    return out.split("\n", 1)


def main():
    program, folder = sys.argv[1], Path(sys.argv[2])
    passed = failed = 0
    for name, (family, plain) in PLAIN.items():
        path = folder / f"{name}.jinja"
        template = environment().from_string(path.read_text())
        found, _ = ours(program, path, CONVERSATIONS[ASKED])
        good = found == family
        for kind in plain:
            messages = [{"role": role, "content": said} for role, said in CONVERSATIONS[kind]]
            want = template.render(messages=messages, add_generation_prompt=True, bos_token="", eos_token="</s>")
            if ours(program, path, CONVERSATIONS[kind])[1] != want:
                print(f"check_chat.py: failed: {name}, {kind}")
                failed += 1
            else:
                passed += 1
        if not good:
            print(f"check_chat.py: failed: {name} is taken for {found}")
        passed, failed = passed + good, failed + (not good)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
