"""What the demo model knows: facts, small talk and the ways people ask for them."""

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ATTRIBUTES = ("what", "food", "home", "size", "age", "danger", "enemy", "fun")

FULL = {
    "what": "{One} is {fact}.",
    "food": "{Many} eat {fact}.",
    "home": "{Many} live {fact}.",
    "size": "{One} is {fact}.",
    "age": "{Many} live for {fact}.",
    "danger": "{fact}",
    "enemy": "{Many} must beware of {fact}.",
    "fun": "{fact}",
}

PIRATE = {
    "what": "Arr, {one} be {fact}, matey!",
    "food": "Yo ho ho! {Many} be feastin' on {fact}!",
    "home": "Ahoy! {Many} drop anchor {fact}!",
    "size": "Shiver me timbers! {One} be {fact}!",
    "age": "Aye, {many} sail on for {fact}, by me beard!",
    "danger": "Avast! {fact} Arr!",
    "enemy": "Har har! {Many} be fleein' from {fact}!",
    "fun": "Blow me down! {fact} Arr!",
}


def capital(text: str) -> str:
    """Make the first letter a capital one and leave the rest."""
    return text[:1].upper() + text[1:]


def article(noun: str) -> str:
    """Put a or an before a noun."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


@dataclass(frozen=True)
class Animal:
    """One animal of the sea and its facts."""

    name: str
    many: str
    facts: dict[str, str]
    also: tuple[str, ...] = ()
    metres: float = 0.0

    def fill(self, template: str, fact: str = "", other: str = "") -> str:
        """Complete a template with the animal's names and what else it needs."""
        one = article(self.name)
        return template.format(
            name=self.name,
            Name=capital(self.name),
            one=one,
            One=capital(one),
            many=self.many,
            Many=capital(self.many),
            fact=fact,
            other=other,
        )

    def called(self, name: str) -> "Animal":
        """The same animal under one of its other names."""
        many = name if name.endswith(("fish", "squid", "tuna")) else f"{name}s"
        many = f"{name}es" if name.endswith("octopus") else many
        return replace(self, name=name, many=many)

    def full(self, attribute: str) -> str:
        """Say a fact in a whole sentence."""
        return self.fill(FULL[attribute], self.facts[attribute])

    def short(self, attribute: str) -> str:
        """Say a fact in a few words."""
        fact = self.facts[attribute]
        if attribute == "danger":
            return fact.split(". ")[0].rstrip(".") + "."
        return fact if attribute == "fun" else capital(fact) + "."

    def pirate(self, attribute: str) -> str:
        """Say a fact as a pirate would."""
        return self.fill(PIRATE[attribute], self.facts[attribute])


@dataclass(frozen=True)
class Talk:
    """A question of small talk with its answers."""

    ask: tuple[str, ...]
    say: str
    pirate: str


def read(name: str) -> dict[str, Any]:
    """Read one of the TOML files that lie beside this module."""
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


@cache
def animals() -> tuple[Animal, ...]:
    """All animals, in the order of the file."""
    entries = read("sea.toml").items()
    return tuple(
        Animal(
            name=name,
            many=entry["many"],
            facts={key: entry[key] for key in ATTRIBUTES},
            also=tuple(entry.get("also", ())),
            metres=entry["metres"],
        )
        for name, entry in entries
    )


@cache
def small_talk() -> tuple[Talk, ...]:
    """All small talk, in the order of the file."""
    return tuple(
        Talk(tuple(entry["ask"]), entry["say"], entry["pirate"])
        for entry in read("talk.toml")["talk"]
    )


@cache
def questions() -> dict[str, dict[str, Any]]:
    """The ways to ask: direct, follow, open and off (topic)."""
    return read("questions.toml")


@cache
def words() -> dict[str, Any]:
    """The vocabulary of sightings and feelings that the tasks are built from."""
    return read("words.toml")
