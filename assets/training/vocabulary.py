"""Text to token ids for the demo model, by SentencePiece (BPE, byte fallback, dummy prefix).

Owns the vocabulary: trains it on generated text and encodes with it.  Pieces never cross a space, so words are encoded
one by one and kept.
"""

import io

import sentencepiece

import questions
import scenes
import stories

BOS, EOS = 1, 2


def corpus(lines, seed):
    """Lines of stories and of scenes with questions and answers, as sloppily typed as in training."""
    author, asker = stories.Author(seed, strange=0.03), questions.Asker(seed)
    drawn = scenes.draw(lines // 10, seed)
    for things, count in zip(drawn.things, drawn.counts):
        yield " ".join(f"{asked.text} ASSISTANT: {asked.answer}" for asked in asker.questions(things[:count], 6))
    for _ in range(lines):
        facts = author.story(author.random.randint(1, 6))
        style = stories.sloppy_style(author.random)
        text, _ = stories.compose(facts, author.random, style)
        for _ in range(3):
            question = author.ask(facts)
            if question:
                both = question.text + " " + question.answer
                text += stories.joint(author.random, style, True) + (both.lower() if style.lower else both)
        yield text.replace("\n", "")
    known = stories.NAMES + stories.THINGS + stories.COLOURS + stories.ANIMALS + stories.FOODS + stories.JOBS
    known += stories.DAYS + stories.NUMBERS + stories.COUNTS
    known += scenes.KINDS + [questions.plural(kind) for kind in scenes.KINDS] + scenes.COLOURS + ["USER:", "ASSISTANT:"]
    known += "left right above below over under things picture yes no nothing there USER: ASSISTANT:".split()
    opening = [word.capitalize() for word in stories.COLOURS + scenes.COLOURS + stories.FOODS + stories.NUMBERS]
    opening += ["Yes", "No", "Nothing", "There"]
    for _ in range(500):  # so that each known word becomes one piece, also where it opens an answer
        yield " ".join(known + opening)


def train(size, seed=7):
    """Returns the serialised SentencePiece model."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=corpus(20000, seed), model_writer=out, model_type="bpe", vocab_size=size, byte_fallback=True,
        character_coverage=1.0, unk_id=0, bos_id=BOS, eos_id=EOS, pad_id=-1, add_dummy_prefix=True,
        remove_extra_whitespaces=False, normalization_rule_name="identity", split_digits=True, num_threads=1,
        minloglevel=2)
    return out.getvalue()


class Vocabulary:
    def __init__(self, serialised):
        self.serialised = serialised
        self.pieces = sentencepiece.SentencePieceProcessor(model_proto=serialised)
        self.size = self.pieces.vocab_size()
        self.kept = {}

    def word(self, word):
        """Ids of a word after a space, and how many characters each stands for, the space counted."""
        if word not in self.kept:
            ids = self.pieces.encode(word) if word else [self.pieces.piece_to_id("\u2581")]
            lengths = self.lengths(ids)
            if len(self.kept) > 200000:
                self.kept.clear()
            self.kept[word] = ids, lengths
        return self.kept[word]

    def lengths(self, ids):
        """How many characters each stands for, in ASCII text."""
        return [1 if self.pieces.is_byte(id) else len(self.pieces.id_to_piece(id)) for id in ids]

    def encode(self, text):
        """ids, and the (start, end) of each in the text (ASCII; the dummy prefix has no place of its own)."""
        ids, ranges, at = [], [], -1
        for word in text.split(" "):
            for id, length in zip(*self.word(word)):
                ids.append(id)
                ranges.append((max(at, 0), at + length))
                at += length
        return ids, ranges

    def decode(self, ids):
        return self.pieces.decode([int(id) for id in ids])
