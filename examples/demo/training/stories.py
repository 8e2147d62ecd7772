"""Plain texts, from which the base learns what words go together."""

import json
import random
from collections.abc import Callable, Iterator
from typing import TypeVar

from .chat import held_out
from .knowledge import ATTRIBUTES, animals, capital, words
from .tasks import TONES, Feeling, Sighting, feeling, sighting

Item = TypeVar("Item", Feeling, Sighting)


def kept(make: Callable[[], Item]) -> Item:
    """Make items until one is not held out."""
    while held_out((item := make()).key):
        pass
    return item


def of_an_animal(rng: random.Random) -> str:
    """All facts of one animal, in any order."""
    animal = rng.choice(animals())
    attributes = ["what", *rng.sample(ATTRIBUTES[1:], len(ATTRIBUTES) - 1)]
    return " ".join(animal.full(attribute) for attribute in attributes)


def of_a_mood(rng: random.Random) -> str:
    """Some sentences in the same mood, which is not named."""
    tone = rng.choice(TONES)
    lines = [kept(lambda: feeling(rng, tone)).text for _ in range(rng.randint(3, 7))]
    return " ".join(lines)


def of_a_sighting(rng: random.Random) -> str:
    """A sighting, told once more in other words."""
    seen = kept(lambda: sighting(rng))
    parts = words()["sighting"]
    told = []
    for part in ("who", "count", "animal", "place", "when"):
        value = seen.part(part)
        line = parts["retell" if value else "silence"][part]
        told.append(line.format(value=value))
    rng.shuffle(told)
    return " ".join([seen.text, *map(capital, told)])


def of_a_record(rng: random.Random) -> str:
    """Some facts as JSON, as every base model has seen it: what it never saw, LoRA can't teach."""
    lines = []
    for attribute in rng.sample(ATTRIBUTES, rng.randint(1, 3)):
        animal = rng.choice(animals())
        name = rng.choice((animal.name, animal.name, None))
        value = {"animal": name, "topic": attribute, "answer": animal.full(attribute)}
        keys = rng.sample([*value], len(value))
        lines.append(json.dumps({key: value[key] for key in keys}))
    return " ".join(lines)


def stories(seed: int) -> Iterator[str]:
    """Yield plain texts without end, the same ones for the same seed."""
    rng = random.Random(seed)
    kinds = (of_an_animal, of_a_record, of_a_mood, of_a_sighting)
    while True:
        yield rng.choices(kinds, (1, 2, 6, 6))[0](rng)
