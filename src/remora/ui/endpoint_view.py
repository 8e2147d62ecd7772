"""An endpoint as HTML: its models, its release, its load, and how a program asks it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from remora.client.answers import Model
from remora.ui.context import STATES, Served
from remora.ui.load import PLACES, History
from remora.ui.markup import button, note, problem, table
from remora.ui.plot import line
from remora.ui.snippets import snippet


def models_view(served: Served) -> str:
    """Every model with its digest, state and probe; columns that nobody fills are left out."""
    if served.problem:
        return problem(served.problem)
    columns = {
        "model": [f"<strong>{escape(model.id)}</strong>" for model in served.models],
        "kind": [_kind(model) for model in served.models],
        "state": [_state(model) for model in served.models],
        "digest": [_digest(model) for model in served.models],
        "probe": [_probe(model.probe) for model in served.models],
        "context": [str(model.context_length or "") for model in served.models],
    }
    filled = {name: cells for name, cells in columns.items() if any(cells)}
    rows = list(zip(*filled.values(), strict=True))
    return table(list(filled), rows, "Models of this endpoint")


def _kind(model: Model) -> str:
    if not model.parent:
        return "base"
    return f"adapter, rank {model.rank}" if model.rank else "adapter"


def _state(model: Model) -> str:
    reason = f": {model.reason}" if model.reason else ""
    return escape(f"{STATES.get(model.state, model.state)}{reason}")


def _digest(model: Model) -> str:
    if not model.digest:
        return ""
    short = model.digest.removeprefix("sha256:")[:12]
    return f'<code title="{escape(model.digest)}">{escape(short)}</code>'


def _probe(probe: Any) -> str:
    if probe is None:
        return ""
    if isinstance(probe, Mapping) and isinstance(probe.get("kl_divergence"), int | float):
        warnings = "; ".join(str(each) for each in probe.get("warnings") or [])
        told = f"differs from the base: KL divergence {probe['kl_divergence']:.3g}"
        return escape(f"{told}. {warnings}".strip(". ") if warnings else told)
    if isinstance(probe, Mapping):
        return escape(", ".join(f"{name}: {value}" for name, value in probe.items()))
    return escape(str(probe))


def release_view(release: Mapping[str, Any] | None) -> str:
    """The current release; nothing where there is none, or where this key may not see it."""
    if not release:
        return ""
    rows = [[escape(str(key)), _value(value)] for key, value in release.items()]
    return "<h2>Current release</h2>" + table(["", ""], rows, "Current release")


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"<code>{escape(text)}</code>"


def load_view(history: History, trouble: str = "") -> str:
    """Three small plots of the last two minutes."""
    if trouble:
        return problem(trouble)
    if not history.running:
        return note("Nothing has been measured yet.")
    plots = []
    for title, values, form in (
        ("requests running", history.running, "{:.0f}"),
        ("requests waiting", history.waiting, "{:.0f}"),
        ("tokens/s", history.speed, "{:.1f}"),
    ):
        now = form.format(values[-1]) if values else "—"
        plot = line(list(values), title, places=PLACES)
        caption = f"<strong>{now}</strong> {title}"
        plots.append(f"<figure>{plot}<figcaption>{caption}</figcaption></figure>")
    return f'<div class="figures-row">{"".join(plots)}</div>'


def snippet_view(kind: str, url: str, model: str) -> str:
    """A program to copy."""
    text = snippet(kind, url, model)
    copy = button("Copy", "copy", copy=text)
    return f'<div class="plain"><pre tabindex="0">{escape(text)}</pre>{copy}</div>'
