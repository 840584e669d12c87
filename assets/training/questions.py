"""Questions about a scene, whose answer depends on exactly known things.

Owns what the demo model can be asked about a picture: kinds of question, phrasings, answers.  A question says which
thing each of its words and each part of its answer is about.  Does not know tokens, pictures or models.
"""

import dataclasses
import random
import re

import numpy as np

import scenes
from stories import article, fill

KINDS = ["colour", "relation", "exist", "count", "which", "list", "absent"]
SHARES = [0.14, 0.28, 0.15, 0.17, 0.06, 0.16, 0.04]  # in training
NUMBERS = ["None", "One", "Two", "Three", "Four"]
COLOUR = ["What colour is the {k}?", "What color is the {k}?", "Which colour does the {k} have?"]
RELATIONS = {
    "left": ["What is left of the {k}?", "What is to the left of the {k}?"],
    "right": ["What is right of the {k}?", "What is to the right of the {k}?"],
    "above": ["What is above the {k}?", "What is over the {k}?"],
    "below": ["What is below the {k}?", "What is under the {k}?"],
}
SIDES = {"left": ("x", -1), "right": ("x", 1), "above": ("y", -1), "below": ("y", 1)}
EXIST = ["Is there {a} {c} {k}?", "Can you see {a} {c} {k}?", "Do you see {a} {c} {k}?"]
COUNT = ["How many {k} are there?", "How many {k} can you see?", "How many {k} do you see?"]
WHICH = ["What is {c}?", "Which thing is {c}?"]
LIST = ["What is in the picture?", "What can you see?", "What do you see?"]
# Words that any question could have: they decide nothing.
IDLE = re.compile(r"\b(is|the|of|to|there|an?|are|you|does|have|in)\b|\?")
LEVEL = 9  # units between two centres that make one thing plainly higher than another


@dataclasses.dataclass
class Question:
    kind: str
    text: str
    answer: str
    asked: int   # the thing that the question is about, or that it asks for; -1: none or several
    names: list  # (start, end, things) of the words of the text that name things
    parts: list  # (start, end, things) of the parts of the answer, with the things that decide them


def plural(kind):
    return kind if kind == "fish" else kind + "es" if kind.endswith("x") else kind + "s"


def described(scene, thing):
    """("a red cat")"""
    colour, kind = scenes.COLOURS[scene["colour"][thing]], scenes.KINDS[scene["kind"][thing]]
    return f"{article(colour)} {colour} {kind}"


def sentence(parts):
    """An answer of (words, things): its text, and the parts' places in it, each with what joins it to the last."""
    text, places = "", []
    for number, (words, things) in enumerate(parts):
        start = len(text)
        text += ("" if number == 0 else " and " if number == len(parts) - 1 else ", ") + words
        places.append((start, len(text), things))
    return text[0].upper() + text[1:] + ".", places


