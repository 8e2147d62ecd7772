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

    On Azure also what exists, in which state, and what it costs now. A server that sleeps is not
    woken.
    """
    from remora.cli.azure_status import tell_resources
    from remora.cli.release_table import model_table
    from remora.release.manifest import short
    from remora.targets.local import LocalTarget
    from remora.targets.target import Life

    of, output = chosen_target(project, None, target), Output(json)
    if not isinstance(of, LocalTarget):
        tell_resources(output, of.clients, of.config)
    state = of.state()
    report = None if state.life is Life.ASLEEP else of.report()
    output.say(
        "status",
        target=of.name,
        life=state.life,
        detail=state.detail,
        restarts=state.restarts,
        url=of.url,
        report=report.model_dump(mode="json") if report else None,
    )
    if json:
        return
    died = f", restarted {state.restarts} times" if state.restarts else ""
    detail = f": {state.detail}" if state.detail else ""
    output.say("status", f"The server is {state.life}{died}{detail}.")
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
