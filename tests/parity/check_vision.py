"""Vision towers in files that llama.cpp's own converter wrote, against transformers.

    PYTHONPATH=LLAMA_CPP:LLAMA_CPP/gguf-py check_vision.py [NAME...]

LLAMA_CPP is a folder with llama.cpp's source; run it in the build folder.

Image embeddings within 1e-3 of the greatest number, from the same pixels; pixels within 1/255 of what the original's own
preprocessing makes of a picture.
"""
import os
import sys
import tempfile
import warnings

import numpy as np
import torch
import transformers
from PIL import Image

import converted_vision
import program
import test_vision

TOLERANCE = 1e-3  # of the greatest number


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
    return (rows[0] if isinstance(rows, (list, tuple)) else rows).reshape(-1, model.config.text_config.hidden_size).numpy()


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
    image, out = os.path.join(folder, "picture.ppm"), os.path.join(folder, "rows")
    rgb = test_vision.picture(image, width, height, len(name))
    pixels, rows, _ = test_vision.encode(path, image, out)
    wanted = embeddings(model, pixels)
    program.check(rows.shape == wanted.shape, f"{name}: {rows.shape} where {wanted.shape} is expected")
    off = np.abs(rows - wanted).max() / np.abs(wanted).max()
    program.check(off <= TOLERANCE, f"{name}, {width} x {height}: rows are off by {off:.2g} of the greatest number")
    deviation = np.array(converted_vision.mean_and_deviation(name)[1])[:, None, None]
    far = np.abs((pixels - prepared(name, model, Image.fromarray(rgb))) * deviation).max() * 255
    program.check(far <= 1 + 1e-3, f"{name}, {width} x {height}: pixels are off by {far:.3g} of 255")
    return off, far


def main():
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or converted_vision.KINDS:
            path = os.path.join(folder, name + ".gguf")
            try:
                model = converted_vision.build(name)
                converted_vision.convert_tower(model, path, name)
                model = model.double()
                found = [check_tower(name, model, path, folder, *size) for size in ((90, 61), (33, 70), (48, 48))]
            except Exception as error:  # one kind's failure must not hide the others'
                program.check(False, f"{name}: {type(error).__name__}: {error}")
                continue
            worst = np.max(found, axis=0)
            print(f"{name}: embeddings off by {worst[0]:.1e} of the greatest number, pixels by {worst[1]:.2g} of 255",
                  flush=True)
    program.end()


if __name__ == "__main__":
    main()
