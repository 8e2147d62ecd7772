"""The pages before the pages: sign in, and wait until the endpoint answers. No JavaScript of
others, nothing from elsewhere, and there from the server's first moment."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "media-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self' data: blob:; "
    "form-action 'self'; base-uri 'self'; object-src 'none'"
)


def sign_in_page(address: str, problem: str = "") -> str:
    """The form that asks for the endpoint's key."""
    alert = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    return _page("sign_in.html", address=escape(address), alert=alert)


def waiting_page(address: str) -> str:
    """What is seen while a model loads or a machine wakes; it goes on by itself."""
    return _page("waiting.html", address=escape(address))


def _page(name: str, **values: str) -> str:
    static = files("remora.ui") / "static"
    body = Template((static / name).read_text("utf-8")).substitute(values)
    style = (static / "gate.css").read_text("utf-8")
    frame = Template((static / "gate.html").read_text("utf-8"))
    return frame.substitute(style=style, body=body)
