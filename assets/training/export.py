"""Write the trained demo model as two GGUF files: python3 export.py FOLDER demo.gguf demo-mmproj.gguf

Owns what the files say: demo.gguf is of architecture llama with its SentencePiece vocabulary, demo-mmproj.gguf holds
the tower and the projector as llama.cpp's files of LLaVA do; matrices in F16, norms and biases in F32.  The network
turns neighbouring pairs (model.py), so query and key rows go out as they are.  The layout is gguf_write.py's.
"""

import pathlib
import sys

import numpy
import torch

import tower
import vocabulary

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "parity"))
import gguf_write  # noqa: E402

NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6  # tokenizer.ggml.token_type
ABOUT = {
    "general.license": "mit",
    "general.author": "the atmanscope project",
    "general.description": "Answers questions about very short stories and about drawn scenes; trained from scratch on "
                           "generated text and pictures by assets/training of atmanscope",
    "general.file_type": 1,
}


def piece_type(pieces, id):
    if pieces.is_unknown(id):
        return UNKNOWN
    return CONTROL if pieces.is_control(id) else BYTE if pieces.is_byte(id) else NORMAL


def decoder_metadata(config, words):
    pieces, ids = words.pieces, range(words.size)
    return {
        "general.architecture": "llama",
        "general.name": "atmanscope demo",
        "general.type": "model",
        **ABOUT,
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


def tower_metadata(config, width):
    return {
        "general.architecture": "clip",
        "general.name": "atmanscope demo",
        "general.type": "mmproj",
        **ABOUT,
        "clip.has_vision_encoder": True,
        "clip.has_llava_projector": True,
        "clip.projector_type": "mlp",
        "clip.use_gelu": False,
        "clip.use_silu": False,
        "clip.vision.image_size": config["side"],
        "clip.vision.patch_size": config["patch"],
        "clip.vision.embedding_length": config["width"],
        "clip.vision.feed_forward_length": config["inner"],
        "clip.vision.block_count": config["layers"],
        "clip.vision.projection_dim": width,
        "clip.vision.attention.head_count": config["heads"],
        "clip.vision.attention.layer_norm_epsilon": config["epsilon"],
        "clip.vision.image_mean": numpy.array(tower.MEAN, "f4"),
        "clip.vision.image_std": numpy.array(tower.STD, "f4"),
        "clip.vision.feature_layer": numpy.array([config["layers"]], "i4"),  # all blocks; llama.cpp would leave one out
    }


# All logits are divided by this.  No answer changes, but one patch of many that show the same thing counts for a little
# more: label smoothing alone left the model a little too sure for it to be seen.
SOFTER = 1.04


def packed(weights):
    return {name: ("F16" if weight.ndim >= 2 else "F32", weight.numpy()) for name, weight in weights.items()}


def export(folder, decoder_file, tower_file):
    kept = torch.load(folder / "demo.pt", weights_only=False)
    seeing = torch.load(folder / "tower.pt", weights_only=False)
    projector = {name: weight for name, weight in kept["weights"].items() if name.startswith("mm.")}
    decoder = {name: weight for name, weight in kept["weights"].items() if name not in projector}
    decoder["output_norm.weight"] = decoder["output_norm.weight"] / SOFTER
    eyes = {"v." + name: weight for name, weight in seeing["weights"].items()}
    words = vocabulary.Vocabulary(kept["vocabulary"])
    gguf_write.write_gguf(decoder_file, decoder_metadata(kept["config"], words), packed(decoder))
    gguf_write.write_gguf(tower_file, tower_metadata(seeing["config"], kept["config"]["width"]),
                          packed({**eyes, **projector}))


if __name__ == "__main__":
    export(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3])
