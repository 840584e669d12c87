#!/usr/bin/python3
"""Compare our tokens with those of the `tokenizers` and `sentencepiece` packages, string by string.

    make_tokenizer_golden.py                   write tokenizers.golden (every vocabulary must be there)
    make_tokenizer_golden.py --check FILE...   compare with what is there, and with SentencePiece model files

Run in the build folder, after `make tests/parity/encode_strings`.  Needs what `./start check full` provides.
"""
import argparse
import json
import os
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

import strings
from gguf_write import write_gguf
from tokenizer_cases import ALL, GOLDEN, cases, encode, fingerprint, pack, short_hash, without_start
from tokenizer_oracle import metadata, oracle


def differences(name, texts, answers, right, start):
    wrong = 0
    for text, answer, ids in zip(texts, answers, right):
        ours = list(without_start(*answer, start)[0])
        if ours != ids:
            wrong += 1
            if wrong <= 3:
                print(f"{name}: {ascii(text)}\n  ours     {ours}\n  original {ids}")
    return wrong


def start_token(path, rule):
    """BOS, where our encoder puts one."""
    keys = metadata(path)
    wanted = keys["tokenizer.ggml.model"] == "llama" or rule in ("llama-bpe", "tekken")
    return keys["tokenizer.ggml.bos_token_id"] if keys.get("tokenizer.ggml.add_bos_token", wanted) else None


def convert(path, folder):
    """A SentencePiece model file as the metadata of a GGUF."""
    model = sentencepiece_model_pb2.ModelProto()
    with open(path, "rb") as file:
        model.ParseFromString(file.read())
    out = os.path.join(folder, os.path.basename(path) + ".gguf")
    write_gguf(out, {"general.architecture": "llama", "tokenizer.ggml.model": "llama",
                     "tokenizer.ggml.tokens": [piece.piece for piece in model.pieces],
                     "tokenizer.ggml.scores": [float(piece.score) for piece in model.pieces],
                     "tokenizer.ggml.token_type": [int(piece.type) for piece in model.pieces],
                     "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2,
                     "tokenizer.ggml.add_space_prefix": bool(model.normalizer_spec.add_dummy_prefix)}, {})
    return out


def compare_file(path, texts, folder):
    """Ids and offsets against the library with the model file itself."""
    name = os.path.basename(path)
    answers, size, seconds = encode(convert(path, folder), None, True, [text.encode() for text in texts])
    processor = sentencepiece.SentencePieceProcessor(model_file=path)
    wrong = differences(name, texts, answers, [processor.encode(text) for text in texts], 1)
    shifted = 0
    for text, answer in zip(texts, answers):
        _, starts, ends = without_start(*answer, 1)
        pieces = processor.encode(text, return_type="proto").pieces
        shifted += [(p.begin, p.end) for p in pieces] != list(zip(starts, ends))
    print(f"{name}: {len(texts)} strings, {wrong} differ, {shifted} with other offsets, "
          f"{size / seconds / 1e6:.1f} MB/s")
    return wrong + shifted


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("files", nargs="*", help="SentencePiece model files")
    options = parser.parse_args()
    texts = strings.strings(ALL)
    golden, failed = {"strings": fingerprint(), "start": {}, "hashes": {}}, 0
    for name, path, rule, beginning, count in cases():
        if not path:
            print(f"{name}: its file is not there")
            failed += not options.check
            continue
        encoder = oracle(path, rule, beginning)
        right = [encoder(text) for text in texts[:count]]
        start = start_token(path, rule) if beginning else None
        answers, size, seconds = encode(path, rule, beginning, [text.encode() for text in texts[:count]])
        wrong = differences(name, texts, answers, right, start)
        print(f"{name}: {count} strings, {wrong} differ, {size / seconds / 1e6:.1f} MB/s")
        failed += wrong
        golden["hashes"][name] = pack([short_hash(ids) for ids in right])
        if start is not None:
            golden["start"][name] = start
    with tempfile.TemporaryDirectory() as folder:
        for path in options.files:
            failed += compare_file(path, texts, folder)
    if not options.check and not failed:
        with open(GOLDEN, "w", encoding="ascii") as file:
            json.dump(golden, file, indent=0, sort_keys=True)
            file.write("\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
