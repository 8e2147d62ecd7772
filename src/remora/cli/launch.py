"""The start of `remora serve`: what it shows while the model loads, and when it is ready."""

from __future__ import annotations

import gc
import importlib.util
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from remora.backends.backend import Backend, ModelCard, Phase, Status
from remora.cli.chat import chat_command
from remora.cli.findings import show_findings
from remora.cli.health import SERVE_MODULES
from remora.cli.inspection import Inspection
from remora.cli.keys import Keys
from remora.cli.output import Output
from remora.cli.plan import Plan
from remora.cli.start_phases import StartPhases, process_began
from remora.cli.stdin import stop_with_stdin
from remora.cli.ui import is_ui_installed
from remora.errors import ConfigError, ModelError
from remora.release.report import RESTART

if TYPE_CHECKING:
    from rich.status import Status as Spinner

    from remora.gateway.interface import Interface
    from remora.gateway.server import Server
    from remora.reconcile.choice import Start
    from remora.reconcile.reconciler import Reconciler

STEP = 0.05  # the least progress that is told


@contextmanager
def _no_collection() -> Iterator[None]:
    """Don't look for garbage while modules are imported and a model is loaded: what they make
    stays, and looking through it again and again would take a sixth of the start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@_no_collection()
def launch(
    plan: Plan,
    output: Output,
    *,
    log_level: int,
    until_stdin_ends: bool = False,
    with_ui: bool = True,
) -> int:
    """Serve until a signal ends it. The socket opens before the model is loaded.

    Returns the exit code: `RESTART` where the share's release asks for another start. Raises
    `ConfigError` if the address can't be had and `ModelError` if the model can't be.
    """
    _check_installed()
    from remora.backends.engine_backend import EngineBackend
    from remora.engine.generation_config import sampling_defaults
    from remora.gateway.logs import log_as_json
    from remora.gateway.server import Server, bind, url_of

    log_as_json(level=log_level)
    show_findings(output, plan.project.findings, plan.project.folder)
    if plan.start and (code := plan.start.checkout.code):
        output.say("code", f"Its code is in {code}.", path=str(code))
    listener = bind(plan.host, plan.port)
    with Progress(output) as progress:
        output.say("listening", url=url_of(listener), host=plan.host)
        tell_key(output, plan.keys)
        project = plan.project
        inspection = Inspection(project, output)
        start = plan.start
        phases = StartPhases(output, proves=start is not None, began=process_began())

        def show(status: Status) -> None:
            phases.hear(status)
            progress.show(status)

        folders = project.adapters if plan.merge is None else {project.name: plan.merge}
        backend = EngineBackend(
            project.base,
            project.name,
            project.adapters,
            plan.options,
            show,
            inspector=inspection,
            prompts={
                folders[name]: prompt.template
                for name, prompt in project.prompts.items()
                if name in folders
            },
            release=start.choice.served.id if start else "",
            merge=plan.merge,
            defaults=sampling_defaults(project.base) if project.model.generation_config else None,
        )
        reconciler = _reconciler(backend, start, phases) if start else None
        backend.start()

        hosts = plan.settings.allowed_hosts
        make_interface = interface_maker(url_of(listener), hosts) if with_ui else None

        def tell_ready(url: str) -> None:
            gc.freeze()  # What is there stays; no step of the engine shall wait for a look at it.
            gc.enable()
            progress.end()
            _tell_ready(output, plan, url, backend.models(), with_ui=make_interface is not None)
            inspection.tell()

        server = Server(backend, plan.settings, listener, tell_ready, reconciler, make_interface)
        if until_stdin_ends:
            stop_with_stdin(server.stop)
        restart = _run(server, reconciler)
    output.say("stopped", "Stopped, to start anew." if restart else "Stopped.", restart=restart)
    return RESTART if restart else 0


def _reconciler(backend: Backend, start: Start, phases: StartPhases) -> Reconciler:
    from remora.reconcile.reconciler import Reconciler  # Of no use where no share is served.

    return Reconciler(backend, start, on_proved=phases.proved)


def _run(server: Server, reconciler: Reconciler | None) -> bool:
    """Serve to the end; returns whether another release waits for another start."""
    try:
        server.run()
    except ModelError as error:
        if reconciler is None or not reconciler.refuse_served(error):
            raise
        return True
    return reconciler is not None and reconciler.restart_wanted


def interface_maker(url: str, hosts: tuple[str, ...] = ()) -> Callable[[], Interface] | None:
    """What makes the pages for the browser, where they are installed; they ask this server over
    HTTP."""
    if not is_ui_installed():
        return None

    def make() -> Interface:
        from remora.ui.site import Site

        return Site(url, allowed_hosts=hosts)

    return make


def _check_installed() -> None:
    missing = [name for name in SERVE_MODULES if not importlib.util.find_spec(name)]
    if missing:
        raise ConfigError(
            f"`remora serve` needs packages that are not installed: {', '.join(missing)}",
            hint="Install them with `pip install 'remora-serve[serve]'`.",
        )


@dataclass(slots=True)
class Progress:
    """Shows how far the loading has come: a spinner on a terminal, events for programs."""

    output: Output
    spinner: Spinner | None = field(default=None, init=False)
    told: Status | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        if not self.output.as_json and self.output.console.is_terminal:
            self.spinner = self.output.console.status("Loading")
            self.spinner.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def show(self, status: Status) -> None:
        """Tell a step; called from the thread that loads."""
        if status.phase is not Phase.LOADING:
            return
        if self.spinner is not None:
            self.spinner.update(f"Loading {status.progress:4.0%}  {status.detail}")
        if self._is_news(status):
            self.told = status
            self.output.say("loading", detail=status.detail, progress=round(status.progress, 3))

    def end(self) -> None:
        """Take the spinner away."""
        if self.spinner is not None:
            self.spinner.stop()
            self.spinner = None

    def _is_news(self, status: Status) -> bool:
        last = self.told
        return (
            last is None or status.detail != last.detail or status.progress - last.progress >= STEP
        )


def tell_key(output: Output, keys: Keys) -> None:
    """Show a key that was made, for it is never shown again."""
    if keys.made is not None:
        output.say(
            "api_key",
            f"API key, shown only now: {keys.made}\n"
            "Clients send it as `Authorization: Bearer KEY`; `remora chat` reads it from"
            " REMORA_API_KEY.",
            key=keys.made,
        )


def _tell_ready(
    output: Output, plan: Plan, url: str, cards: Sequence[ModelCard], *, with_ui: bool
) -> None:
    models = [
        {
            "id": c.id,
            "parent": c.parent,
            "state": c.state,
            "rank": c.rank,
            "reason": c.reason,
            "runtime": c.runtime,
        }
        for c in cards
    ]
    output.say("ready", url=url, models=models)
    if output.as_json:
        return
    output.say("ready", _table(cards))
    model = next((card.id for card in cards if card.parent), plan.project.name)
    if with_ui:
        output.say("ready", f"\nOpen {url} in a browser.")
    output.say("ready", f"\nRemora is ready at {url}. Try `{chat_command(url)}`, or:\n")
    output.say("ready", curl_line(url, model, with_key=bool(plan.keys.api)))
    output.say("ready", "\nCtrl-C stops it.")


def _table(cards: Sequence[ModelCard]) -> Any:
    from rich.table import Table

    table = Table("model", "kind", "state", "", box=None, pad_edge=False, header_style="dim")
    for card in cards:
        kind = f"adapter, rank {card.rank}" if card.rank else "adapter"
        note = "" if card.parent or card.runtime != "transformers" else "on transformers: slower"
        table.add_row(card.id, kind if card.parent else "base", card.state, card.reason or note)
    return table


def curl_line(url: str, model: str, *, with_key: bool, platform: str = sys.platform) -> str:
    """A command that a user can paste into the platform's shell."""
    body = json.dumps(
        {"model": model, "messages": [{"role": "user", "content": "Hello!"}]}, ensure_ascii=False
    )
    if platform == "win32":
        quoted, key = '"' + body.replace('"', '\\"') + '"', "%REMORA_API_KEY%"
    else:
        quoted, key = shlex.quote(body), "$REMORA_API_KEY"
    authorization = f'-H "Authorization: Bearer {key}" ' if with_key else ""
    return (
        f'curl {url}/v1/chat/completions {authorization}-H "Content-Type: application/json"'
        f" -d {quoted}"
    )
