"""Stories with questions whose answer depends on exactly known words.

Owns the language of the demo model: its words, its sentence patterns, the questions and their answers.  A story is a
list of facts ("Tom has a blue hat."); a question is about one of them, about all (counting) or about none ("Nobody.").
Every question carries its truth: the byte ranges of the words that decide the answer.  Does not know tokens or
models.  Everything drawn here is ASCII, so characters are bytes.
"""

import dataclasses
import json
import random
import re
import sys
import zlib

NAMES = """Anna Tom Mary John Lucy Peter Emma Paul Clara Max Julia Ben Nina Oscar Rosa Felix Ella Hugo Sara Leo Mia
Adam Vera Simon Ida Karl Laura Jack Olga Tim Eva Bob Alice David Helen Mark Maria Alex Kate Sam""".split()
THINGS = """ball hat book cup lamp coat drum kite key boat bag clock chair ring flag pen car bell doll bike map coin
box umbrella guitar vase pillow shirt""".split()
COLOURS = "red blue green yellow white black brown pink purple orange grey golden".split()
ANIMALS = "cat dog horse bird cow fox mouse rabbit goat duck pig frog owl bear".split()
PLACES = """in the kitchen|in the garden|in the house|in the barn|in the forest|in the park|in the cellar|in the attic
at the market|at the lake|at the station|at the beach|at the zoo|on the roof|on the hill|on the bridge|under the table
under the bed|near the river|near the church|in the library|in the hall""".replace("\n", "|").split("|")
FOODS = "apples pears plums cakes nuts grapes carrots beans cookies soup bread cheese fish rice honey eggs".split()
JOBS = "baker doctor teacher farmer painter singer pilot nurse cook sailor gardener writer driver actor judge".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
NUMBERS = "two three four five six seven eight nine ten eleven twelve".split()
COUNTS = ["None", "One", "Two", "Three", "Four"]
FILLERS = [
    "It is a sunny day.", "The sky is clear.", "It rains a little.", "The wind is cold today.", "Birds sing outside.",
    "It is late.", "The door is open.", "The day was long.", "It is a quiet morning.", "The bus is late again.",
    "Snow falls on the town.", "Music plays somewhere.", "The shop is closed.", "The room is warm.", "Time goes by.",
    "The street is empty.", "Everybody is happy.", "The evening is near.",
]

# Patterns of facts.  {slots} are the words that can decide an answer; {a} is the article of what follows it.
FACTS = {
    "own": ["{s} has {a} {c} {o}.", "{s} has {a} {c} {o}.", "{s} owns {a} {c} {o}.", "{s} has got {a} {c} {o}."],
    "place": ["{s} is {p}.", "{s} is {p}.", "{s} sits {p}."],
    "like": ["{s} likes {f}.", "{s} likes {f}.", "{s} loves {f}."],
    "job": ["{s} is {a} {j}.", "{s} works as {a} {j}."],
    "day": ["{s} comes on {d}.", "{s} will come on {d}."],
    "age": ["{s} is {n} years old."],
    "give": ["{s} gave {a} {c} {o} to {r}.", "{s} gave {r} {a} {c} {o}."],
}
# Questions about one fact: kind, patterns, answer, slots of the fact that decide besides those of the question.
QUESTIONS = {
    "own": [
        ("what", ["What does {s} have?", "What does {s} own?", "What has {s} got?"], "{a} {c} {o}.", "sco"),
        ("who", ["Who has the {c} {o}?", "Who has {a} {c} {o}?", "Who owns the {c} {o}?"], "{s}.", "sco"),
        ("who", ["Who has the {o}?", "Who has {a} {o}?", "Who owns the {o}?"], "{s}.", "so"),
        ("colour", ["What colour is the {o} of {s}?", "What color is the {o} of {s}?", "What colour is {s}'s {o}?",
                    "What color is {s}'s {o}?"], "{c}.", "sco"),
        ("colour", ["What colour is the {o}?", "What color is the {o}?", "Which colour does the {o} have?"], "{c}.",
         "co"),
    ],
    "place": [
        ("where", ["Where is {s}?", "Where is {s} now?", "Where can I find {s}?"], "{p}.", "sp"),
        ("who", ["Who is {p}?", "Who sits {p}?"], "{s}.", "sp"),
    ],
    "like": [
        ("what", ["What does {s} like?", "What does {s} love?", "What does {s} like to eat?"], "{f}.", "sf"),
        ("who", ["Who likes {f}?", "Who loves {f}?"], "{s}.", "sf"),
    ],
    "job": [
        ("what", ["What is {s}?", "What is the job of {s}?", "What does {s} work as?"], "{a} {j}.", "sj"),
        ("who", ["Who is the {j}?", "Who is {a} {j}?", "Who works as {a} {j}?"], "{s}.", "sj"),
    ],
    "day": [
        ("when", ["When does {s} come?", "When will {s} come?", "On which day does {s} come?"], "on {d}.", "sd"),
        ("who", ["Who comes on {d}?", "Who will come on {d}?"], "{s}.", "sd"),
    ],
    "age": [
        ("age", ["How old is {s}?", "What is the age of {s}?"], "{n}.", "sn"),
        ("who", ["Who is {n} years old?", "Who is {n}?"], "{s}.", "sn"),
    ],
    "give": [
        ("what", ["What did {s} give to {r}?", "What did {s} give {r}?"], "{a} {c} {o}.", "scor"),
        ("what", ["What did {s} give away?"], "{a} {c} {o}.", "sco"),
        ("who", ["Who gave {r} the {o}?", "Who gave the {o} to {r}?"], "{s}.", "sor"),
        ("who", ["Who got the {c} {o}?", "Who got the {o}?"], "{r}.", "cor"),
        ("who", ["Whom did {s} give the {o}?", "Who got the {o} from {s}?"], "{r}.", "sor"),
    ],
}
# The words of a question that say what is asked for.
ASKING = re.compile(r"How (many|old)|On which day|Which colour|What (colou?r|is the age|is the job)|\w+")
UNKNOWN, NOBODY = "I do not know.", "Nobody."
KINDS = ["what", "who", "colour", "where", "when", "age", "count", "absent"]


