"""``remora open``: the endpoint in the browser."""

from __future__ import annotations

from remora.cli.chosen_target import TargetName, chosen_target
from remora.cli.options import AsJson, ProjectFolder
from remora.cli.output import Output
from remora.errors import TargetError


def open_(
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """Open the endpoint in the browser, and print its address."""
    import webbrowser

    target = chosen_target(project, None)
    if target.url is None or (target.name == TargetName.LOCAL and target.report() is None):
        raise TargetError("no server answers", hint="`remora deploy` starts one.")
    opened = webbrowser.open(target.url)
    Output(json).say("opened", target.url, url=target.url, opened=opened)
