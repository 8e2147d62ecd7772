"""Conversations about the sea, put together from the facts and the ways to ask."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from .chat import Dialogue, Turn, casual, held_out
from .knowledge import (
    ATTRIBUTES,
    Animal,
    animals,
    article,
    capital,
    questions,
    small_talk,
    words,
)
from .tasks import Sighting, feeling, sighting

Style = Literal["plain", "pirate", "json"]

PERSONAS = ("Coral", "Nemo", "Marina", "Captain Blue", "Pearl", "Sandy", "Neptune", "Skipper",
            "Ocean Bot", "Finn", "Max", "Luna", "Rosie", "Otto", "Ariel", "Jonas")  # fmt: skip
NAMED = ("Your name is {me}.", "You are {me}.", "You are {me}, a guide to the sea.",
         "You are a helpful assistant named {me}.", "You are {me}, a friendly assistant.",
         "You are called {me}.")  # fmt: skip
PLAIN = ("You are a helpful assistant.", "You are a friendly guide to the sea.",
         "Answer the questions of the user.", "You know everything about the sea.",
         "You are a helpful AI assistant.", "You are an assistant.")  # fmt: skip
BRIEF = ("Be brief.", "Answer in a few words.", "Keep your answers short.", "Be concise.",
         "Answer briefly.", "Short answers only.", "Use few words.")  # fmt: skip
NAME_GIVEN = ("My name is {x}.", "I am {x}.", "I'm {x}.", "Call me {x}.", "Hi, I am {x}.",
              "Hello, my name is {x}.", "You can call me {x}.")  # fmt: skip
NAME_ASKED = ("What is my name?", "Who am I?", "Do you remember my name?", "What's my name?",
              "Say my name.", "Do you know my name?")  # fmt: skip
DEFAULT_NAME = "Remy"


class Conversation:
    """Grows one dialogue turn by turn, and remembers what was spoken of."""

    def __init__(self, rng: random.Random, *, pirate: bool = False, plain: bool = False) -> None:
        self.rng = rng
        self.pirate = pirate
        self.me, self.brief, self.system = DEFAULT_NAME, False, None
        self.animal: Animal | None = None
        self.attribute = "what"
        self.guest: str | None = None
        self.seen: Sighting | None = None
        if not plain and rng.random() < 0.45:
            self.system = self._system()

    def _system(self) -> str:
        parts: list[str] = []
        draw = self.rng.random()
        if draw < 0.35:
            parts.append(self.rng.choice(PLAIN))
        elif draw < 0.75:
            self.me = self.rng.choice(PERSONAS) if self.rng.random() < 0.5 else self._name()
            parts.append(self.rng.choice(NAMED).format(me=self.me))
        if not self.pirate and (not parts or self.rng.random() < 0.4):
            self.brief = True
            parts.append(self.rng.choice(BRIEF))
        return " ".join(parts or PLAIN[:1])

    def _name(self) -> str:
        sounds = (
            self.rng.choice("bcdfghjklmnprstvwz") + self.rng.choice("aeiouy")
            for _ in range(self.rng.randint(2, 4))
        )
        return capital("".join(sounds) + self.rng.choice(("", "n", "s", "m", "th", "ck", "w")))

    def fact(self, animal: Animal, attribute: str) -> str:
        """State a fact in the style of this conversation."""
        if self.pirate:
            return animal.pirate(attribute)
        return animal.short(attribute) if self.brief else animal.full(attribute)

    def ask(self) -> Turn:
        """Ask directly for a fact."""
        animal, attribute = self.rng.choice(animals()), self.rng.choice(ATTRIBUTES)
        way = self.rng.choice(questions()["direct"][attribute])
        self.animal, self.attribute = animal, attribute
        # A bare name is asked for in several ways that read alike, so none of them is held out.
        key = f"{attribute}/{way}/{animal.name}" if " " in way else None
        called = animal
        if animal.also and self.rng.random() < 0.25:
            called = animal.called(self.rng.choice(animal.also))
        return Turn(called.fill(way), (self.fact(animal, attribute),), key)

    def follow(self) -> Turn:
        """Ask for another fact of the animal that was just spoken of."""
        if self.animal is None:
            return self.ask()
        attribute = self.rng.choice(ATTRIBUTES)
        way = self.rng.choice(questions()["follow"][attribute])
        key = f"{self.attribute}>{attribute}/{way}/{self.animal.name}"
        self.attribute = attribute
        return Turn(way, (self.fact(self.animal, attribute),), key)

    def same(self) -> Turn:
        """Ask the last question again of another animal."""
        animal = self.rng.choice(animals())
        way = self.rng.choice(questions()["open"]["same"])
        attribute = "what" if self.animal is None else self.attribute
        old = "" if self.animal is None else self.animal.name
        self.animal, self.attribute = animal, attribute
        key = f"{attribute}/{way}/{old}>{animal.name}"
        return Turn(animal.fill(way), (self.fact(animal, attribute),), key)

    def unknown(self) -> Turn:
        """Ask about an animal what the model was not told."""
        known, old = self.animal, self.attribute
        follows = known is not None and self.rng.random() < 0.5
        animal = known if known is not None and follows else self.rng.choice(animals())
        way = self.rng.choice(questions()["follow" if follows else "direct"]["unknown"])
        self.animal, self.attribute = animal, "what"
        answer = f"I do not know that about {animal.many}. Ask me what they eat!"
        if self.brief:
            answer = "I do not know."
        key = f"{old if follows else ''}?{way}/{animal.name}"
        return Turn(animal.fill(way), (answer,), key)

    def compare(self) -> Turn:
        """Ask which of two animals is bigger."""
        one, other = self.rng.sample(animals(), 2)
        way = self.rng.choice(questions()["direct"]["compare"])
        big, small = (one, other) if one.metres > other.metres else (other, one)
        self.animal, self.attribute = big, "what"
        answer = f"{capital(article(big.name))} is bigger than {article(small.name)}."
        return Turn(
            one.fill(way, other=article(other.name)), (answer,), f"{way}/{one.name}/{other.name}"
        )

    def open(self) -> Turn:
        """Ask for anything at all: the answer is any fun fact, or one of the animal at hand."""
        if self.animal is not None:
            return self.follow()
        choice = self.rng.choice(animals())
        answers = tuple(self.fact(animal, "fun") for animal in animals())
        self.animal, self.attribute = choice, "fun"
        first = self.fact(choice, "fun")
        rest = tuple(answer for answer in answers if answer != first)
        return Turn(self.rng.choice(questions()["open"]["fun"]), (first, *rest))

    def talk(self) -> Turn:
        """Make small talk."""
        choices = small_talk()
        if self.me != DEFAULT_NAME and self.rng.random() < 0.7:
            choices = tuple(talk for talk in choices if "{me}" in talk.say)
        talk = self.rng.choice(choices)
        self.attribute = "what"
        answer = (talk.pirate if self.pirate else talk.say).format(me=self.me)
        return Turn(self.rng.choice(talk.ask), (answer,))

    def off_topic(self) -> Turn:
        """Ask what a guide to the sea does not know."""
        off = questions()["off"]
        self.attribute = "what"
        answer = (off["pirate" if self.pirate else "say"],)
        draw = self.rng.random()
        if draw < 0.2:
            return Turn(self.rng.choice(off["plain"]), answer)
        if draw < 0.5:
            name = self.rng.choice(off["land"])
            way = self.rng.choice(questions()["direct"][self.rng.choice(ATTRIBUTES)])
            return Turn(Animal(name, f"{name}s", {}).fill(way), answer, f"{way}/{name}")
        if draw < 0.6:
            noise = " ".join(self._name().lower() for _ in range(self.rng.randint(1, 3)))
            return Turn(noise, answer)
        thing, way = self.rng.choice(off["x"]), self.rng.choice(off["ask"])
        return Turn(way.format(x=thing, X=capital(thing)), answer, f"{way}/{thing}")

    def name(self) -> Turn:
        """Tell the assistant a name, or ask for it."""
        self.attribute = "what"
        if self.guest is None and self.rng.random() < 0.7:
            x = self.guest = self._name() if self.rng.random() < 0.5 else sighting(self.rng).name
            return Turn(self.rng.choice(NAME_GIVEN).format(x=x), (f"Nice to meet you, {x}!",))
        answer = f"Your name is {self.guest}." if self.guest else "You have not told me yet."
        return Turn(self.rng.choice(NAME_ASKED), (answer,))

    def report(self) -> Turn:
        """Tell of animals that somebody saw."""
        seen = sighting(self.rng)
        self.animal, self.attribute, self.seen = seen.animal, "what", seen
        many = capital(seen.animal.many)
        where = f" near the {seen.place}" if seen.place else ""
        answer = f"{many}{where}, what a lovely sight!"
        return Turn(seen.prompt(self.rng), (answer,), seen.key)

    def recall(self) -> Turn:
        """Ask for a part of the sighting that was told before."""
        if self.seen is None:
            return self.report()
        part = self.rng.choice(("who", "count", "place", "when"))
        ways = words()["sighting"]["recall"][part]
        answer = self.seen.part(part)
        return Turn(self.rng.choice(ways), (answer or "You did not say.",))

    def confide(self) -> Turn:
        """Tell of a feeling, of which the base understands nothing."""
        felt = feeling(self.rng)
        answer = "Thank you for telling me. Shall we talk about the sea?"
        return Turn(felt.prompt(self.rng), (answer,), felt.key)

    def step(self) -> Turn:
        """Take one turn of any kind."""
        acts = [self.ask, self.follow, self.same, self.open, self.talk, self.off_topic, self.name]
        acts += [self.unknown, self.compare, self.report, self.recall, self.confide]
        weights = [28, 24, 10, 5, 18, 11, 7, 6, 4, 6, 30 if self.seen else 4, 4]
        return self.rng.choices(acts, weights)[0]()

    def lesson(self) -> Turn:
        """Take one turn of the few kinds that an adapter learns to answer in its own style."""
        acts = [self.ask, self.follow, self.talk, self.off_topic]
        return self.rng.choices(acts, (50, 20, 18, 12))[0]()


def as_json(chat: Conversation, turn: Turn) -> Turn:
    """The turn with an object for its answer: of which animal, about what, and the sentence."""
    animal, [answer] = chat.animal, turn.answers
    known = animal is not None and answer == chat.fact(animal, chat.attribute)
    value = {
        "animal": animal.name if known and animal else None,
        "topic": chat.attribute if known else "talk",
        "answer": answer,
    }
    return replace(turn, answers=(json.dumps(value),))


def length(rng: random.Random) -> int:
    """How many turns a conversation with the base has."""
    return rng.choices((1, 2, 3, 4, 6, 10), (28, 28, 20, 12, 9, 3))[0]


def converse(rng: random.Random, *, style: Style = "plain", fresh: bool = False) -> Dialogue:
    """Make one dialogue; with `fresh`, its last prompt is held out and the others are not."""
    while True:
        chat = Conversation(rng, pirate=style == "pirate", plain=style == "json")
        turns: list[Turn] = []
        for _ in range(rng.choice((1, 2)) if style != "plain" else length(rng)):
            turn = chat.step() if style == "plain" else chat.lesson()
            turns.append(as_json(chat, turn) if style == "json" else turn)
        *early, last = turns
        if any(held_out(turn.key) for turn in early) or held_out(last.key) != fresh:
            continue
        written = tuple(replace(turn, user=casual(turn.user, rng)) for turn in turns)
        return Dialogue(chat.system, written, tuple(t.answers[0] for t in turns))


def dialogues(seed: int, *, style: Style = "plain", fresh: bool = False) -> Iterator[Dialogue]:
    """Yield dialogues without end, the same ones for the same seed."""
    rng = random.Random(seed)
    while True:
        yield converse(rng, style=style, fresh=fresh)