@dataclasses.dataclass
class Fact:
    relation: str
    slots: dict  # slot letter -> words
    text: str = ""
    spans: dict = dataclasses.field(default_factory=dict)  # slot letter -> (start, end) in text


@dataclasses.dataclass
class Question:
    kind: str
    text: str
    answer: str
    spans: list  # deciding words of the question itself
    truth: list  # (index of a fact, slots of it that decide)


def fill(pattern, slots):
    """Fill a pattern.  Returns the text and the range of each slot; an empty slot takes the space after it along."""
    out, spans = "", {}
    for word in re.split(r"(\{\w+\} ?)", pattern):
        match = re.match(r"\{(\w+)\}( ?)", word)
        if not match:
            out += word
            continue
        value = slots[match[1]]
        if value:
            spans[match[1]] = (len(out), len(out) + len(value))
            out += value + match[2]
    return out[:1].upper() + out[1:], {slot: span for slot, span in spans.items() if slot != "a"}


def article(words):
    return "an" if words[0].lower() in "aeiou" else "a"


def held_out(fact):
    """One combination of subject and value in ten is never trained on."""
    key = fact.relation + "".join(fact.slots.get(slot, "") for slot in "scopfjdn")
    return zlib.crc32(key.encode()) % 10 == 0


class Author:
    """Draws stories and questions.  `strange` is the share of words that are invented; heldout says what to do with
    combinations that are kept for tests: "never" use them, or "ask" about them."""

    def __init__(self, seed, strange=0.15, heldout="never"):
        self.random = random.Random(seed)
        self.strange = strange
        self.heldout = heldout

    def word(self):
        """An invented word of one to three syllables."""
        pick = self.random.choice
        syllables = [pick(["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "sh", "br", "st",
                           "gr", "ch"]) + pick("aeiou") + pick(["", "", "n", "r", "l", "t", "m", "s", "x", "ck"])
                     for _ in range(pick([1, 2, 2, 3]))]
        return "".join(syllables)

    def draw(self, words, used):
        """One of the words, or an invented one, that is not yet used."""
        while True:
            strange = self.random.random() < self.strange
            word = self.word() if strange else self.random.choice(words)
            if strange and words is NAMES:
                word = word.capitalize()
            if word not in used:
                used.add(word)
                return word

    def subject(self, used, animals):
        if animals and self.random.random() < 0.5:
            return "the " + self.draw(ANIMALS, used)
        return self.draw(NAMES, used)

    def place(self, used):
        if self.random.random() < self.strange:
            return self.random.choice(["in", "at", "on", "near", "under"]) + " the " + self.draw(THINGS, used)
        return self.random.choice(PLACES)

    def fact(self, relation, used, thing=None):
        """A fact with words that the story does not use yet; `thing` is given where it shall be there twice."""
        slots = {"s": self.subject(used, relation == "place")}
        if relation in ("own", "give"):
            coloured = self.random.random() < 0.8
            slots["o"] = thing or self.draw(THINGS, used)
            # A colour may come back with another thing.
            slots["c"] = self.draw(COLOURS, {slots["o"]}) if coloured else ""
            slots["a"] = article(slots["c"] or slots["o"])
            if relation == "give":
                slots["r"] = self.draw(NAMES, used)
        elif relation == "place":
            slots["p"] = self.place(used)
        elif relation == "job":
            slots["j"] = self.draw(JOBS, used)
            slots["a"] = article(slots["j"])
        else:
            slot, words = {"like": ("f", FOODS), "day": ("d", DAYS), "age": ("n", NUMBERS)}[relation]
            slots[slot] = self.random.choice(words) if relation == "day" else self.draw(words, used)
        return Fact(relation, slots)

    def story(self, count):
        """Facts without contradiction: a subject appears once for each relation."""
        pick, chance = self.random.choice, self.random.random
        relations = self.random.sample(list(FACTS), pick([1, 1, 2, 2, 3]))
        facts, used, people = [], set(), {}
        for index in range(count):
            relation = pick(relations)
            owned = [fact.slots["o"] for fact in facts if fact.relation == "own"]
            while True:
                trial = set(used)
                thing = pick(owned) if owned and relation == "own" and chance() < 0.45 else None
                fact = self.fact(relation, trial, thing)
                # A person known from another relation may come back.
                known = [name for name, seen in people.items() if relation not in seen and "give" not in seen]
                if known and relation != "give" and chance() < 0.5:
                    fact.slots["s"] = pick(known)
                if self.heldout == "ask" and index == 0 and not held_out(fact):
                    continue
                if self.heldout == "never" and held_out(fact):
                    continue
                same = [other.slots for other in facts if other.relation == relation]
                if all(fact.slots.get("o") != other.get("o") or fact.slots["c"] != other["c"] for other in same
                       if relation in ("own", "give")):
                    break
            used = trial
            used.update(fact.slots[slot] for slot in ("s", "r") if slot in fact.slots)
            for slot in ("s", "r"):
                if slot in fact.slots:
                    people.setdefault(fact.slots[slot], set()).add(relation)
            fact.text, fact.spans = fill(pick(FACTS[relation]), fact.slots)
            facts.append(fact)
        if self.heldout == "never":
            self.random.shuffle(facts)
        return facts

    def ask(self, facts, kind=None, about=None):
        """A question about the facts, of the kind or any; None where the draw does not fit."""
        kind = kind or self.random.choices(KINDS, [6, 5, 12, 5, 4, 4, 10, 3])[0]
        if kind == "count":
            return self.ask_count(facts)
        if kind == "absent":
            return self.ask_absent(facts)
        if not facts:
            return None
        index = self.random.randrange(len(facts)) if about is None else about
        return self.ask_fact(facts, index, kind)

    def ask_fact(self, facts, index, kind):
        fact = facts[index]
        choices = [question for question in QUESTIONS[fact.relation] if question[0] == kind]
        if not choices:
            return None
        _, patterns, answer, deciding = self.random.choice(choices)
        if "{c}." in answer and not fact.slots["c"]:
            return None
        text, spans = fill(self.random.choice(patterns), fact.slots)
        # What the question names must single the fact out.
        same = [other for other in facts if other.relation in (("own", "give") if fact.relation in ("own", "give")
                                                               else (fact.relation,))]
        if sum(all(other.slots.get(slot) == fact.slots[slot] for slot in spans) for other in same) != 1:
            return None
        if fact.relation in ("own", "give") and "s" not in spans and "r" not in spans:
            if sum(other.slots.get("o") == fact.slots["o"] for other in same) != 1 and "c" not in spans:
                return None
        answer, _ = fill(answer, fact.slots)
        return Question(kind, text, answer, list(spans.values()),
                        [(index, [slot for slot in deciding if fact.slots.get(slot)])])

    def ask_count(self, facts):
        things = [fact.slots["o"] for fact in facts if fact.relation == "own"]
        if any(fact.relation == "give" for fact in facts) or not things and self.random.random() < 0.98:
            return None
        # None, one, two and three about equally often, though most stories hold none or one of a kind.
        groups = {things.count(thing): [other for other in things if things.count(other) == things.count(thing)]
                  for thing in things if things.count(thing) <= 3}
        groups[0] = [self.draw(THINGS, set(things))]
        numbers = sorted(groups)
        thing = self.random.choice(groups[self.random.choices(numbers, [(1, 1, 5, 8)[n] for n in numbers])[0]])
        slots = {"o": thing, "a": article(thing), "m": thing + ("es" if thing[-1] in "sx" else "s")}
        text, spans = fill(self.random.choice(["How many {m} are there?", "How many people have {a} {o}?",
                                               "How many {m} do they have?"]), slots)
        truth = [(index, ["o"]) for index, fact in enumerate(facts) if fact.slots.get("o") == thing]
        return Question("count", text, COUNTS[len(truth)] + ".", list(spans.values()), truth)

    def ask_absent(self, facts):
        """About a person, thing or value that the story does not tell of."""
        relation = self.random.choice([fact.relation for fact in facts] or list(FACTS))
        used = {word for fact in facts for word in fact.slots.values()}
        used |= {word[4:] for word in used if word.startswith("the ")}
        told = {fact.slots[slot] for fact in facts for slot in "sr" if slot in fact.slots
                if fact.relation in (relation, "give") or relation == "give"}
        other = self.fact(relation, used)
        here = [name for fact in facts for slot, name in fact.slots.items() if slot == "s" and name not in told]
        _, patterns, answer, _ = self.random.choice(QUESTIONS[relation])
        pattern = self.random.choice(patterns)
        if answer in ("{s}.", "{r}."):
            answer = NOBODY
            if "{s}" in pattern or "{r}" in pattern:
                return None
            if relation in ("day", "place") and other.slots[relation[0]] in used:
                return None
        else:
            answer = UNKNOWN
            if here and "{s}" in pattern and self.random.random() < 0.4:
                other.slots["s"] = self.random.choice(here)
        text, spans = fill(pattern, other.slots)
        return Question("absent", text, answer, list(spans.values()), [])


