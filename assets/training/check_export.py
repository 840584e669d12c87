"""Hold the program on the exported files against PyTorch: python3 check_export.py FOLDER, in the build folder

Owns nothing.  On scenes of the data set and on the stories with known truth the program's greedy answer must be that of
the network in FOLDER, its matrices rounded to F16 and its logits made softer, and every token's log-probability the
same.
"""

import json
import pathlib
import sys

import torch

import dataset
import export
import measure
import measure_pictures
import tower
import vocabulary

ASSETS = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(ASSETS.parent / "tests" / "parity"))
import program  # noqa: E402

SCENES, LONGEST, CLOSE = 40, 24, 2e-3  # cases, tokens, nats


@torch.no_grad()
def said_by(network, row, features=None):
    """The greedy answer to the ids of a prompt, whose picture begins at 1, and its log-probabilities."""
    said, values = [], []
    while len(said) < LONGEST and said[-1:] != [vocabulary.EOS]:
        states, _ = network(torch.tensor([row + said]), features=features, first=1)
        found = (network.logits(states[0, -1]).double() / export.SOFTER).log_softmax(-1)
        said.append(int(found.argmax()))
        values.append(float(found.max()))
    return said[:-1], values[:-1]


def compare(network, row, features, case, pictures):
    said, values = said_by(network, row, features)
    found = program.run("generate", "-m", str(ASSETS / "demo.gguf"), "--precision", "f32", "--raw", "-n", str(LONGEST),
                        "-p", case["prompt"], *pictures)["tokens"]
    program.check([token["id"] for token in found] == said, f"{case['id']}: the answers differ")
    return max(abs(token["logprob"] - value) for token, value in zip(found, values))


def main(folder):
    network, words = measure.load(folder / "demo.pt")
    seeing = measure_pictures.load_tower(folder / "tower.pt")
    stories = [json.loads(line) for line in (ASSETS / "demo_cases.jsonl").read_text(encoding="utf-8").splitlines()]
    far = [compare(network, [vocabulary.BOS] + words.encode(case["prompt"])[0], None, case, []) for case in stories]
    for case, picture, _ in dataset.lines(SCENES):
        with torch.no_grad():
            features = seeing(tower.normalised(picture[None]))
        row = [vocabulary.BOS] + [0] * features.shape[1] + words.encode(case["prompt"].removeprefix("<image>"))[0]
        images = [word for image in case["images"] for word in ("--image", str(ASSETS / image))]
        far.append(compare(network, row, features, case, images))
    program.check(max(far) < CLOSE, f"a log-probability is {max(far):.1e} nats away")
    print(f"{len(far)} answers; greatest difference of a log-probability {max(far):.1e} nats")
    program.end()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
