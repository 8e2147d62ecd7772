"""``remora open``: the endpoint in the browser."""

from __future__ import annotations

from remora.cli.chosen_target import TargetName, chosen_target
from remora.cli.options import AsJson, OfTarget, ProjectFolder
from remora.cli.output import Output
from remora.errors import TargetError


def open_(
    project: ProjectFolder = None,
    target: OfTarget = None,
    json: AsJson = False,
) -> None:
    """Open the endpoint in the browser, and print its address."""
    import webbrowser

    of = chosen_target(project, None, target)
    if of.url is None or (of.name == TargetName.LOCAL and of.report() is None):
        raise TargetError("no server answers", hint="`remora deploy` starts one.")
    opened = webbrowser.open(of.url)
    Output(json).say("opened", of.url, url=of.url, opened=opened)