@dataclasses.dataclass
class Style:
    """How carefully a text is typed."""
    joints: list
    lower: bool = False
    stops: bool = True  # full stops
    marks: bool = True  # question marks


def sloppy_style(rng):
    style = Style([" "])
    if rng.random() < 0.3:
        style.joints = rng.choice([["  ", " "], ["\n"], ["", " "], ["\n", " "], [" \n"]])
    style.lower = rng.random() < 0.1
    style.stops = rng.random() > 0.05
    style.marks = rng.random() > 0.3
    return style


def compose(facts, rng, style=None, fillers=0.15):
    """Write the story out.  Returns the text and for each fact the ranges of its slots in the text."""
    style = style or Style([" "])
    text, places, idle = "", [], rng.sample(FILLERS, len(FILLERS))
    for fact in facts + [None]:
        if facts and rng.random() < fillers:
            text += ending(idle.pop(), style.stops) + joint(rng, style, style.stops)
        if fact:
            places.append({slot: (len(text) + start, len(text) + end) for slot, (start, end) in fact.spans.items()})
            text += ending(fact.text, style.stops) + joint(rng, style, style.stops)
    text = text.rstrip(" \n")
    return text.lower() if style.lower else text, places


def ending(sentence, kept):
    return sentence if kept else sentence[:-1]


