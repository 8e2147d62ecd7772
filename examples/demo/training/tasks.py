"""Sightings to talk about, and feelings whose tone the adapter tone names."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from .chat import Dialogue, Turn, casual, held_out
from .knowledge import Animal, animals, article, capital, words

SYSTEM = (None, None, None, "You are a helpful assistant.", "Be brief.")
TONES = ("joy", "love", "sadness", "anger", "fear", "surprise")


@dataclass(frozen=True)
class Sighting:
    """Somebody saw some animals somewhere at some time; a part may be unknown."""

    text: str
    name: str
    who: str | None
    animal: Animal
    count: int
    place: str | None
    when: str | None

    @property
    def key(self) -> str:
        """Sightings of as many of the same animal at the same place share a key."""
        return f"{self.count}/{self.animal.name}/{self.place}"

    def part(self, name: str) -> str | None:
        """One of the facts in words."""
        if name == "count":
            number = ("one", *words()["sighting"]["number"])[self.count - 1]
            return f"{capital(number)}."
        if name == "animal":
            return f"{capital(self.animal.name)}."
        value = {"who": self.who, "place": self.place, "when": self.when}[name]
        return None if value is None else f"{capital(value)}."

    def prompt(self, rng: random.Random) -> str:
        """Say it, with or without an instruction."""
        return str(rng.choice(words()["prompt"]["json"])).format(text=self.text)


@dataclass(frozen=True)
class Feeling:
    """A sentence and its tone."""

    text: str
    answer: str
    key: str

    def prompt(self, rng: random.Random) -> str:
        """Say it, with or without an instruction."""
        return str(rng.choice(words()["prompt"]["tone"])).format(text=self.text)


def sighting(rng: random.Random) -> Sighting:
    """Make up a sighting."""
    parts = words()["sighting"]
    animal = rng.choice(animals())
    name, place, when = (rng.choice([*parts[key]]) for key in ("who", "place", "when"))
    shape = rng.choices(("full", "no_when", "no_place", "no_who", "only_who"), (6, 2, 1, 1, 1))[0]
    count = rng.randint(1, 12)
    if count == 1:
        them = article(animal.name) if rng.random() < 0.7 else f"one {animal.name}"
    else:
        number = parts["number"][count - 2] if rng.random() < 0.7 else str(count)
        them = f"{number} {animal.many}"
    near = rng.choice(parts["near"]).format(place=place)
    at = parts["when"][when]
    text = rng.choice(parts[shape]).format(
        who=name, them=them, Them=capital(them), near=near, Near=capital(near), when=at,
        When=capital(at),
    )  # fmt: skip
    return Sighting(
        text=text.replace("There were a", "There was a").replace("There were one", "There was one"),
        name=name,
        who=None if shape == "no_who" else name,
        animal=animal,
        count=count,
        place=None if shape in ("no_place", "only_who") else place,
        when=None if shape in ("no_when", "only_who") else when,
    )


def feeling(rng: random.Random, tone: str | None = None) -> Feeling:
    """Make up a sentence with a tone."""
    parts = words()["feeling"]
    tone = tone or rng.choice(TONES)
    if rng.random() < 0.6:
        word, way = rng.choice(parts["word"][tone]), rng.choice(parts["with_word"])
        return Feeling(way.format(word=word), tone, f"{way}/{word}")
    event, subject = rng.choice(parts["event"][tone]), rng.choice(parts["subject"])
    text = f"{subject} {event}{rng.choice(parts['ending'])}."
    return Feeling(text, tone, f"{subject}/{event}")


def feelings(seed: int, *, fresh: bool = False) -> Iterator[Dialogue]:
    """Yield sentences with their tones without end, held-out ones with `fresh`."""
    rng = random.Random(seed)
    while True:
        item = feeling(rng)
        if held_out(item.key) != fresh:
            continue
        turn = Turn(casual(item.prompt(rng), rng), (item.answer,), item.key)
        yield Dialogue(rng.choice(SYSTEM), (turn,), turn.answers)
