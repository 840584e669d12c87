"""check_pictures.py [FILE...]: pictures as read, resized and prepared here, against Pillow and transformers' own
preprocessing, on pictures like photographs (generated, and any that are named).

Runs in the build folder, with a Python that has Pillow, transformers and torch; needs tests/parity/picture."""
import os
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image, ImageOps
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

FILTERS = [Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS]
PAD_SQUARE, STRETCH = 0, 1
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
HALF = ([0.5] * 3, [0.5] * 3)
SIZES = [(640, 480), (333, 500), (97, 61), (1600, 1067), (1000, 40), (220, 700), (336, 336)]
failures = 0


def natural(width, height, seed):
    """Noise with the spectrum of photographs, a lamp's gradient, and hard edges."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = 1
    layers = []
    for _ in range(3):
        spectrum = random.normal(size=frequency.shape) + 1j * random.normal(size=frequency.shape)
        layer = np.fft.irfft2(spectrum / frequency ** 1.1, s=(height, width))
        layers.append((layer - layer.mean()) / max(layer.std(), 1e-9))
    picture = np.stack(layers, -1) * 45 + 128 + np.linspace(-60, 60, width)[None, :, None]
    picture[height // 3:height // 2, width // 5:width // 2] = [250, 30, 10]
    picture[height // 2:, width // 2:, 1] += 70 * (np.arange(width - width // 2) // 3 % 2)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


class Ours:
    def __init__(self, files):
        self.process = subprocess.Popen(["tests/parity/picture", *files], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, *request):
        self.process.stdin.write((" ".join(map(str, request)) + "\n").encode())
        self.process.stdin.flush()

    def image(self, *request):
        self.ask(*request)
        width, height = map(int, self.process.stdout.readline().split())
        return np.frombuffer(self.process.stdout.read(width * height * 3), np.uint8).reshape(height, width, 3)

    def prepared(self, number, kind, side, longest, filter_, mean, deviation):
        self.ask("prepare", number, kind, side, longest, filter_, *mean, *deviation)
        return np.frombuffer(self.process.stdout.read(side * side * 12), np.float32).reshape(3, side, side)


def rows_first(picture, size, filter_):
    """What Pillow did by itself until 13, which begins with the columns where that is faster."""
    return picture.resize((size[0], picture.height), filter_).resize(size, filter_)


def compare(what, ours, theirs, allowed):
    global failures
    same = ours.shape == theirs.shape
    difference = np.abs(ours.astype(np.float64) - theirs).max() if same else np.inf
    print(f"{what}: greatest difference {difference:.3g} levels" + ("" if difference <= allowed else "  FAILED"))
    failures += difference > allowed


def levels(prepared, mean, deviation):
    return (prepared * np.array(deviation)[:, None, None] + np.array(mean)[:, None, None]) * 255


def check_preparations(ours, number, name, picture):
    mean, deviation = CLIP
    theirs = LlavaImageProcessorPil(do_pad=True, size={"height": 336, "width": 336}, do_center_crop=False)
    compare_prepared(ours, number, f"{name}, LLaVA 1.5", picture, theirs, (PAD_SQUARE, 336, 0, 2, mean, deviation))
    mean, deviation = HALF
    theirs = Gemma3ImageProcessorPil(size={"height": 896, "width": 896})
    compare_prepared(ours, number, f"{name}, Gemma 3", picture, theirs, (STRETCH, 896, 0, 1, mean, deviation))
    for side, longest in ((512, 2048), (384, 1536)):
        theirs = Idefics3ImageProcessorPil(size={"longest_edge": longest}, max_image_size={"longest_edge": side},
                                           do_image_splitting=False)
        compare_prepared(ours, number, f"{name}, SmolVLM {side}", picture, theirs,
                         (STRETCH, side, longest, 3, mean, deviation))


def compare_prepared(ours, number, what, picture, theirs, how):
    original = np.array(theirs(picture, return_tensors="np")["pixel_values"]).reshape(3, how[1], how[1])
    compare(what, levels(ours.prepared(number, *how), *how[4:]), levels(original, *how[4:]), 1)


def main():
    with tempfile.TemporaryDirectory() as folder:
        pictures, files = [], []
        for i, (width, height) in enumerate(SIZES):
            pictures.append(natural(width, height, i))
            files.append(os.path.join(folder, f"{width}x{height}.png"))
            pictures[-1].save(files[-1])
        for file in sys.argv[1:]:
            pictures.append(ImageOps.exif_transpose(Image.open(file)).convert("RGB"))
            files.append(file)
        ours = Ours(files)
        for number, (file, picture) in enumerate(zip(files, pictures)):
            name = os.path.basename(file)
            compare(f"{name}, read", ours.image("decode", number), np.array(picture), 0 if number < len(SIZES) else 1)
            for filter_, theirs in enumerate(FILTERS):
                for size in ((336, 336), (50, 73), (800, 640), (1, 1)):
                    resized = np.array(rows_first(picture, size, theirs))
                    compare(f"{name}, {theirs.name} to {size[0]}x{size[1]}",
                            ours.image("resize", number, *size, filter_), resized, 0)
            check_preparations(ours, number, name, picture)
    print("pictures:", "differ" if failures else "as the originals have them")
    sys.exit(1 if failures else 0)


main()
