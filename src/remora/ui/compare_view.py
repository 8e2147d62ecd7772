"""A comparison as HTML: its columns with the vote below, and the tally of all votes."""

from __future__ import annotations

from html import escape

from remora.ui.answer import Answer
from remora.ui.comparison import VERDICTS, Comparison, Votes
from remora.ui.difference import marked
from remora.ui.markup import button, problem, table


def columns_view(row: Comparison, *, running: bool = False, highlight: bool = False) -> str:
    """Every answer in a column; when all have ended, with marked differences and a vote."""
    first = row.answers[0].text
    columns = []
    for number, answer in enumerate(row.answers):
        text = marked(answer.text, first) if highlight and number else escape(answer.text)
        columns.append(_column(row, number, answer, text, running=running))
    busy = ' aria-busy="true"' if running else ""
    below = "" if running else _voting(row)
    return f'<div class="columns"{busy}>{"".join(columns)}</div>{below}'


def _column(row: Comparison, number: int, answer: Answer, text: str, *, running: bool) -> str:
    title = escape(row.title(number))
    verdict = ""
    if row.best is not None:
        said = row.verdict(number)
        verdict = f' <span class="{said}">{said}</span>'
    waited = f'<p class="note" role="status">{escape(answer.waited())}</p>' if running else ""
    figures = f'<p class="figures">{escape(answer.figures())}</p>' if answer.figures() else ""
    if row.blind and row.best is None:
        figures = ""  # Speed and counts may give a model away.
    return (
        f'<section aria-label="{title}"><h2>{title}{verdict}</h2><div class="text">{text}</div>'
        f"{problem(answer.problem or '')}{waited}{figures}</section>"
    )


def _voting(row: Comparison) -> str:
    if row.best is not None:
        return ""
    buttons = [
        button(f"{row.title(number)} is best", "vote", number) for number in range(len(row.answers))
    ]
    return (
        '<div class="voting" role="group" aria-label="Your vote">'
        "<span>Which answer is better?</span>"
        f"{''.join(buttons)}{button('About the same', 'vote', -1)}</div>"
    )


def tally_view(votes: Votes) -> str:
    """All votes so far, by model."""
    if not votes.counts:
        return ""
    rows = [
        [escape(model), *(str(counts[verdict]) for verdict in VERDICTS)]
        for model, counts in votes.counts.items()
    ]
    return "<h2>Votes so far</h2>" + table(["model", *VERDICTS], rows, "Votes so far")
