#!/usr/bin/env python3
"""Write image.golden: pictures made by a formula, resized by Pillow and prepared by transformers.

    python3 make_image_golden.py [--check]        (needs: pip install pillow transformers torch)

With --check nothing is written; the file must be what would have been, up to rounding.

The file is a sequence of records, each a line and the numbers behind it:
    resize FROM_WIDTH FROM_HEIGHT WIDTH HEIGHT FILTER                       u8 [HEIGHT, WIDTH, 3]
    prepare FROM_WIDTH FROM_HEIGHT KIND SIDE LONGEST FILTER MEAN*3 DEVIATION*3    f32 [3, SIDE, SIDE], little-endian
FILTER and KIND are the numbers of enum image_filter and enum prepare_kind.
"""
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

BOX, BILINEAR, BICUBIC, LANCZOS = range(4)
FILTERS = [Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS]
PAD_SQUARE, STRETCH = range(2)
SIZES = [((40, 30), (9, 7)), ((31, 57), (8, 20)), ((9, 7), (20, 15)), ((16, 50), (19, 4)),
         ((64, 3), (5, 3)), ((5, 5), (1, 1))]
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
HALF = ([0.5] * 3, [0.5] * 3)
PREPARED = [(40, 30), (21, 50), (14, 14), (5, 4)]


def picture(width, height):
    """A slope under a pattern with hard edges; test_prepare.c has the same."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return Image.fromarray(((x * 5 + y * 3 + c * 40 + (x * y * (c + 2) + x // 3) % 7 * 25) % 256).astype(np.uint8))


def rows_first(image, size, filter_):
    """What Pillow did by itself until 13, which begins with the columns where that is faster."""
    return image.resize((size[0], image.height), filter_).resize(size, filter_)


def prepared(size):
    """(kind, side, longest, filter, mean and deviation), and what transformers makes of it."""
    image = picture(*size)
    llava = LlavaImageProcessorPil(do_pad=True, size={"height": 10, "width": 10}, do_center_crop=False)
    yield (PAD_SQUARE, 10, 0, BICUBIC, CLIP), llava(image)
    gemma = Gemma3ImageProcessorPil(size={"height": 11, "width": 11})
    yield (STRETCH, 11, 0, BILINEAR, HALF), gemma(image)
    idefics = Idefics3ImageProcessorPil(size={"longest_edge": 32}, max_image_size={"longest_edge": 8},
                                        do_image_splitting=False)
    yield (STRETCH, 8, 32, LANCZOS, HALF), idefics(image)


def make_golden():
    out = io.BytesIO()
    for size, to in SIZES:
        for filter_, theirs in enumerate(FILTERS):
            out.write(f"resize {size[0]} {size[1]} {to[0]} {to[1]} {filter_}\n".encode())
            out.write(np.array(rows_first(picture(*size), to, theirs)).tobytes())
    for size in PREPARED:
        for (kind, side, longest, filter_, (mean, deviation)), features in prepared(size):
            numbers = " ".join(f"{x:.8f}" for x in (*mean, *deviation))
            out.write(f"prepare {size[0]} {size[1]} {kind} {side} {longest} {filter_} {numbers}\n".encode())
            out.write(np.array(features["pixel_values"]).reshape(3, side, side).astype("<f4").tobytes())
    return out.getvalue()


def main():
    path = Path(__file__).with_name("image.golden")
    golden = make_golden()
    if sys.argv[1:] != ["--check"]:
        path.write_bytes(golden)
    elif path.read_bytes() != golden:
        sys.exit(f"{path} is not what Pillow and transformers give now")


if __name__ == "__main__":
    main()
