"""What tokenisers are compared on, and how our own is run; shared by the test and by the maker of its golden file."""
import array
import base64
import hashlib
import os
import struct
import subprocess
import zlib

import strings
from program import model

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "tokenizers.golden")
DATA = os.environ.get("ATMANSCOPE_TEST_DATA") or os.path.join(HERE, "..", "..", "..", "shared", "data")
VOCABULARIES = os.path.join(DATA, "vocab")
ALL, SOME = 10000, 2000

# Other models' pre-tokenisers, tried on GPT-2's vocabulary.
RULES = ["command-r", "llama-bpe", "dbrx", "qwen2", "deepseek-r1-qwen", "qwen35", "gpt-4o", "tekken", "deepseek-coder",
         "deepseek-llm", "deepseek-v3", "falcon", "default", "bloom", "bailingmoe"]


def vocabulary(name):
    path = os.path.join(VOCABULARIES, f"ggml-vocab-{name}.gguf")
    return path if os.path.isfile(path) else None


def cases():
    """(name, path or None, pre-tokeniser or None, at the beginning of a text, how many strings)."""
    for name in ("smollm2", "gemma3-270m"):
        yield name, model(name), None, True, ALL
    yield "phi-3", vocabulary("phi-3"), None, True, ALL
    yield "phi-3 continued", vocabulary("phi-3"), None, False, ALL
    yield "gpt-neox", vocabulary("gpt-neox"), None, True, ALL
    yield "gpt-2", vocabulary("gpt-2"), None, True, ALL
    for rule in RULES:
        yield "gpt-2 as " + rule, vocabulary("gpt-2"), rule, True, SOME


def encode(path, rule, beginning, texts):
    """For each text its tokens, as three arrays: ids, starts, ends; and bytes and seconds."""
    records = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    done = subprocess.run(["tests/parity/encode_strings", path, rule or "", "start" if beginning else "continue"],
                          input=records, capture_output=True, check=False, timeout=600)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace").strip())
    words, answers, at = array.array("i", done.stdout), [], 0
    while at < len(words):
        end = at + 1 + 3 * words[at]
        answers.append(tuple(words[at + 1 + k:end:3] for k in range(3)))
        at = end
    size, _, seconds, _ = done.stderr.split()
    return answers, int(size), float(seconds)


def without_start(ids, starts, ends, start):
    """The tokens behind BOS."""
    return (ids[1:], starts[1:], ends[1:]) if start is not None and len(ids) and ids[0] == start else (ids, starts,
                                                                                                       ends)


def short_hash(ids):
    """16 bits of a string's ids: few enough to commit, and a wrong string slips through once in 65,536."""
    return zlib.crc32(array.array("i", ids).tobytes()) & 0xFFFF


def pack(hashes):
    return base64.b64encode(struct.pack(f"<{len(hashes)}H", *hashes)).decode()


def unpack(text):
    data = base64.b64decode(text)
    return struct.unpack(f"<{len(data) // 2}H", data)


def fingerprint():
    return hashlib.sha256(b"\0".join(text.encode() for text in strings.strings(ALL))).hexdigest()
