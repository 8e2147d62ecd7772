"""A conversation as HTML."""

from __future__ import annotations

from html import escape

from remora.ui.answer import Answer
from remora.ui.conversation import Conversation, Exchange
from remora.ui.markup import button, problem, rich

EMPTY = (
    '<div class="empty"><p>Ask the model that you fine-tuned.</p>'
    "<p>Choose an adapter above, or the base that it came from.</p></div>"
)


def history_view(conversation: Conversation, *, running: bool = False) -> str:
    """All exchanges with their buttons; while one runs, all but that one, without buttons."""
    shown = conversation.exchanges[:-1] if running else conversation.exchanges
    if not conversation.exchanges:
        return EMPTY
    return "".join(_exchange(index, each, idle=not running) for index, each in enumerate(shown))


def running_view(exchange: Exchange) -> str:
    """The exchange that is being answered."""
    answer = exchange.answer
    waited = answer.waited()
    status = f'<p class="note" role="status">{escape(waited)}</p>' if waited else ""
    body = rich(answer.text) if answer.text else '<span class="typing" aria-label="Waiting"></span>'
    return (
        _question(exchange.question, "")
        + f'<article class="answer" aria-busy="true">{_who(answer)}{body}{status}</article>'
    )


def _exchange(index: int, exchange: Exchange, *, idle: bool) -> str:
    answer = exchange.answer
    edit = button("Edit", "edit", index) if idle else ""
    buttons = ""
    if idle:
        copy = button("Copy", "copy", index, copy=answer.text) if answer.text else ""
        buttons = f'<div class="buttons">{copy}{button("Retry", "retry", index)}</div>'
    figures = f'<p class="figures">{escape(answer.figures())}</p>' if answer.figures() else ""
    return (
        _question(exchange.question, edit)
        + f'<article class="answer">{_who(answer)}{rich(answer.text)}'
        + f"{problem(answer.problem or '')}{figures}{buttons}</article>"
    )


def _question(text: str, edit: str) -> str:
    buttons = f'<div class="buttons">{edit}</div>' if edit else ""
    return f'<article class="question"><div class="said">{escape(text)}</div>{buttons}</article>'


def _who(answer: Answer) -> str:
    return f'<h2 class="who">{escape(answer.model)}</h2>'