class Asker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def questions(self, scene, count, kinds=KINDS, shares=SHARES):
        """`count` questions about a scene, no two alike.  scene: array of scenes.THING, from left to right."""
        found = {}
        for _ in range(count * 20):
            question = getattr(self, self.random.choices(kinds, shares)[0])(scene)
            if question:
                found.setdefault(question.text, question)
            if len(found) == count:
                break
        return list(found.values())

    def make(self, kind, pattern, slots, parts, asked=-1, named=()):
        text, spans = fill(pattern, {"a": "", "c": "", **slots})
        answer, places = sentence(parts)
        return Question(kind, text, answer, asked, [(*span, list(named)) for span in spans.values()], places)

    def only(self, scene, field):
        """The things that are the only one of their kind or colour."""
        values, counts = np.unique(scene[field], return_counts=True)
        return [thing for thing, value in enumerate(scene[field]) if counts[values == value][0] == 1]

    def strange_kind(self, scene):
        """A kind that is not in the scene."""
        return self.random.choice([kind for number, kind in enumerate(scenes.KINDS) if number not in scene["kind"]])

    def colour(self, scene):
        known = self.only(scene, "kind")
        if not known:
            return None
        thing = self.random.choice(known)
        slots = {"k": scenes.KINDS[scene["kind"][thing]]}
        parts = [(scenes.COLOURS[scene["colour"][thing]], [thing])]
        return self.make("colour", self.random.choice(COLOUR), slots, parts, thing, [thing])

    def relation(self, scene):
        """Asked only where nothing or one thing is on that side, and none is nearly level."""
        found = {False: [], True: []}
        for thing in self.only(scene, "kind"):
            for side, (axis, sign) in SIDES.items():
                away = np.delete(sign * (scene[axis] - scene[axis][thing]), thing)
                there = [other for other in range(len(scene)) if sign * (scene[axis][other] - scene[axis][thing]) > 0]
                if len(there) < 2 and (axis == "x" or all(abs(away) >= LEVEL)):
                    found[bool(there)].append((thing, side, there))
        somewhere = self.random.random() < 0.8
        if not found[somewhere]:
            return None
        thing, side, there = self.random.choice(found[somewhere])
        parts = [(described(scene, there[0]), there)] if there else [("nothing", [thing])]
        slots = {"k": scenes.KINDS[scene["kind"][thing]]}
        return self.make("relation", self.random.choice(RELATIONS[side]), slots, parts, named=[thing])

    def exist(self, scene):
        """Half of them about a kind, half about a kind and a colour; half are true."""
        thing = self.random.randrange(len(scene))
        kind, colour = scene["kind"][thing], None
        chance = self.random.random()
        if self.random.random() < 0.5:
            if chance > 0.5:
                kind = scenes.KINDS.index(self.strange_kind(scene))
        else:
            colour = scene["colour"][thing]
            if chance > 0.5:
                kind, colour = self.nearly(scene, thing)
        there = [other for other in range(len(scene))
                 if scene["kind"][other] == kind and colour in (None, scene["colour"][other])]
        slots = {"k": scenes.KINDS[kind], "c": scenes.COLOURS[colour] if colour is not None else ""}
        slots["a"] = article(slots["c"] or slots["k"])
        asked = there[0] if len(there) == 1 else -1
        return self.make("exist", self.random.choice(EXIST), slots, [("yes" if there else "no", there)], asked, there)

    def nearly(self, scene, thing):
        """A kind and a colour of which at least one is in the scene."""
        chance = self.random.random()
        if chance < 0.4:
            return scene["kind"][thing], self.random.randrange(len(scenes.COLOURS))
        if chance < 0.8:
            return scene["kind"][thing], scene["colour"][self.random.randrange(len(scene))]
        return self.random.randrange(len(scenes.KINDS)), scene["colour"][thing]

    def count(self, scene):
        if self.random.random() < 0.3:
            there, slots = list(range(len(scene))), {"k": "things"}
        else:
            thing = self.random.randrange(len(scene))
            kind = scenes.KINDS[scene["kind"][thing]] if self.random.random() < 0.75 else self.strange_kind(scene)
            there = [other for other in range(len(scene)) if scenes.KINDS[scene["kind"][other]] == kind]
            slots = {"k": plural(kind)}
        asked = there[0] if len(there) == 1 else -1
        parts = [(NUMBERS[len(there)].lower(), there)]
        return self.make("count", self.random.choice(COUNT), slots, parts, asked, there)

    def which(self, scene):
        """What has a colour: the only such thing, or nothing."""
        if self.random.random() < 0.15:
            missing = [c for number, c in enumerate(scenes.COLOURS) if number not in scene["colour"]]
            return self.make("which", self.random.choice(WHICH), {"c": self.random.choice(missing)}, [("nothing", [])])
        known = self.only(scene, "colour")
        if not known:
            return None
        thing = self.random.choice(known)
        kind = scenes.KINDS[scene["kind"][thing]]
        slots = {"c": scenes.COLOURS[scene["colour"][thing]]}
        parts = [(f"{article(kind)} {kind}", [thing])]
        return self.make("which", self.random.choice(WHICH), slots, parts, thing, [thing])

    def list(self, scene):
        parts = [(described(scene, thing), [thing]) for thing in range(len(scene))]
        return self.make("list", self.random.choice(LIST), {}, parts, 0 if len(scene) == 1 else -1)

    def absent(self, scene):
        """About a kind that is not there."""
        kind = self.strange_kind(scene)
        patterns = COLOUR if self.random.random() < 0.7 else self.random.choice(list(RELATIONS.values()))
        return self.make("absent", self.random.choice(patterns), {"k": kind}, [(f"there is no {kind}", [])])
