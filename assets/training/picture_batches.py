"""Training batches: pictures, each with several questions that do not see each other.

Owns what a picture looks like as a row.  The rows of a batch have one form, so that their patches stand in the same
columns: with BARE the question follows the picture at once, else both stand between the words of a conversation.  Does
not know the network; of a picture only which thing covers which patch.
"""

import dataclasses
import random

import torch

import packing
import questions
import scenes
import vocabulary
from tower import COVERED, FAINT

PLACES = scenes.GRID ** 2
BARE = 0.65      # share of batches
HIDDEN = 0.25    # share of the background patches and idle words that half of the rows cannot see
SLOPPY = 0.1     # share of questions without their mark, and of those in small letters


@dataclasses.dataclass
class Form:
    """Texts around a picture and its question, each tokenised on its own as after a space."""
    before: str
    between: str
    after: str


BARE_FORM = Form("", "", "")
CONVERSATION = Form("USER: ", "\n", " ASSISTANT:")


class Batches(torch.utils.data.IterableDataset):
    """Endless batches as packing.py has them, with more: told and wanted are things; pictures [rows] says which of
    those given, first is the column of their first patch, and covers [rows, things, places] where each thing is."""

    def __init__(self, serialised, things, counts, coverage, seed, rows=16, questions=12, neat=False):
        self.serialised, self.things, self.counts, self.coverage = serialised, things, counts, coverage
        self.seed, self.rows, self.questions, self.neat = seed, rows, questions, neat

    def __iter__(self):
        torch.set_num_threads(1)
        self.vocabulary = vocabulary.Vocabulary(self.serialised)
        self.asker = questions.Asker(self.seed)
        self.random = random.Random(self.seed)
        while True:
            chosen = [self.random.randrange(len(self.things)) for _ in range(self.rows)]
            yield self.batch(chosen, BARE_FORM if self.random.random() < BARE else CONVERSATION)

    def batch(self, chosen, form):
        asked = [self.asker.questions(self.things[index][:self.counts[index]], self.questions) for index in chosen]
        return self.pack(chosen, asked, form)

    def pack(self, chosen, asked, form):
        """The batch of given questions [picture][question]."""
        before = [vocabulary.BOS] + (self.vocabulary.encode(form.before)[0] if form.before else [])
        rows = [self.row(index, row, form, before) for index, row in zip(chosen, asked)]
        batch = packing.pack(rows)
        return {**batch, "pictures": torch.tensor(chosen), "first": len(before),
                "covers": torch.from_numpy(self.coverage[chosen] >= COVERED)}

    def row(self, index, asked, form, before):
        row, count = packing.new_row(), len(before) + PLACES
        hiding = not self.neat and self.random.random() < 0.5
        background = self.coverage[index].max(0) < FAINT
        patches = [not (hiding and plain and self.random.random() < HIDDEN) for plain in background]
        packing.append(row, before + [0] * PLACES, list(range(count)), 0, [-1] * count, [0.0] * count,
                       [True] * len(before) + patches)
        for branch, question in enumerate(asked, 1):
            self.append_question(row, question, form, count, branch, hiding)
        return row

    def append_question(self, row, question, form, at, branch, hiding):
        text, answer = question.text, question.answer
        if not self.neat and self.random.random() < SLOPPY:
            text = text.rstrip("?")
        if not self.neat and self.random.random() < SLOPPY:
            text, answer = text.lower(), answer.lower()
        words = form.between + text + form.after
        ids = self.vocabulary.encode(words)[0]
        said = self.vocabulary.encode(answer)[0] + [vocabulary.EOS]
        whole, shift = ids + said, len(form.between)
        idle = [(found.start() + shift, found.end() + shift) for found in questions.IDLE.finditer(text)]
        dull = packing.marked(self.vocabulary, ids, idle, words)
        seen = [not (hiding and plain and self.random.random() < HIDDEN) for plain in dull]
        names = [(start + shift, end + shift, things) for start, end, things in question.names]
        told = self.bits(ids, names, words)
        wanted = [0] * (len(ids) - 1) + self.bits(said[:-1], question.parts, answer) + [0]
        last = [(answer.rfind(" ", start, end) + 1, end, things) for start, end, things in question.parts]
        told += self.bits(said[:-1], [part for part in last if len(part[2]) == 1], answer)
        count = len(whole) - 1
        packing.append(row, whole[:-1], list(range(at, at + count)), branch, whole[1:],
                       [0.0] * (len(ids) - 1) + [len(said) ** -0.5] * len(said), seen + [True] * (count - len(ids)),
                       told, wanted, [False] * count)

    def bits(self, ids, spans, text):
        """For each id, the things of the spans of text that it holds a byte of, as bits."""
        found = [0] * len(ids)
        for start, end, things in spans:
            held = packing.marked(self.vocabulary, ids, [(start, end)], text)
            found = [bits | sum(1 << thing for thing in things) * hit for bits, hit in zip(found, held)]
        return found
