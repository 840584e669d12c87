#!/usr/bin/env python3
"""llama.cpp loads the shipped model's two files and gives the same greedy answers, on the first 100 scenes of
assets/scenes.jsonl and on every story of assets/demo_cases.jsonl.  So the files are what they claim to be.

By hand, or by `./start check full` where the Python package llama_cpp is installed; in the build folder, which has the
program.  It is another's arithmetic (F16 products, another GELU), so an answer may differ in one case of a hundred.
"""
import json
import os
import pathlib
import subprocess

import program

SCENES, SAME, LONGEST = 100, 0.99, 24
ASSETS = pathlib.Path(__file__).resolve().parents[2] / "assets"


def ours(prompt, pictures):
    images = [word for picture in pictures for word in ("--image", str(picture))]
    line = ["./atmanscope", "generate", "-q", "-m", str(ASSETS / "demo.gguf"), "--precision", "f32", "--raw", *images,
            "-n", str(LONGEST), "-p", prompt]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()


def client():
    """A function of prompt and pictures that has llama.cpp answer."""
    import llama_cpp
    from llama_cpp.llama_chat_format import Llava15ChatHandler

    class Bare(Llava15ChatHandler):
        """The picture, then the text, and nothing around them."""
        DEFAULT_SYSTEM_MESSAGE = None
        CHAT_FORMAT = ("{% for message in messages %}{% for part in message.content %}"
                       "{{ part.image_url.url if part.type == 'image_url' else part.text }}"
                       "{% endfor %}{% endfor %}")

    model = llama_cpp.Llama(str(ASSETS / "demo.gguf"), n_ctx=512, n_threads=1, n_threads_batch=1, verbose=False,
                            chat_handler=Bare(str(ASSETS / "demo-mmproj.gguf"), verbose=False))

    def answer(prompt, pictures):
        if not pictures:
            made = model.create_completion(prompt, max_tokens=LONGEST, temperature=0, repeat_penalty=1.0)
            return made["choices"][0]["text"].strip()
        parts = [{"type": "image_url", "image_url": {"url": picture.as_uri()}} for picture in pictures]
        parts.append({"type": "text", "text": prompt.replace("<image>", "")})
        made = model.create_chat_completion([{"role": "user", "content": parts}], max_tokens=LONGEST, temperature=0,
                                            repeat_penalty=1.0)
        return made["choices"][0]["message"]["content"].strip()

    return answer


def main():
    try:
        answer = client()
    except ImportError:
        program.skip("the Python package llama_cpp is not installed")
        program.end()
    for name, most in (("scenes.jsonl", SCENES), ("demo_cases.jsonl", None)):
        same, cases = 0, [json.loads(line) for line in (ASSETS / name).read_text(encoding="utf-8").splitlines()][:most]
        for case in cases:
            pictures = [ASSETS / picture for picture in case.get("images", [])]
            theirs, mine = answer(case["prompt"], pictures), ours(case["prompt"], pictures)
            same += theirs == mine
            if theirs != mine:
                print(f"{case['id']}: {case['prompt']!r}: llama.cpp says {theirs!r}, atmanscope {mine!r}")
        program.check(same >= SAME * len(cases), f"{same} of {len(cases)} answers of {name} are the same")
        print(f"{name}: {same} of {len(cases)} answers are the same")
    program.end()


if __name__ == "__main__":
    main()
