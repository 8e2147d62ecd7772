"""``remora status``: what a target's server does, and which release it serves."""

from __future__ import annotations

from remora.cli.chosen_target import chosen_target
from remora.cli.options import AsJson, OfTarget, ProjectFolder
from remora.cli.output import Output


def status(
    project: ProjectFolder = None,
    target: OfTarget = None,
    json: AsJson = False,
) -> None:
    """Say whether the server runs, what it serves, and why not if it does not.

    On Azure also what exists, in which state, and what it costs now. There the front is asked, and
    not the server: looking neither wakes it nor keeps it awake.
    """
    from remora.cli.azure_status import tell_resources, tell_seen
    from remora.cli.release_table import model_table
    from remora.release.manifest import short
    from remora.targets.local import LocalTarget
    from remora.targets.target import Life

    of, output = chosen_target(project, None, target), Output(json)
    if not isinstance(of, LocalTarget):
        tell_resources(output, of.clients, of.config)
    state = of.state()
    seen = None
    if isinstance(of, LocalTarget):
        report = of.report()
    else:
        seen = of.front.seen() if of.front else None
        report = of.front.report() if of.front and state.life is Life.RUNNING else None
    since = state.since or (seen.since if seen and seen.presence == state.life else None)
    output.say(
        "status",
        target=of.name,
        life=state.life,
        detail=state.detail,
        since=since.isoformat() if since else None,
        restarts=state.restarts,
        url=of.url,
        report=report.model_dump(mode="json") if report else None,
        front=seen.model_dump(mode="json") if seen else None,
    )
    if json:
        return
    died = f", restarted {state.restarts} times" if state.restarts else ""
    began = f" since {since.astimezone():%Y-%m-%d %H:%M}" if since else ""
    detail = f": {state.detail}" if state.detail else ""
    output.say("status", f"The server is {state.life}{began}{died}{detail}.")
    if seen is not None:
        tell_seen(output, seen)
    if report is None:
        return
    served = short(report.served.release) if report.served else "nothing"
    output.say("status", f"{of.url} serves release {served} ({report.standing}).")
    if report.wanted and report.served and report.wanted.release != report.served.release:
        why = f": {report.reason}" if report.reason else ""
        output.say("status", f"Release {short(report.wanted.release)} is not served{why}.")
    if report.hint:
        output.say("status", f"hint: {report.hint}")
    output.say("status", model_table(report, report.served.release if report.served else ""))
