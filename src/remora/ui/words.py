"""Errors of an endpoint in the words of those who look at a page: what happened, what to do."""

from __future__ import annotations

from remora.errors import EndpointError, RemoraError

_ADVICE = {
    401: "Reload this page and sign in with a key of this endpoint.",
    403: "This key may not do that. Sign in with another one.",
    404: "Choose another model: this one may have been removed.",
    413: "Make the message shorter.",
    429: "The endpoint is busy. Try again in a moment.",
    500: "The endpoint's log says more. Try again.",
}
_UNREACHABLE = "The connection was lost. Check that the endpoint still runs, then try again."


def in_words(error: RemoraError) -> str:
    """What happened, as the endpoint says it, and what to do about it."""
    said = str(error).strip().rstrip(".")
    if not isinstance(error, EndpointError):
        return f"{said}. {error.hint or ''}".strip()
    advice = _UNREACHABLE if error.unreachable else _ADVICE.get(error.status or 0, "")
    return f"{said}. {advice}".strip()
