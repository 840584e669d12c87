"""Make tests/parity/gemma.golden, or compare with it: what transformers makes of Gemma 3 270M's dequantised weights,
the most probable continuation of each prompt.

    make_gemma_golden.py --model gemma3-270m.gguf [--check]

The prompts are prompts.py's after <bos>, tokenised by the program, which the current folder has.  Each line of
the file is a prompt's ids and its continuation's; the model itself is not part of this house (Gemma Terms of Use).
"""
import argparse
import os
import sys

import gguf
import numpy as np
import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

import oracle
import program
import prompts

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gemma.golden")
TOKENS = 64
NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "attn_norm": "input_layernorm",
         "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
         "post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm",
         "post_ffw_norm": "post_feedforward_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj"}


def load(path):
    """A Gemma3ForCausalLM in f32 with the file's weights; its norms add 1 to theirs, so the file's lose it."""
    reader = gguf.GGUFReader(path)
    meta = lambda key: reader.get_field("gemma3." + key).contents()
    layers, base = meta("block_count"), meta("rope.freq_base")
    config = Gemma3TextConfig(
        vocab_size=262144, hidden_size=meta("embedding_length"), intermediate_size=meta("feed_forward_length"),
        num_hidden_layers=layers, num_attention_heads=meta("attention.head_count"),
        num_key_value_heads=meta("attention.head_count_kv"), head_dim=meta("attention.key_length"),
        query_pre_attn_scalar=meta("attention.key_length"), rms_norm_eps=meta("attention.layer_norm_rms_epsilon"),
        max_position_embeddings=meta("context_length"), sliding_window=meta("attention.sliding_window"),
        layer_types=["full_attention" if l % 6 == 5 else "sliding_attention" for l in range(layers)],
        rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": base},
                         "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}},
                         attn_implementation="eager")
    model = Gemma3ForCausalLM(config).eval()
    tensors = {}
    for tensor in reader.tensors:
        parts = tensor.name.split(".")
        array = np.array(gguf.quants.dequantize(tensor.data, tensor.tensor_type), np.float32)
        layer = f"model.layers.{parts[1]}." if parts[0] == "blk" else ""
        tensors[f"{layer}{NAMES[parts[-2]]}.{parts[-1]}"] = torch.from_numpy(array - 1 if "norm" in parts[-2]
                                                                             else array)
    missing, unexpected = model.load_state_dict(tensors, strict=False, assign=True)
    if missing != ["lm_head.weight"] or unexpected:
        raise ValueError(f"missing {missing}, unexpected {unexpected}")
    model.tie_weights()
    return model


def compute(path):
    model = load(path)
    for text in prompts.PROMPTS:
        ids = [token["id"] for token in program.run("generate", "-m", path, "-p", text, "-n", "1")["prompt"]["tokens"]]
        tokens, _, margin = oracle.greedy(model, ids, TOKENS)
        print(f"{margin:8.4f} nats between the first and the second choice at least: {text!r}", file=sys.stderr)
        yield " ".join(map(str, ids)) + " : " + " ".join(map(str, tokens))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, help="Gemma 3 270M as a GGUF file")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    lines = list(compute(arguments.model))
    if not arguments.check:
        with open(GOLDEN, "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        return 0
    with open(GOLDEN, encoding="utf-8") as file:
        wrong = sum(a != b for a, b in zip(file.read().splitlines(), lines, strict=True))
    print("Gemma's golden file: " + (f"{wrong} lines differ" if wrong else "the same"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
