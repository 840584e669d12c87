"""Train the demo model: python3 train.py FOLDER [--seed N]

Owns the recipe, in three stages: the tower learns to see (tower.py), its features of many scenes are kept, the decoder
learns to read and to look.  Writes FOLDER/tower.pt and FOLDER/demo.pt, weights, configuration and vocabulary, from
which export.py makes the GGUF files.  A tower that is in FOLDER already, of the same seed and code, is taken as it is.
"""

import argparse
import dataclasses
import hashlib
import pathlib
import time

import numpy as np
import torch
from torch.nn import functional as F

import measure
import measure_pictures
import model
import optimiser
import packing
import picture_batches
import scenes
import stories
import story_batches
import tower
import vocabulary

GUIDED_HEADS = 2
BINDING, READING, LOOKING = 1, 2, 3  # guided layers


def say(*words):
    print(*words, flush=True)


# -- the tower ---------------------------------------------------------------------------------------------------------

def tower_code():
    """What decides how the tower comes out, beside the seed."""
    here = pathlib.Path(__file__).parent
    names = ("optimiser.py", "scenes.c", "scenes.py", "sprites.py", "tower.py")
    return hashlib.sha256(b"".join((here / name).read_bytes() for name in names)).hexdigest()


def trained_tower(path, seed):
    made = {"seed": seed, "code": tower_code(), "threads": torch.get_num_threads()}
    if path.exists():
        kept = torch.load(path, weights_only=False)
        if kept["made"] == made:
            say("the tower is there already")
            return measure_pictures.load_tower(path)
    seeing = tower.train(seed, say=say)
    torch.save({"made": made, "config": dataclasses.asdict(seeing.config), "weights": seeing.state_dict()}, path)
    return measure_pictures.load_tower(path)


@torch.no_grad()
def looked_at(seeing, count, seed, part=100):
    """Features [count, places, width] in f16 of scenes, the things in them, their numbers, and what they cover."""
    features, things, counts, coverage = [], [], [], []
    for first in range(0, count, part):
        drawn = scenes.draw(min(part, count - first), seed + first)
        features.append(seeing(tower.normalised(drawn.pictures)).half())
        things.append(drawn.things)
        counts.append(drawn.counts)
        coverage.append(drawn.coverage().astype(np.float16))
    return torch.cat(features), np.concatenate(things), np.concatenate(counts), np.concatenate(coverage)


# -- the decoder -------------------------------------------------------------------------------------------------------

def paid_attention(attention, queries, keys):
    """The attention [n] that the n positions `queries` [rows, T] pay to their `keys` [n, T], over the guided heads."""
    row, position = queries.nonzero(as_tuple=True)
    return (attention[row, :, position] * keys[:, None]).sum(-1).mean(-1)


def story_guide(attentions, batch):
    """Attention to what decides, in three tensors of shares: in the binding layer of a fact's words to its earlier
    ones, and of an answer to the names in its question; in the reading layer of an answer to the deciding facts."""
    branch, told, wanted = batch["branch"], batch["told"], batch["wanted"]
    row, position = (told > 0).nonzero(as_tuple=True)
    fact = (told[row, position][:, None] & told[row]) != 0
    fact &= torch.arange(told.shape[1])[None] < position[:, None]
    bound = fact.any(-1)
    facts = paid_attention(attentions[BINDING], told > 0, fact)[bound]
    row, position = (wanted > 0).nonzero(as_tuple=True)
    own = batch["asked"][row] & (branch[row] == branch[row, position][:, None])
    questions = paid_attention(attentions[BINDING], wanted > 0, own)
    deciding = (wanted[row, position][:, None] & told[row]) != 0
    return facts, questions, paid_attention(attentions[READING], wanted > 0, deciding)


def picture_guide(attentions, batch):
    """The same with pictures, in two tensors: in the binding layer of a word to the patches of the thing that it names,
    in the looking layer of an answer to the patches of the deciding things."""
    shares = []
    for layer, things in ((BINDING, batch["told"]), (LOOKING, batch["wanted"])):
        row, position = (things > 0).nonzero(as_tuple=True)
        meant = (things[row, position][:, None] >> torch.arange(scenes.MOST)) & 1
        patches = (batch["covers"][row] & (meant > 0)[:, :, None]).any(1)
        keys = F.pad(patches, (batch["first"], things.shape[1] - batch["first"] - patches.shape[1]))
        shares.append(paid_attention(attentions[layer], things > 0, keys))
    return shares


