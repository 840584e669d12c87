"""Random small vision towers as mmproj files, in the layouts that llama.cpp's converters write, old and new."""
import os
from dataclasses import dataclass, field

import numpy as np

from gguf_write import write_gguf

CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
HALF = ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])


@dataclass
class Tower:
    projector: str = "mlp"
    side: int = 28
    patch: int = 7
    width: int = 48
    heads: int = 4
    layers: int = 3
    ff: int = 80
    merge: int = 1
    hidden: int = 56          # within an mlp
    out: int = 40             # of the decoder
    class_row: bool = False
    pre: bool = False
    post: bool = False
    patch_bias: bool = False
    gelu: bool = False
    exchanged: bool = False   # the old names of a block's second half
    fused: bool = False
    norms: bool = False       # Yi's mlp
    features: list = field(default_factory=list)
    type: str = "F32"
    bias: bool = True
    epsilon: float = 1e-5
    keys: dict = field(default_factory=dict)
    seed: int = 1

    @property
    def grid(self):
        return self.side // self.patch

    @property
    def rows(self):
        return self.grid ** 2 + self.class_row


TOWERS = {
    "llava": Tower(class_row=True, pre=True),
    "llava-old": Tower(class_row=True, pre=True, exchanged=True, type="F16", seed=2),
    "llava-feature": Tower(class_row=True, pre=True, features=[2], seed=3),
    "llava-features": Tower(class_row=True, pre=True, features=[0, 2, 3], post=True, seed=4),
    "llava-blocks": Tower(class_row=True, pre=True, side=92, patch=4, width=32, ff=40, layers=2, seed=5),
    "no-class": Tower(pre=True, features=[3], type="F16", bias=False, seed=6),
    "no-class-plain": Tower(pre=True, width=96, heads=1, ff=96, hidden=64, type="Q8_0", seed=7),
    "yi": Tower(class_row=True, pre=True, norms=True, seed=8),
    "siglip": Tower(post=True, patch_bias=True, gelu=True, fused=True, epsilon=1e-6, seed=9),
    "idefics3": Tower("idefics3", side=30, width=144, heads=2, merge=2, post=True, patch_bias=True, gelu=True,
                      epsilon=1e-6, seed=10),
    "idefics3-q8": Tower("idefics3", side=36, patch=6, width=64, ff=96, merge=3, out=64, post=True, patch_bias=True,
                         gelu=True, type="Q8_0", epsilon=1e-6, seed=11),
    "gemma3": Tower("gemma3", side=32, patch=4, width=80, heads=1, merge=4, post=True, patch_bias=True, gelu=True,
                    type="F16", epsilon=1e-6, seed=12),
    "gemma3-blocks": Tower("gemma3", side=96, patch=2, width=36, heads=2, ff=48, layers=1, merge=2, post=True,
                           patch_bias=True, gelu=True, epsilon=1e-2, keys={"projector.scale_factor": 2}, seed=13),
}


def tensors(t):
    """{name: (type, array)}; norms are not 1 and biases not 0, and scores are spread enough that attention matters."""
    rng, out = np.random.default_rng(t.seed), {}

    def vector(name, size, centre=0.0):
        out[name] = ("F32", centre + rng.normal(0, 0.3, size))

    def matrix(name, rows, columns, scale=1.4):
        fits = t.type != "Q8_0" or columns % 32 == 0
        out[name + ".weight"] = (t.type if fits else "F16", rng.normal(0, scale / columns ** 0.5, (rows, columns)))
        if t.bias:
            vector(name + ".bias", rows)

    def norm(name, width):
        vector(name + ".weight", width, 1.0)
        vector(name + ".bias", width)

    kernel = rng.normal(0, 1 / (3 * t.patch ** 2) ** 0.5, (t.width, 3, t.patch, t.patch))
    out["v.patch_embd.weight"] = ("F32" if t.type == "F32" else "F16", kernel)
    if t.patch_bias:
        vector("v.patch_embd.bias", t.width)
    if t.class_row:
        vector("v.class_embd", t.width)
    out["v.position_embd.weight"] = ("F32", rng.normal(0, 0.5, (t.rows, t.width)))
    if t.pre:
        norm("v.pre_ln", t.width)
    if t.post:
        norm("v.post_ln", t.width)
    up, down = ("ffn_down", "ffn_up") if t.exchanged else ("ffn_up", "ffn_down")
    for i in range(t.layers):
        block = f"v.blk.{i}."
        norm(block + "ln1", t.width)
        norm(block + "ln2", t.width)
        if t.fused:
            matrix(block + "attn_qkv", 3 * t.width, t.width, 1.8)
        else:
            for name in ("attn_q", "attn_k", "attn_v"):
                matrix(block + name, t.width, t.width, 1.8)
        matrix(block + "attn_out", t.width, t.width)
        matrix(block + up, t.ff, t.width)
        matrix(block + down, t.width, t.ff)
    if t.projector == "idefics3":
        matrix("mm.model.fc", t.out, t.merge ** 2 * t.width)
        out.pop("mm.model.fc.bias", None)
    elif t.projector == "gemma3":
        vector("mm.soft_emb_norm.weight", t.width, 1.0)
        out["mm.input_projection.weight"] = (t.type, rng.normal(0, t.width ** -0.5, (t.width, t.out)))
    else:
        matrix("mm.0", t.hidden, t.width * max(1, len(t.features)))
        if t.norms:
            norm("mm.1", t.hidden)
            norm("mm.4", t.out)
        matrix("mm.3" if t.norms else "mm.2", t.out, t.hidden)
    return out


def metadata(t):
    mean, deviation = CLIP if t.projector == "mlp" else HALF
    keys = {
        "image_size": t.side, "patch_size": t.patch, "embedding_length": t.width, "feed_forward_length": t.ff,
        "block_count": t.layers, "attention.head_count": t.heads, "attention.layer_norm_epsilon": t.epsilon,
        "image_mean": np.array(mean, "f4"), "image_std": np.array(deviation, "f4"), "projection_dim": t.out, **t.keys,
    }
    if t.features:
        keys["feature_layer"] = np.array(t.features, "i4")
    if t.projector == "idefics3":
        keys.update({"projector.scale_factor": t.merge, "preproc_image_size": 2 * t.side})
    return {"general.architecture": "clip", "general.type": "mmproj", "general.name": "random tower",
            "clip.has_vision_encoder": True, "clip.projector_type": t.projector, "clip.use_gelu": t.gelu,
            **{"clip.vision." + key: value for key, value in keys.items()}}


def build(path, tower):
    write_gguf(path, metadata(tower), tensors(tower))


def build_all(folder, towers=None):
    """Write every tower; {name: path}."""
    towers = TOWERS if towers is None else towers
    paths = {name: os.path.join(folder, name + ".gguf") for name in towers}
    for name, path in paths.items():
        build(path, towers[name])
    return paths
