"""Random small vision-language models of every kind, built by transformers: LLaVA 1.5, SmolVLM, Gemma 3.

Language models and the towers of the latter two are converted by llama.cpp's own converter; LLaVA's tower is written
here as llama.cpp's legacy script does.  Needs what converted.py needs; nothing in `make check` does.
"""
import json
import tempfile
from pathlib import Path

import conversion
import gguf
import safetensors.torch
import torch
import transformers

import converted
import towers
from gguf_write import write_gguf

TEXT = dict(converted.SIZES, num_hidden_layers=3)
ROPE = converted.rope(10000.0)
VISION = dict(num_hidden_layers=3, num_channels=3)
LLAMA = dict(TEXT, num_key_value_heads=2, **ROPE)
IMAGE_ID = 3  # a byte that no prompt of the tests has


def llava(layer=-2, strategy="default"):
    vision = transformers.CLIPVisionConfig(**VISION, hidden_size=60, intermediate_size=88, num_attention_heads=4,
                                           image_size=28, patch_size=7, hidden_act="quick_gelu", layer_norm_eps=1e-5)
    config = transformers.LlavaConfig(vision_config=vision, text_config=transformers.LlamaConfig(**LLAMA),
                                      image_token_index=IMAGE_ID, vision_feature_layer=layer,
                                      vision_feature_select_strategy=strategy, projector_hidden_act="gelu")
    return transformers.LlavaForConditionalGeneration, config


def smolvlm(side=36):
    vision = transformers.SmolVLMVisionConfig(**VISION, hidden_size=72, intermediate_size=100, num_attention_heads=1,
                                              image_size=side, patch_size=6, layer_norm_eps=1e-6)
    config = transformers.SmolVLMConfig(vision_config=vision, text_config=transformers.LlamaConfig(**LLAMA),
                                        image_token_id=IMAGE_ID, scale_factor=2, pad_token_id=0)
    return transformers.SmolVLMForConditionalGeneration, config


def gemma3():
    vision = transformers.SiglipVisionConfig(**VISION, hidden_size=80, intermediate_size=112, num_attention_heads=2,
                                             image_size=48, patch_size=6, layer_norm_eps=1e-6, vision_use_head=False)
    text = transformers.Gemma3TextConfig(**dict(TEXT, num_hidden_layers=7), num_key_value_heads=1, head_dim=16,
                                         query_pre_attn_scalar=16, sliding_window=9, rope_parameters={
                                             "full_attention": dict(rope_type="linear", factor=8.0, rope_theta=1e6),
                                             "sliding_attention": dict(rope_type="default", rope_theta=10000.0)})
    config = transformers.Gemma3Config(vision_config=vision, text_config=text, mm_tokens_per_image=16,
                                       image_token_id=IMAGE_ID)
    return transformers.Gemma3ForConditionalGeneration, config


# name: the configuration, what prepares pictures, and the states that the projector takes (None: the last)
KINDS = {
    "llava": (llava, "Llava", None),
    "llava-features": (lambda: llava([1, -1]), "Llava", [1, 3]),
    "smolvlm": (smolvlm, "SmolVLM", None),
    "smolvlm-remainder": (lambda: smolvlm(40), "SmolVLM", None),
    "gemma3": (gemma3, "Gemma3", None),
}


def build(name, attention="eager"):
    """The model in f32, its weights random: norms not 1, biases not 0, scores spread enough that attention matters."""
    kind, config = KINDS[name][0]()
    config.text_config._attn_implementation = attention
    config.vision_config._attn_implementation = "eager"
    model = kind(config).eval()
    maker = torch.Generator().manual_seed(len(name))
    gemma = name == "gemma3"
    with torch.no_grad():
        for key, weight in model.named_parameters():
            text = "language_model" in key or "text_model" in key or "soft_emb" in key
            if weight.dim() == 1 and key.endswith("weight"):
                weight.uniform_(-0.4, 0.5, generator=maker).add_(0 if gemma and text else 1)
            elif weight.dim() == 1:
                weight.normal_(0, 0.3, generator=maker)
            elif "embed_tokens" in key:
                weight.normal_(0, 0.08 if gemma else 1, generator=maker)
            elif "position_embedding" in key:
                weight.normal_(0, 0.5, generator=maker)
            elif "mm_input_projection" in key:
                weight.normal_(0, weight.shape[0] ** -0.5, generator=maker)
                weight.copy_(weight.half())  # as the converter stores it
            else:
                fan_in = weight[0].numel()
                weight.normal_(0, (2.5 if "lm_head" in key else 1.3) / fan_in ** 0.5, generator=maker)
    model.tie_weights()
    return model


