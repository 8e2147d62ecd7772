"""What the proof of an adapter found: plain data, free of torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Replay:
    """How the lines of an adapter's ``probe.jsonl`` came out.

    ``reproduced`` of the ``texts`` are what the adapter says now, token for token. ``mean_skew``
    and ``max_skew`` [nats] compare log-probabilities with the training's; None without any.
    """

    lines: int
    texts: int
    reproduced: int
    mean_skew: float | None
    max_skew: float | None


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How far an adapter moves the base's scores on the probe prompt.

    ``prompt`` is the digest (hex) of the prompt's token ids; ``max_difference`` the largest
    difference of two scores; ``kl_divergence`` [nats] the mean over the prompt's tokens of that of
    the base from the adapter. ``warnings`` say what is odd, but within what is tolerated.
    """

    prompt: str
    max_difference: float
    kl_divergence: float
    replay: Replay | None = None
    warnings: tuple[str, ...] = ()