def loss_of(network, batch, smoothing, guidance, guide, features=None):
    """Weighted cross entropy, plus guidance times the mean negative log of the attention paid to what decides.  Returns
    the sum, the cross entropy alone, and the attention paid."""
    watched = dict.fromkeys((BINDING, READING, LOOKING), GUIDED_HEADS) if guidance else None
    states, attentions = network(batch["ids"], batch["positions"], packing.attention_mask(batch), watched=watched,
                                 features=features, first=batch.get("first", 0))
    chosen = batch["weight"] > 0
    losses = F.cross_entropy(network.logits(states[chosen]), batch["target"][chosen], reduction="none",
                             label_smoothing=smoothing)
    weight = batch["weight"][chosen]
    loss = (losses * weight).sum() / weight.sum()
    if not guidance:
        return loss, loss.item(), ()
    shares = guide(attentions, batch)
    guided = sum(torch.log(share + 1e-4).mean() for share in shares)
    return loss - guidance * guided, loss.item(), [share.mean().item() for share in shares]


def trained_decoder(options, seeing, path):
    torch.manual_seed(options.seed)
    serialised = vocabulary.train(options.vocabulary)
    words = vocabulary.Vocabulary(serialised)
    config = model.Config(words.size, width=options.width, layers=options.layers, heads=options.width // 32,
                          inner=options.inner, sight=seeing.config.width)
    network = model.Model(config)
    parameters = sum(weight.numel() for weight in network.parameters())
    start = time.time()
    features, things, counts, coverage = looked_at(seeing, options.scenes, options.seed * 10_000_000 + 5_000_000)
    say(f"{parameters} parameters, {words.size} pieces, {options.scenes} scenes seen in {time.time() - start:.0f}s")
    held_out = measure_pictures.HeldOut(seeing, 300, tower.TEST_SEED)
    loaders = [torch.utils.data.DataLoader(source, batch_size=None, num_workers=1, prefetch_factor=8) for source in (
        story_batches.Batches(serialised, options.seed, options.stories, easy=options.steps // 4),
        picture_batches.Batches(serialised, things, counts, coverage, options.seed, options.pictures,
                                options.questions))]
    steps = optimiser.Optimiser(network, options.rate, options.steps)
    start, sums = time.time(), np.zeros(2)
    for step, (read, seen) in enumerate(zip(*loaders), 1):
        guidance = options.guidance * max(0.0, 1 - step / (options.steps * 0.7))
        paid = []
        for part, (batch, guide, look) in enumerate(((read, story_guide, None), (seen, picture_guide, features))):
            shown = None if look is None else look[batch["pictures"]].float()
            loss, plain, shares = loss_of(network, batch, options.smoothing, guidance, guide, shown)
            loss.backward()
            sums[part] += plain
            paid += shares
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        steps.step()
        if step % 50 == 0:
            guided = " ".join(f"{share:.2f}" for share in paid)
            say(f"{step} {time.time() - start:.0f}s loss {sums[0] / 50:.4f} {sums[1] / 50:.4f} guided {guided}")
            sums[:] = 0
        if step % options.every == 0 or step == options.steps:
            kept = {"config": dataclasses.asdict(config), "weights": network.state_dict(), "vocabulary": serialised}
            torch.save(kept, path)
            say("stories:", measure.summary(measure.accuracy(network, words, stories.cases(25, seed=5))))
            say("pictures:", measure_pictures.summary(measure_pictures.accuracy(network, words, held_out)))
        if step == options.steps:
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--stories", type=int, default=16, help="in a batch, with 8 questions each")
    parser.add_argument("--pictures", type=int, default=10, help="in a batch")
    parser.add_argument("--questions", type=int, default=20, help="asked about each picture")
    parser.add_argument("--scenes", type=int, default=20000)
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--inner", type=int, default=512)
    parser.add_argument("--vocabulary", type=int, default=1280)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--guidance", type=float, default=0.3)
    parser.add_argument("--smoothing", type=float, default=0.05)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.folder.mkdir(parents=True, exist_ok=True)
    trained_decoder(options, trained_tower(options.folder / "tower.pt", options.seed), options.folder / "demo.pt")


if __name__ == "__main__":
    main()
