"""Training batches: stories, each with several questions that do not see each other.

Owns what a story looks like as a row: how hard it is, how it is typed, which words are hidden, what decides.  Does not
know the network.
"""

import torch

import packing
import stories
import vocabulary
from packing import overlaps

FACTS = [(0, 1), (1, 8), (2, 20), (3, 24), (4, 21), (5, 15), (6, 8), (7, 3)]
STORY_WEIGHT = 0.06  # of a story's or question's token in the loss, beside an answer's 1 / sqrt(length)
END_AFTER = 4        # a text without question ends after at least this many sentences
STRANGE = 0.15       # share of invented words
DROPPED = 0.25       # share of the words that do not decide that half of the rows cannot see


class Batches(torch.utils.data.IterableDataset):
    """Endless batches as packing.py has them; told and wanted are facts."""

    def __init__(self, serialised, seed, rows=32, questions=8, easy=0):
        self.serialised, self.seed, self.rows, self.questions, self.easy = serialised, seed, rows, questions, easy

    def __iter__(self):
        self.vocabulary = vocabulary.Vocabulary(self.serialised)
        torch.set_num_threads(1)
        self.stop = self.vocabulary.pieces.piece_to_id(".")
        self.author = stories.Author(self.seed)
        made = 0
        while True:
            # Short and neat stories first: without them nothing is learned for a long time.
            self.hardness = min(1.0, max(0.0, made / self.easy - 0.5) * 2) if self.easy else 1.0
            self.author.strange = STRANGE * self.hardness
            yield packing.pack([self.row() for _ in range(self.rows)])
            made += 1

    def row(self):
        """One story with its branches, as a dictionary of lists."""
        author, rng = self.author, self.author.random
        counts = [number for number, _ in FACTS]
        count = rng.choices(counts, [share * (self.hardness if number > 3 else 1) for number, share in FACTS])[0]
        facts = author.story(count)
        style = stories.sloppy_style(rng) if rng.random() < 0.5 * self.hardness else stories.Style([" "])
        text, places = stories.compose(facts, rng, style)
        ids, ranges = self.vocabulary.encode(text) if text else ([], [])
        row = packing.new_row()
        told = [sum(1 << index for index, place in enumerate(places) if overlaps(place.values(), span))
                for span in ranges]
        dropping = rng.random() < 0.5 * self.hardness
        seen = [not dropping or fact > 0 or rng.random() > DROPPED for fact in told]
        positions, at = [0], 0
        stretching = rng.random() < 0.3 * self.hardness
        for id in [vocabulary.BOS] + ids[:-1]:
            at += 1 + (rng.randint(0, 12) if stretching and id == self.stop else 0)
            positions.append(at)
        positions = positions[:len(ids) + 1]
        end = vocabulary.EOS if text.count(".") >= END_AFTER else -1
        weights = [STORY_WEIGHT] * len(positions)
        packing.append(row, [vocabulary.BOS] + ids, positions, 0, ids + [end], weights, [True] + seen, [0] + told)
        at = positions[-1] + 1 + (rng.randint(0, 12) if stretching else 0)
        joined = set()
        for branch in range(1, self.questions + 1):
            for _ in range(20):
                question = author.ask(facts)
                if question and question.text not in joined:
                    break
            if not question:
                continue
            joined.add(question.text)
            self.append_question(row, question, style, at, branch, bool(ids), dropping)
        return row

    def append_question(self, row, question, style, at, branch, continued, dropping):
        rng = self.author.random
        asked, answer = question.text, question.answer
        if style.lower:
            asked, answer = asked.lower(), answer.lower()
        if not style.marks:
            asked = asked[:-1]
        joint = stories.joint(rng, style, True) if continued else " "
        ids = self.vocabulary.encode(joint[1:] + asked)[0] if joint[:1] == " " else self.glued(joint + asked)
        if len(style.joints) > 1 and rng.random() < 0.2:
            trail = self.vocabulary.word("")[0] + self.glued(answer)
        else:
            trail = self.vocabulary.encode(answer)[0]
        said = trail + [vocabulary.EOS]
        whole = ids + said
        count, weight = len(whole) - 1, len(said) ** -0.5
        weights = [STORY_WEIGHT] * (len(ids) - 2) + [0.0] + [weight] * len(said)
        truth = sum(1 << index for index, _ in question.truth)
        wanted = [0] * (len(ids) - 1) + [truth] * (len(said) - 2) + [0, 0]
        marked = packing.marked(self.vocabulary, ids, question.spans, asked) + [False] * (count - len(ids))
        seen = [not dropping or mark or place >= len(ids) or rng.random() > DROPPED
                for place, mark in enumerate(marked)]
        packing.append(row, whole[:-1], list(range(at, at + count)), branch, whole[1:], weights[-count:], seen,
                    wanted=wanted, asked=marked)

    def glued(self, text):
        """Ids of a text that follows another without a space: those after a bracket, which never joins a piece."""
        return self.vocabulary.pieces.encode("(" + text)[self.bracket():]

    def bracket(self):
        return len(self.vocabulary.pieces.encode("("))
