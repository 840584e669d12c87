"""Write the trained demo model as GGUF: python3 export.py MODEL.pt demo.gguf

Owns what the file says: architecture llama, matrices in F16, norms in F32, the SentencePiece vocabulary with it.  The
network turns neighbouring pairs (model.py), so query and key rows go out as they are.  The layout is gguf_write.py's.
"""

import pathlib
import sys

import numpy
import torch

import vocabulary

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "parity"))
import gguf_write  # noqa: E402

NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6  # tokenizer.ggml.token_type


def piece_type(pieces, id):
    if pieces.is_unknown(id):
        return UNKNOWN
    return CONTROL if pieces.is_control(id) else BYTE if pieces.is_byte(id) else NORMAL


def metadata(config, words):
    pieces, ids = words.pieces, range(words.size)
    return {
        "general.architecture": "llama",
        "general.name": "atmanscope demo",
        "general.type": "model",
        "general.license": "mit",
        "general.author": "the atmanscope project",
        "general.description": "Answers questions about very short stories; trained from scratch on generated text by "
                               "assets/training of atmanscope",
        "general.file_type": 1,
        "llama.vocab_size": config["vocabulary"],
        "llama.context_length": config["context"],
        "llama.embedding_length": config["width"],
        "llama.block_count": config["layers"],
        "llama.feed_forward_length": config["inner"],
        "llama.attention.head_count": config["heads"],
        "llama.attention.head_count_kv": config["key_heads"],
        "llama.attention.layer_norm_rms_epsilon": config["epsilon"],
        "llama.rope.dimension_count": config["width"] // config["heads"],
        "llama.rope.freq_base": config["rope_base"],
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [pieces.id_to_piece(id) for id in ids],
        "tokenizer.ggml.scores": numpy.array([pieces.get_score(id) for id in ids], "f4"),
        "tokenizer.ggml.token_type": numpy.array([piece_type(pieces, id) for id in ids], "i4"),
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": vocabulary.BOS,
        "tokenizer.ggml.eos_token_id": vocabulary.EOS,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_eos_token": False,
        "tokenizer.ggml.add_space_prefix": True,
        "tokenizer.ggml.remove_extra_whitespaces": False,
    }


def export(source, target):
    kept = torch.load(source, weights_only=False)
    tensors = {name: ("F16" if weight.ndim == 2 else "F32", weight.numpy()) for name, weight in kept["weights"].items()}
    gguf_write.write_gguf(target, metadata(kept["config"], vocabulary.Vocabulary(kept["vocabulary"])), tensors)


if __name__ == "__main__":
    export(sys.argv[1], sys.argv[2])
