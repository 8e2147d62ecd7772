"""A trial as HTML: how far it is, what each model amounts to, and every answer."""

from __future__ import annotations

from html import escape

from remora.ui.difference import marked
from remora.ui.markup import problem, table
from remora.ui.plot import bars
from remora.ui.trial import Summary, Trial

SHOWN = 200  # answers; the file has them all


def progress_view(trial: Trial) -> str:
    """How many answers there are, and how many there will be."""
    done, total = len(trial.results), trial.total
    return (
        f'<progress value="{done}" max="{max(total, 1)}" aria-label="Answers"></progress>'
        f'<p class="note" role="status">{done} of {total} answers</p>'
    )


def summary_view(trial: Trial) -> str:
    """A line for each model, and a plot of what tells them apart."""
    found = trial.summaries()
    if not found:
        return ""
    header = ["model", "answers", "failed", "exact match", "similarity", "tokens", "latency"]
    return (
        "<h2>Summary</h2>"
        + table(header, [_cells(each) for each in found], "Summary by model")
        + _plots(found)
    )


def _cells(each: Summary) -> list[str]:
    return [
        escape(each.model),
        str(each.answered),
        str(each.failed),
        "—" if each.exact is None else f"{each.exact:.0%}",
        "—" if each.similarity is None else f"{each.similarity:.2f}",
        "—" if each.tokens is None else f"{each.tokens:.0f}",
        "—" if each.latency is None else f"{each.latency:.2f} s",
    ]


def _plots(found: list[Summary]) -> str:
    plots = []
    for title, unit, values in (
        (
            "Exact match",
            " %",
            [(s.model, None if s.exact is None else s.exact * 100) for s in found],
        ),
        ("Similarity to what was expected", "", [(s.model, s.similarity) for s in found]),
        ("Length in tokens", "", [(s.model, s.tokens) for s in found]),
        ("Median latency", " s", [(s.model, s.latency) for s in found]),
    ):
        known = [(name, value) for name, value in values if value is not None]
        if known:
            plot = bars(known, title, unit)
            plots.append(f"<figure>{plot}<figcaption>{title}</figcaption></figure>")
    return f'<div class="figures-row">{"".join(plots)}</div>'


def results_view(trial: Trial) -> str:
    """Every answer beside what was expected, with the differences marked."""
    if not trial.results:
        return ""
    rows = []
    for each in trial.results[:SHOWN]:
        expected = each.row.expected
        text = each.answer.text
        cell = escape(text) if expected is None or each.exact else marked(text, expected)
        alike = "—" if each.similarity is None else f"{each.similarity:.2f}"
        shown = problem(each.answer.problem) if each.answer.problem else cell
        prompt = escape(each.row.prompt)
        rows.append([prompt, escape(each.answer.model), shown, escape(expected or "—"), alike])
    more = len(trial.results) - SHOWN
    below = f'<p class="note">{more} more are in the file.</p>' if more > 0 else ""
    header = ["prompt", "model", "answer", "expected", "similarity"]
    return "<h2>Answers</h2>" + table(header, rows, "Answers") + below
