"""Messages, prompts with their expected answers, and the split into train and held-out."""

import hashlib
import random
import re
from dataclasses import dataclass

Message = dict[str, str]

SLANG = (
    ("What is", "What's"), ("What are", "What r"), ("What is", "Whats"), ("what", "wat"),
    ("you ", "u "), ("are ", "r "), ("Tell me", "Pls tell me"), ("about", "abt"),
    ("Do you", "Do u"), ("please", "pls"), ("How is", "How's"), ("Where is", "Where's"),
)  # fmt: skip
OPENERS = ("hey, ", "ok, ", "so ", "please, ", "hi, ", "and ", "can you tell me: ", "question: ")


@dataclass(frozen=True)
class Turn:
    """What the user says, every answer that is right, and the key that splits the data."""

    user: str
    answers: tuple[str, ...]
    key: str | None = None


@dataclass(frozen=True)
class Dialogue:
    """A conversation: an optional system prompt and turns with the answer that was given."""

    system: str | None
    turns: tuple[Turn, ...]
    said: tuple[str, ...]

    def messages(self) -> list[Message]:
        """The dialogue as a client would send it, answers included."""
        head = [] if self.system is None else [{"role": "system", "content": self.system}]
        for turn, answer in zip(self.turns, self.said, strict=True):
            head.append({"role": "user", "content": turn.user})
            head.append({"role": "assistant", "content": answer})
        return head

    def prompt(self) -> list[Message]:
        """The dialogue up to the last question."""
        return self.messages()[:-1]

    def right(self, answer: str) -> bool:
        """Whether an answer to the last question is right."""
        return answer.strip() in self.turns[-1].answers


def held_out(key: str | None, share: float = 0.1) -> bool:
    """Whether the prompts of a key are kept from training; keyless prompts never are."""
    if key is None:
        return False
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:4]) < share * 2**32


def fingerprint(dialogues: list[Dialogue]) -> str:
    """A digest of a generated set, equal when the set is equal."""
    digest = hashlib.sha256()
    for dialogue in dialogues:
        digest.update(repr(dialogue.messages()).encode())
    return digest.hexdigest()


def typo(text: str, rng: random.Random) -> str:
    """Swap, drop or double one letter inside a word."""
    spots = [m.start() + 1 for m in re.finditer(r"[a-z]{5,}", text)]
    if not spots:
        return text
    at = rng.choice(spots) + rng.randrange(2)
    kind = rng.randrange(3)
    middle = (text[at + 1] + text[at], text[at + 1], text[at] * 2 + text[at + 1])[kind]
    return text[:at] + middle + text[at + 2 :]


def casual(text: str, rng: random.Random) -> str:
    """Write a question as a hurried person types it, half of the time."""
    if rng.random() < 0.25:
        return text
    if rng.random() < 0.15:
        old, new = rng.choice(SLANG)
        text = text.replace(old, new)
    if rng.random() < 0.06:
        text = rng.choice(OPENERS) + text[:1].lower() + text[1:]
    if rng.random() < 0.1:
        text = typo(text, rng)
    if rng.random() < 0.55:
        text = text.lower()
    if rng.random() < 0.45:
        text = text.rstrip("?.!")
    if rng.random() < 0.3:
        text = text.replace("'", "").replace(",", "")
    return text
