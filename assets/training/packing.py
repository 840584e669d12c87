"""How rows of several questions are laid out in a batch.

Owns the packing.  A row is one story or picture, then branches: question and answer each, at the positions that follow,
attending to the story or picture and to themselves.  Does not know the network, nor what is asked.
"""

import itertools

import numpy as np
import torch

# The parts of a batch, tensors [rows, T] each, and what stands where a row has ended.
# branch: 0 the story or picture, -1 padding; seen: false where nobody attends to; told: the facts or things (as bits)
# that a position names; wanted: those that decide what comes next; asked: the deciding words of a question.
FILLER = {"ids": 0, "positions": 0, "branch": -1, "target": -1, "weight": 0.0, "seen": True, "told": 0, "wanted": 0,
          "asked": False}


def overlaps(spans, span):
    return any(start < span[1] and span[0] < end for start, end in spans)


def marked(vocabulary, ids, spans, text):
    """Which ids hold a byte of the spans of text; the ids may begin before it."""
    lengths = vocabulary.lengths(ids)
    ends = list(itertools.accumulate(lengths, initial=len(text) - sum(lengths)))
    return [overlaps(spans, span) for span in zip(ends, ends[1:])]


def new_row():
    return {name: [] for name in FILLER}


def append(row, ids, positions, branch, target, weight, seen, told=None, wanted=None, asked=None):
    told, wanted, asked = (part or [0] * len(ids) for part in (told, wanted, asked))
    assert len({len(part) for part in (ids, positions, target, weight, seen, told, wanted, asked)}) == 1
    row["ids"] += ids
    row["positions"] += positions
    row["branch"] += [branch] * len(ids)
    row["target"] += target
    row["weight"] += weight
    row["seen"] += seen
    row["told"] += told
    row["wanted"] += wanted
    row["asked"] += asked


def pack(rows):
    longest = max(len(row["ids"]) for row in rows)
    batch = {name: np.array([row[name] + [value] * (longest - len(row[name])) for row in rows])
             for name, value in FILLER.items()}
    batch["weight"] = np.where(batch["target"] < 0, 0, batch["weight"]).astype(np.float32)
    return {name: torch.from_numpy(values) for name, values in batch.items()}


def attention_mask(batch):
    """[rows, 1, T, T] bool: what each position of a packed row sees.  A hidden word does not even see itself, as when
    AtMan suppresses it; all see the start of the sequence."""
    branch, seen = batch["branch"], batch["seen"]
    length = branch.shape[1]
    same = branch[:, :, None] == branch[:, None, :]
    story = (branch == 0)[:, None, :] & (branch >= 0)[:, :, None]
    mask = (same | story) & torch.ones(length, length, dtype=torch.bool).tril() & seen[:, None, :]
    padding = (branch < 0)[:, :, None] & torch.eye(length, dtype=torch.bool)
    return (mask | padding)[:, None]
