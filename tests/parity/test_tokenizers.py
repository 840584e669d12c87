#!/usr/bin/python3
"""Our tokens of 10,000 strings against those of the original packages, which are in tokenizers.golden as hashes.

Offsets are checked by what they must be: a token that stands for text is exactly that text.
"""
import json
import os

import strings
from program import check, end, skip
from tokenizer_cases import ALL, GOLDEN, VOCABULARIES, cases, encode, fingerprint, short_hash, unpack, without_start


def check_offsets(name, texts, answers):
    """Tokens in order, inside the text, at character boundaries, and together all of it (but dropped bytes)."""
    wrong = 0
    for text, (ids, starts, ends) in zip(texts, answers):
        last = 0
        for start, stop in zip(starts, ends):
            inside = last <= start <= stop <= len(text)
            wrong += not inside or any(at < len(text) and text[at] & 0xC0 == 0x80 for at in (start, stop))
            last = stop
    check(wrong == 0, f"{name}: {wrong} offsets are not where characters begin, or not in order")


def check_case(golden, texts, name, path, rule, beginning, count):
    if not path:
        skip(f"{name}: its file is not there (real models: ./start get NAME; vocabularies: shared data)")
        return
    answers, size, seconds = encode(path, rule, beginning, texts[:count])
    start = golden["start"].get(name)
    answers = [without_start(*answer, start) if beginning else answer for answer in answers]
    wrong = [i for i, (answer, right) in enumerate(zip(answers, unpack(golden["hashes"][name])))
             if short_hash(answer[0]) != right]
    check(len(answers) == count and not wrong,
          f"{name}: {len(wrong)} of {count} strings differ, the first is {texts[wrong[0]] if wrong else None!r}")
    check_offsets(name, texts, answers)
    print(f"{name}: {count} strings, {len(wrong)} differ, {size / seconds / 1e6:.1f} MB/s")


def check_upstream(name):
    """The few texts with ids that llama.cpp's vocabularies come with."""
    base = os.path.join(VOCABULARIES, f"ggml-vocab-{name}.gguf")
    if not os.path.isfile(base + ".inp"):
        skip(f"{name}: no {base}.inp")
        return
    with open(base + ".inp", "rb") as file:
        texts = file.read().split(b"\n__ggml_vocab_test__\n")
    with open(base + ".out", encoding="ascii") as file:
        right = [[int(word) for word in line.split()] for line in file.read().split("\n")]
    answers, _, _ = encode(base, None, True, texts)
    wrong = [texts[i] for i, (ids, _, _) in enumerate(answers) if right[i] not in (list(ids), list(ids[1:]))]
    check(not wrong, f"{name}: {len(wrong)} of {len(texts)} texts differ, the first is {wrong[:1]}")


def main():
    with open(GOLDEN, encoding="ascii") as file:
        golden = json.load(file)
    check(fingerprint() == golden["strings"], "the strings are not those that the golden file was made for")
    texts = [text.encode() for text in strings.strings(ALL)]
    for case in cases():
        check_case(golden, texts, *case)
    for name in ("gpt-2", "phi-3"):
        check_upstream(name)
    end()


if __name__ == "__main__":
    main()