def joint(rng, style, stopped):
    chosen = rng.choice(style.joints)
    return chosen if chosen or stopped else " "


def case(author, count, kind):
    """A neatly typed test case: {"prompt", "story", "answer", "kind", "truth": {"spans"}}.  story: the bytes before the
    question.  Spans are the deciding words of the story, and of the question its names and what asks."""
    while True:
        facts = author.story(count)
        order = list(range(count))
        author.random.shuffle(order)
        about = None if kind in ("count", "absent") else order.index(0)
        facts = [facts[index] for index in order]
        question = author.ask(facts, kind, about)
        if question is None:
            continue
        text, places = compose(facts, author.random)
        spans = [places[index][slot] for index, slots in question.truth for slot in slots if slot in places[index]]
        shift = len(text) + 1 if text else 0
        asking = ASKING.match(question.text)
        spans += [(start + shift, end + shift) for start, end in question.spans + [asking.span()]]
        prompt = text + " " + question.text if text else question.text
        return {"prompt": prompt, "story": len(text), "answer": question.answer, "kind": question.kind,
                "truth": {"spans": sorted(word for span in spans for word in words_of(prompt, *span))}}


def words_of(text, start, end):
    """The ranges of the words in a range, articles left out."""
    return [[start + match.start(), start + match.end()] for match in re.finditer(r"\w+", text[start:end])
            if match[0].lower() != "the"]


def cases(count, seed, facts=(2, 3, 4, 5), strange=0.0):
    """`count` cases of each kind, none of whose deciding facts can be met in training."""
    author = Author(seed, strange, heldout="ask")
    return [case(author, author.random.choice(facts), kind) for kind in KINDS for _ in range(count)]


if __name__ == "__main__":  # python3 stories.py COUNT SEED: cases as JSON lines
    for number, example in enumerate(cases(int(sys.argv[1]), int(sys.argv[2])), 1):
        print(json.dumps({"id": f"{example['kind']}-{number}", **example}))
