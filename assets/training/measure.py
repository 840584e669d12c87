"""Measure how the demo model reads, in PyTorch: python3 measure.py FOLDER [CASES]

Owns the figures: how often the greedy answer is exactly right on stories whose deciding fact was never trained on, and
how often the token with the greatest relevance (AtMan, row-min-causal, m = 0.1, all layers) lies in the deciding words.
"""

import pathlib
import sys

import torch

import model
import vocabulary
from stories import cases


def load(path):
    """The network as the file has it, and its vocabulary."""
    kept = torch.load(path, weights_only=False)
    network = model.Model(model.Config(**kept["config"]))
    network.load_state_dict(kept["weights"])
    return rounded(network).eval(), vocabulary.Vocabulary(kept["vocabulary"])


def rounded(network):
    """The network with the matrices that the files keep in F16."""
    for weight in network.parameters():
        weight.data = weight.data.half().float() if weight.ndim > 1 else weight.data
    return network


@torch.no_grad()
def continue_greedily(network, words, prompts, most=24):
    """The greedy continuations, as texts; None where the model does not end by itself."""
    rows = [[vocabulary.BOS] + words.encode(prompt)[0] for prompt in prompts]
    lengths = [len(row) for row in rows]
    running = list(range(len(rows)))
    for _ in range(most):
        longest = max(len(rows[index]) for index in running)
        ids = torch.tensor([rows[index] + [0] * (longest - len(rows[index])) for index in running])
        last = torch.tensor([len(rows[index]) - 1 for index in running])
        states = network(ids)[0][torch.arange(len(running)), last]
        for index, id in zip(running, network.logits(states).argmax(-1).tolist()):
            rows[index].append(id)
        running = [index for index in running if rows[index][-1] != vocabulary.EOS]
        if not running:
            break
    return [words.decode(row[length:-1]).strip() if row[-1] == vocabulary.EOS else None
            for row, length in zip(rows, lengths)]


def accuracy(network, words, tests, show=0):
    """{kind: share of exact answers}"""
    right = {}
    for first in range(0, len(tests), 100):
        part = tests[first:first + 100]
        for test, answer in zip(part, continue_greedily(network, words, [test["prompt"] for test in part])):
            right.setdefault(test["kind"], []).append(answer == test["answer"])
            if answer != test["answer"] and show > 0:
                show -= 1
                print("  wrong:", test["prompt"], "|", test["answer"], "|", answer)
    return {kind: sum(values) / len(values) for kind, values in right.items()}


def summary(shares):
    mean = sum(shares.values()) / len(shares)
    return f"all {mean:.4f} " + " ".join(f"{kind} {share:.3f}" for kind, share in shares.items())


@torch.no_grad()
def relevance(network, words, prompt, answer, factor=0.1):
    """Relevance [token of the prompt, token of the answer] in nats, and the prompt's token ranges (BOS left out)."""
    ids, ranges = words.encode(prompt)
    said = words.encode(answer)[0]
    row = torch.tensor([[vocabulary.BOS] + ids + said])
    count = len(ids)
    factors = torch.ones(count + 1, row.shape[1])
    factors[torch.arange(count) + 1, torch.arange(count) + 1] = factor

    def suppress(scores, mask):
        least = (scores - mask).amin(-1, keepdim=True)  # -mask: inf where a key comes later
        return torch.where(factors[:, None, None, :] != 1, (scores - least) * factors[:, None, None, :] + least, scores)

    states = network(row.expand(count + 1, -1), change=suppress)[0][:, count:-1]
    found = network.logits(states).double().log_softmax(-1)
    found = found[:, torch.arange(len(said)), torch.tensor(said)]
    return found[:1] - found[1:], ranges


def pointing(network, words, tests):
    """For each kind, how often the top token decides: of the whole prompt, and of the story alone, where only the
    story's deciding words count.  Then the median of the greatest changes in nats, and the wrong tops."""
    hits, inside, changes, missed = {}, {}, [], {}
    for test in tests:
        values, ranges = relevance(network, words, test["prompt"], test["answer"])
        total = values.sum(-1)
        overlaps = torch.tensor([any(start < to and since < end for since, to in test["truth"]["spans"])
                                 for start, end in ranges])
        top = int(total.argmax())
        hits.setdefault(test["kind"], []).append(bool(overlaps[top]))
        changes.append(float(values.max()))
        if not overlaps[top]:
            word = test["prompt"][slice(*ranges[top])].strip()
            missed[word] = missed.get(word, 0) + 1
        story = sum(end <= test["story"] for _, end in ranges)
        if overlaps[:story].any():
            inside.setdefault(test["kind"], []).append(bool(overlaps[total[:story].argmax()]))
    shares = [{kind: sum(values) / len(values) for kind, values in part.items()} for part in (hits, inside)]
    return *shares, sorted(changes)[len(changes) // 2], missed


def sloppy(tests):
    """The same without question marks, with doubled spaces and line breaks between sentences."""
    changed = []
    for number, test in enumerate(tests):
        joint = ".  " if number % 2 else ".\n"
        changed.append({**test, "prompt": test["prompt"].replace(". ", joint).rstrip("?")})
    return changed


def lower(tests):
    return [{**test, "prompt": test["prompt"].lower(), "answer": test["answer"].lower()} for test in tests]


def main(folder, count):
    torch.set_num_threads(2)
    network, words = load(folder / "demo.pt")
    tests = cases(count, 11)
    sets = {"held out": tests, "held out, longer (5 to 7 facts)": cases(count, 12, (5, 6, 7)),
            "held out, half of the words invented": cases(count, 13, strange=0.5),
            "sloppily typed": sloppy(tests), "in small letters": lower(tests)}
    for name, members in sets.items():
        print(f"{name}: {summary(accuracy(network, words, members, 8))}", flush=True)
    plain = [test["prompt"][:test["story"]] for test in tests[::len(tests) // 50]]
    ended = [answer is not None for answer in continue_greedily(network, words, plain, 48)]
    print(f"plain text comes to an end: {sum(ended) / len(ended):.3f}")
    whole, story, change, missed = pointing(network, words, cases(max(10, count // 4), 14))
    print("top token decides:", summary(whole))
    print("top token of the story decides:", summary(story))
    print(f"median of the greatest changes {change:.2f} nats; wrong tops: {missed}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200)
