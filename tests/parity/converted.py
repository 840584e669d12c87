"""Random small models of every family, built by transformers and converted by llama.cpp's own converter: files as they
are in the wild, not as this house would write them.  Only the vocabulary is ours.

Needs torch, transformers, and llama.cpp's converter with its gguf package on the path (`./start check full` provides
them); nothing in `make check` does.
"""
import json
import logging
import tempfile
from pathlib import Path

import conversion
import gguf
import torch
import transformers

import models

logging.disable(logging.WARNING)

SIZES = dict(vocab_size=len(models.vocabulary(False)["tokenizer.ggml.tokens"]), hidden_size=96, intermediate_size=160,
             num_attention_heads=6, max_position_embeddings=512, bos_token_id=1, eos_token_id=2, pad_token_id=None)
GROUPED = dict(num_key_value_heads=2)
YARN = dict(rope_type="yarn", type="yarn", factor=4.0, original_max_position_embeddings=128, beta_fast=16.0,
            beta_slow=0.5,
            rope_theta=10000.0)


def rope(base, **more):
    return dict(rope_parameters=dict(rope_type="default", rope_theta=base) | more)


def turned(short, long):
    return dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=40,
                short_factor=torch.linspace(1, short, 8).tolist(), long_factor=torch.linspace(1, long, 8).tolist())


# name: transformers' name of the family, layers, and the configuration beside SIZES
FAMILIES = {
    "llama3": ("Llama", 3, dict(**GROUPED, rms_norm_eps=1e-5, **rope(
        10000.0, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=64))),
    "mistral": ("Mistral", 3, dict(**GROUPED, sliding_window=None, head_dim=24)),
    "mistral3": ("Ministral3", 3, dict(**GROUPED, head_dim=32, rope_parameters=dict(
        **YARN, mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.1), sliding_window=None)),
    "smollm3": ("SmolLM3", 5, dict(**GROUPED, **rope(50000.0), use_sliding_window=False)),
    "granite": ("Granite", 3, dict(**GROUPED, embedding_multiplier=6.0, residual_multiplier=0.4, logits_scaling=0.7,
                                   attention_multiplier=0.12)),
    "qwen2": ("Qwen2", 3, dict(**GROUPED, **rope(1e6), use_sliding_window=False)),
    "qwen3": ("Qwen3", 3, dict(**GROUPED, head_dim=24, **rope(1e6), use_sliding_window=False)),
    "phi3": ("Phi3", 3, dict(num_key_value_heads=6, sliding_window=11, **rope(10000.0), resid_pdrop=0.0)),
    "phi3-long": ("Phi3", 3, dict(num_key_value_heads=6, sliding_window=None, original_max_position_embeddings=40,
                                  rope_parameters=turned(1.7, 6), resid_pdrop=0.0)),
    "gemma": ("Gemma", 3, dict(num_key_value_heads=1, head_dim=24)),
    "gemma2": ("Gemma2", 4, dict(**GROUPED, head_dim=16, query_pre_attn_scalar=16, sliding_window=7,
                                 attn_logit_softcapping=2.0, final_logit_softcapping=5.0)),
    "gemma3": ("Gemma3", 7, dict(num_key_value_heads=1, head_dim=16, query_pre_attn_scalar=16, sliding_window=7,
                                 rope_parameters={
                                     "full_attention": dict(rope_type="linear", factor=8.0, rope_theta=1e6),
                                     "sliding_attention": dict(rope_type="default", rope_theta=10000.0)})),
    "olmo2": ("Olmo2", 3, dict(num_key_value_heads=3, **rope(500000.0))),
    "olmo3": ("Olmo3", 5, dict(**GROUPED, sliding_window=6, rope_parameters=dict(YARN))),
    "gpt2": ("GPT2", 3, dict()),
    "gptneox": ("GPTNeoX", 3, dict(hidden_act="gelu", use_parallel_residual=True,
                                   **rope(10000.0, partial_rotary_factor=0.25),
                                   rotary_pct=0.25)),
    "gptneox-sequential": ("GPTNeoX", 3, dict(hidden_act="gelu", use_parallel_residual=False,
                                              **rope(10000.0, partial_rotary_factor=1.0), rotary_pct=1.0)),
}


def build(name, attention):
    """The model in f64, its weights random: norms not 1, biases not 0, scores spread enough that attention matters."""
    kind, layers, more = FAMILIES[name]
    config_class = getattr(transformers, "Gemma3TextConfig" if kind == "Gemma3" else kind + "Config")
    config = config_class(**SIZES | dict(num_hidden_layers=layers) | more)
    config._attn_implementation = attention
    model = getattr(transformers, kind + ("LMHeadModel" if kind == "GPT2" else "ForCausalLM"))(config).eval()
    added = kind.startswith("Gemma")  # Gemma's norms add 1 to their weights
    maker = torch.Generator().manual_seed(len(name) + layers)
    tied = config.tie_word_embeddings
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.dim() == 1 and key.endswith("weight"):
                weight.uniform_(-0.4, 0.5, generator=maker).add_(0 if added else 1)
            elif weight.dim() == 1:
                weight.normal_(0, 0.3, generator=maker)
            elif "embed" in key or "wte" in key:
                weight.normal_(0, 0.08 if added else 0.35 if tied else 1, generator=maker)
            elif "wpe" in key:
                weight.normal_(0, 0.2, generator=maker)
            else:
                fan_in = weight.shape[0] if kind == "GPT2" and "lm_head" not in key else weight.shape[1]
                weight.normal_(0, (2.5 if "lm_head" in key or "embed_out" in key else 1.3) / fan_in ** 0.5,
                               generator=maker)
    return model


def write_vocabulary(writer):
    """In the place of what a converter's set_vocab() does."""
    for key, value in models.vocabulary(False).items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value if isinstance(value, list) else value.tolist())


def convert(model, path):
    """Save the model and have llama.cpp's converter write it to path, in f32."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        pieces = {text: i for i, text in enumerate(models.vocabulary(False)["tokenizer.ggml.tokens"])}
        Path(folder, "tokenizer.json").write_text(json.dumps({"model": {"vocab": pieces}, "added_tokens": []}))
        hparams = conversion.ModelBase.load_hparams(Path(folder), False)
        if model.config.model_type == "gpt_neox":  # what transformers has moved since
            hparams["rotary_pct"] = model.config.rope_parameters["partial_rotary_factor"]
        if model.config.model_type == "gpt2":
            hparams["n_ctx"] = hparams["n_positions"]
        kind = conversion.get_model_class(conversion.get_model_architecture(hparams, conversion.ModelType.TEXT))
        with torch.inference_mode():
            converter = kind(Path(folder), gguf.LlamaFileType.ALL_F32, Path(path), eager=True, hparams=hparams)
            converter = getattr(converter, "impl", converter)  # of some families one class stands before several
            converter.set_vocab = lambda: write_vocabulary(converter.gguf_writer)
            converter.write()
