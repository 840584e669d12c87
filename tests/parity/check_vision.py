"""Vision towers in files that llama.cpp's own converter wrote, against transformers.

    PYTHONPATH=LLAMA_CPP:LLAMA_CPP/gguf-py check_vision.py [NAME...]

LLAMA_CPP is a folder with llama.cpp's source; run it in the build folder.

Image embeddings within 1e-3 of the greatest number, from the same pixels; pixels within 1/255 of what the original's
own preprocessing makes of a picture.  Then the whole model, from the picture's file and the original's pixels:
log-probabilities within 1e-3, and relevance over text and patches within 1e-3 nats, in all four variants and with
neighbours.
"""
import os
import sys
import tempfile
import warnings

import numpy as np
import torch
import transformers
from PIL import Image

import converted
import converted_vision
import oracle
import pictures
import program
import reference
import test_small
import test_vision

TOLERANCE = 1e-3  # of the greatest number; nats
SIZES = ((90, 61), (33, 70), (48, 48))


@torch.no_grad()
def embeddings(model, pixels):
    """[tokens, width of the decoder]"""
    x = torch.from_numpy(pixels.copy())[None].double()
    more = {}
    if model.config.model_type == "smolvlm":
        x = x[None]
    if model.config.model_type == "llava":
        more = dict(vision_feature_layer=model.config.vision_feature_layer,
                    vision_feature_select_strategy=model.config.vision_feature_select_strategy)
        more["output_hidden_states"] = True
    found = model.get_image_features(x, **more)
    rows = getattr(found, "pooler_output", found)
    rows = rows[0] if isinstance(rows, (list, tuple)) else rows
    return rows.reshape(-1, model.config.text_config.hidden_size).numpy()


def prepared(name, model, image):
    """Pixels [3, side, side] by the original's own preprocessing."""
    side = model.config.vision_config.image_size
    mean, deviation = converted_vision.mean_and_deviation(name)
    common = dict(image_mean=mean, image_std=deviation)
    square = {"height": side, "width": side}
    kind = converted_vision.KINDS[name][1]
    if kind == "Llava":
        processor = transformers.LlavaImageProcessorPil(do_pad=True, size=square, do_center_crop=False, **common)
    elif kind == "SmolVLM":
        processor = transformers.SmolVLMImageProcessorPil(do_image_splitting=False, size={"longest_edge": 2 * side},
                                                          max_image_size={"longest_edge": side}, **common)
    else:
        processor = transformers.Gemma3ImageProcessorPil(size=square, **common)
    found = np.asarray(processor(image, return_tensors="np")["pixel_values"])
    return found.reshape(3, side, side)


def check_tower(name, model, path, folder, width, height):
    rgb, out = pictures.picture(width, height, len(name)), os.path.join(folder, "rows")
    image = pictures.write_png(os.path.join(folder, "picture.png"), rgb)
    pixels, rows, _ = test_vision.encode(path, image, out)
    wanted = embeddings(model, pixels)
    program.check(rows.shape == wanted.shape, f"{name}: {rows.shape} where {wanted.shape} is expected")
    off = np.abs(rows - wanted).max() / np.abs(wanted).max()
    program.check(off <= TOLERANCE, f"{name}, {width} x {height}: rows are off by {off:.2g} of the greatest number")
    deviation = np.array(converted_vision.mean_and_deviation(name)[1])[:, None, None]
    far = np.abs((pixels - prepared(name, model, Image.fromarray(rgb))) * deviation).max() * 255
    program.check(far <= 1 + 1e-3, f"{name}, {width} x {height}: pixels are off by {far:.3g} of 255")
    return off, far


@torch.no_grad()
def log_probs(model, ids, pixels, rows, multipliers, variant):
    """[probes, rows, vocabulary], as reference.log_probs() for all layers; ids below 0 are the picture's rows."""
    text = model.config.text_config
    oracle.state.update(multiplier=torch.from_numpy(np.asarray(multipliers)), variant=variant,
                        layers=(0, text.num_hidden_layers - 1))
    picture = torch.tensor([[i < 0 for i in ids]] * len(multipliers))
    fed = torch.tensor([list(ids)] * len(multipliers)).masked_fill(picture, converted_vision.IMAGE_ID)
    x = torch.from_numpy(pixels.copy())[None].double().expand(len(multipliers), -1, -1, -1)
    more = dict(token_type_ids=picture.long()) if model.config.model_type == "gemma3" else {}
    x = x[:, None] if model.config.model_type == "smolvlm" else x
    logits = model(fed, pixel_values=x, use_cache=False, **more).logits[:, list(rows)]
    return torch.log_softmax(logits.double(), dim=-1).numpy()