def decoder(model):
    """The language model by itself, as transformers would save it."""
    text = model.config.text_config
    kind = transformers.Gemma3ForCausalLM if "gemma3" in text.model_type else transformers.LlamaForCausalLM
    alone = kind(text).eval()
    inner = model.model.language_model if hasattr(model.model, "language_model") else model.model.text_model
    alone.model.load_state_dict(inner.state_dict())
    alone.lm_head.load_state_dict(model.lm_head.state_dict())
    return alone


def mean_and_deviation(name):
    return towers.CLIP if name.startswith("llava") else towers.HALF


def write_llava(model, path, name):
    """In the layout of llama.cpp's legacy script: what is not projected is left out, fc1 is ffn_down and fc2 ffn_up."""
    vision, state = model.config.vision_config, model.state_dict()
    chosen = KINDS[name][2]
    layers = max(chosen) if chosen else vision.num_hidden_layers - 1
    tensors = {}

    def put(name, key):
        tensor = state[key].float().numpy()
        tensors[name] = ("F32", tensor)

    inner = any("vision_tower.vision_model." in key for key in state)
    tower = "model.vision_tower." + ("vision_model." if inner else "")
    put("v.class_embd", tower + "embeddings.class_embedding")
    put("v.patch_embd.weight", tower + "embeddings.patch_embedding.weight")
    put("v.position_embd.weight", tower + "embeddings.position_embedding.weight")
    parts = {"ln1": "layer_norm1", "ln2": "layer_norm2", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
             "attn_v": "self_attn.v_proj", "attn_out": "self_attn.out_proj", "ffn_down": "mlp.fc1", "ffn_up": "mlp.fc2"}
    for end in ("weight", "bias"):
        put(f"v.pre_ln.{end}", tower + f"pre_layrnorm.{end}")
        for layer in range(layers):
            for ours, theirs in parts.items():
                put(f"v.blk.{layer}.{ours}.{end}", tower + f"encoder.layers.{layer}.{theirs}.{end}")
        for ours, theirs in (("mm.0", "linear_1"), ("mm.2", "linear_2")):
            put(f"{ours}.{end}", f"model.multi_modal_projector.{theirs}.{end}")
    mean, deviation = mean_and_deviation(name)
    metadata = {"general.architecture": "clip", "clip.has_text_encoder": False, "clip.has_vision_encoder": True,
                "clip.has_llava_projector": True, "clip.projector_type": "mlp", "clip.use_gelu": False}
    keys = {"image_size": vision.image_size, "patch_size": vision.patch_size, "embedding_length": vision.hidden_size,
            "feed_forward_length": vision.intermediate_size, "projection_dim": vision.projection_dim,
            "attention.head_count": vision.num_attention_heads,
            "attention.layer_norm_epsilon": float(vision.layer_norm_eps), "block_count": layers, "image_mean": mean,
            "image_std": deviation, **({"feature_layer": chosen} if chosen else {})}
    write_gguf(path, metadata | {"clip.vision." + key: value for key, value in keys.items()}, tensors)


def rename(folder):
    """Give tensors the names that the converter knows, which transformers has changed since."""
    path = Path(folder, "model.safetensors")
    state = {key.replace("vision_tower.vision_model.", "vision_tower.").replace(
        "vision_tower.", "vision_tower.vision_model."): value
        for key, value in safetensors.torch.load_file(path).items()}
    safetensors.torch.save_file(state, path, {"format": "pt"})


def convert_tower(model, path, name):
    """Save the model and have llama.cpp's converter write its tower and projector to path, in f32."""
    if name.startswith("llava"):
        return write_llava(model, path, name)
    mean, deviation = mean_and_deviation(name)
    prepared = {"image_mean": mean, "image_std": deviation}
    if name == "gemma3":
        prepared["image_seq_length"] = model.config.mm_tokens_per_image
    else:
        prepared["size"] = {"longest_edge": 2 * model.config.vision_config.image_size}
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        if name == "gemma3":
            rename(folder)
        Path(folder, "preprocessor_config.json").write_text(json.dumps(prepared))
        hparams = conversion.ModelBase.load_hparams(Path(folder), False)
        kind = conversion.get_model_class(hparams["architectures"][0], mmproj=True)
        with torch.inference_mode():
            converter = kind(Path(folder), gguf.LlamaFileType.ALL_F32, Path(path), eager=True, hparams=hparams)
            converter.write()
