"""Train the demo model: python3 train.py OUT.pt [--seed N]

Owns the recipe.  Writes weights, configuration and vocabulary to OUT.pt; export.py makes the GGUF file from it.
"""

import argparse
import dataclasses
import time

import torch
from torch.nn import functional as F

import batches
import measure
import model
import optimiser
import stories
import vocabulary


GUIDED_HEADS = 2
BINDING, READING = 1, 2  # guided layers


def paid_attention(attention, queries, keys):
    """The attention [n] that the n positions `queries` [rows, T] pay to their `keys` [n, T], over the guided heads."""
    row, position = queries.nonzero(as_tuple=True)
    return (attention[row, :GUIDED_HEADS, position] * keys[:, None]).sum(-1).mean(-1)


def guide(attentions, batch):
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


def loss_of(network, batch, smoothing, guidance):
    """Weighted cross entropy, and guidance times the mean negative log of the attention paid to what decides."""
    watched = (BINDING, READING) if guidance else ()
    states, attentions = network(batch["ids"], batch["positions"], batches.attention_mask(batch), watched=watched)
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


def train(options):
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    earlier = torch.load(options.start, weights_only=False) if options.start else None
    serialised = earlier["vocabulary"] if earlier else vocabulary.train(options.vocabulary)
    words = vocabulary.Vocabulary(serialised)
    config = model.Config(words.size, width=options.width, layers=options.layers, heads=options.width // 32,
                          inner=options.inner)
    network = model.Model(config)
    if earlier:
        network.load_state_dict(earlier["weights"])
    parameters = sum(weight.numel() for weight in network.parameters())
    print(f"{parameters} parameters, {words.size} pieces, {options.steps} steps", flush=True)
    loader = torch.utils.data.DataLoader(batches.Batches(serialised, options.seed, options.rows, easy=options.easy),
                                         batch_size=None, num_workers=1, prefetch_factor=8)
    steps = optimiser.Optimiser(network, options.rate, options.steps)
    start, sums, tokens = time.time(), 0.0, 0
    for step, batch in enumerate(loader, 1):
        guidance = options.guidance * max(0.0, 1 - step / (options.steps * 0.7))
        loss, plain, paid = loss_of(network, batch, options.smoothing, guidance)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        steps.step()
        sums += plain
        tokens += batch["ids"].numel()
        if step % 50 == 0:
            seconds = time.time() - start
            guided = " ".join(f"{share:.2f}" for share in paid)
            print(f"{step} {seconds:.0f}s loss {sums / 50:.4f} guided {guided} {tokens / seconds:.0f} tokens/s",
                  flush=True)
            sums = 0.0
        if step % options.every == 0 or step == options.steps:
            kept = {"config": dataclasses.asdict(config), "weights": network.state_dict(), "vocabulary": serialised}
            torch.save(kept, options.out)
            print(measure.summary(measure.accuracy(network, words, stories.cases(25, seed=5))), flush=True)
        if step == options.steps:
            return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--start", help="go on from the weights of an earlier OUT.pt")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3200)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--easy", type=int, default=800, help="steps until stories are as hard as they get")
    parser.add_argument("--every", type=int, default=400)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--inner", type=int, default=384)
    parser.add_argument("--vocabulary", type=int, default=1024)
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--guidance", type=float, default=0.3)
    parser.add_argument("--smoothing", type=float, default=0.05)
    train(parser.parse_args())