def cosines(model, ids, rows):
    with torch.no_grad():
        e = model.get_input_embeddings()(torch.tensor([max(i, 0) for i in ids])).numpy()
    e[np.array(ids) < 0] = rows
    e = e / np.linalg.norm(e, axis=1, keepdims=True)
    return e @ e.T


def neighbours(unit, ids, similarity, cosine, window):
    """The multipliers of a unit of one token and what is like it; of a patch, patches in the window around it."""
    m = reference.multiplier(unit, len(ids), 0.1, similarity, cosine)
    at, patches = unit[0], np.flatnonzero(np.array(ids) < 0)
    if window and similarity is not None and ids[at] < 0:
        y, x = np.divmod(patches - patches[0], int(len(patches) ** 0.5))
        mine = at - patches[0]
        near = np.maximum(np.abs(y - y[mine]), np.abs(x - x[mine])) <= window // 2
        far = np.ones(len(ids), bool)
        far[patches[near]] = False
        m[far] = 1
    return m


def explain(paths, image, prompt, variant, similarity, window):
    return program.run("explain", "-m", paths[0], "--mmproj", paths[1], "--image", image, "-p", prompt, "--generate",
                       "2", "--units", "token", "--patches", "patch", "--suppress", variant, "--precision", "f32",
                       "--similarity", repr(similarity) if similarity is not None else "off",
                       "--window", str(window or "off"))


def check_relevance(name, model, paths, image, pixels, variant, similarity=None, window=None):
    label = f"{name}, {variant}, similarity {similarity}, window {window}"
    found = explain(paths, image, "Tom has <image> a red ball, and she", variant, similarity, window)
    ids, target = ([token["id"] for token in found[part]["tokens"]] for part in ("prompt", "target"))
    fed, rows = ids + target[:-1], range(len(ids) - 1, len(ids) + len(target) - 1)
    cosine = cosines(model, fed, embeddings(model, pixels)) if similarity is not None else None
    spans = program.unit_spans(found)
    m = [np.ones(len(fed))] + [neighbours(span, fed, similarity, cosine, window) for span in spans]
    logp = log_probs(model, fed, pixels, rows, m, variant)
    t = np.arange(len(target))
    wanted = logp[0, t, target] - logp[1:, t, target]
    for row, span in enumerate(spans):
        wanted[row, t + len(ids) <= span[0]] = 0
    off = np.abs(np.array(found["relevance"]) - wanted).max()
    pairs = [(t, c["id"], c["logprob"]) for t in range(len(target)) for c in found["target"]["tokens"][t]["candidates"]]
    log_off = max(abs(logp[0, t, i] - p) for t, i, p in pairs)
    patches = [u for u, span in enumerate(spans) if span[0] < len(ids) and ids[span[0]] < 0]
    program.check(len(patches) == ids.count(-1) > 8, f"{label}: {len(patches)} units of patches")
    program.check(off <= TOLERANCE, f"{label}: relevance is off by {off:.2g} nats")
    program.check(log_off <= TOLERANCE, f"{label}: log-probs are off by {log_off:.2g}")
    return off, log_off, np.abs(wanted[patches]).max()


def check_whole(name, model, paths, folder):
    rgb = pictures.picture(90, 61, 7)
    image = pictures.write_png(os.path.join(folder, "picture.png"), rgb)
    pixels = prepared(name, model, Image.fromarray(rgb))
    results = [check_relevance(name, model, paths, image, pixels, variant) for variant in reference.VARIANTS]
    found = explain(paths, image, "Tom has <image> a red ball, and she", "row-min-causal", None, None)
    ids = [token["id"] for part in ("prompt", "target") for token in found[part]["tokens"]][:-1]
    similarity = test_small.clear_threshold(cosines(model, ids, embeddings(model, pixels)))
    for window in (None, 3):
        results.append(check_relevance(name, model, paths, image, pixels, "row-min-causal", similarity, window))
    return np.max(results, axis=0)


def main():
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or converted_vision.KINDS:
            paths = [os.path.join(folder, name + end) for end in (".gguf", "-mmproj.gguf")]
            try:
                model = converted_vision.build(name, "atman")
                converted.convert(converted_vision.decoder(model), paths[0])
                converted_vision.convert_tower(model, paths[1], name)
                model = model.double()
                oracle.state.update(multiplier=None)
                tower = np.max([check_tower(name, model, paths[1], folder, *size) for size in SIZES], axis=0)
                whole = check_whole(name, model, paths, folder)
            except Exception as error:  # one kind's failure must not hide the others'
                program.check(False, f"{name}: {type(error).__name__}: {error}")
                continue
            print(f"{name}: embeddings off by {tower[0]:.1e} of the greatest number, pixels by {tower[1]:.2g} of 255; "
                  f"relevance by {whole[0]:.1e} nats (of a patch up to {whole[2]:.2g}), log-probs by {whole[1]:.1e}",
                  flush=True)
    program.end()


if __name__ == "__main__":
    main()
