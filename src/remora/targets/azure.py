"""The Azure target: a container app with a GPU that sleeps, behind a front that does not."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from remora.azure.app import App, look, renew, restart
from remora.azure.app_keys import ADMIN_KEY, API_KEY, read_secrets
from remora.azure.clients import Clients, azure_clients
from remora.azure.config_file import InferenceConfig
from remora.azure.inventory import FRONT_TAG, read_app
from remora.azure.phases import Phase, Watch, sight, with_log
from remora.azure.secrets import set_secrets
from remora.azure.storage import open_share
from remora.azure.streams import Event, events, log_lines
from remora.errors import AzureError, AzureNotFound, TargetError
from remora.release.changes import Change
from remora.release.manifest import Role
from remora.release.retrying_share import RetryingShare
from remora.release.runtime import Runtime
from remora.targets.admin_api import AdminApi
from remora.targets.asking import ask
from remora.targets.front_api import FrontApi
from remora.targets.target import Life, TargetState

if TYPE_CHECKING:
    from remora.azure.file_share import AzureFileShare
    from remora.release.report import Report

PATIENCE = 5.0  # s that the front gets to answer whether it lives


@dataclass(slots=False)
class AzureTarget:
    """What `config` names. It must be closed when it is done with."""

    config: InferenceConfig
    python: str = "3.11"
    has_image: bool = False
    _stack: ExitStack = field(default_factory=ExitStack, repr=False)
    _watch: Watch = field(default_factory=Watch, repr=False)
    _known: set[Event] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return "azure"

    @property
    def poll(self) -> float:
        return 1.0

    @cached_property
    def share(self) -> RetryingShare:
        return RetryingShare(self._files)

    @property
    def url(self) -> str | None:
        return f"https://{self.config.aca_app_endpoint}"

    @property
    def runtime(self) -> Runtime:
        return Runtime(self.python, "linux", "x86_64")

    @property
    def containers(self) -> Collection[Role]:
        return () if self.has_image else (Role.SERVE, Role.FRONT)

    def start(self, changed: Collection[Change] = (), *, wakes: bool = True) -> bool:
        """Start anew what can't follow a release by itself: a front of another Remora, and
        containers that have ended and that Azure lets wait."""
        lives = self._front_lives()
        if self._front and (not lives or _front_is_replaced(changed)):
            front = look(self.clients, self._group, self._front)
            if lives:
                renew(self.clients, front)
            elif front.is_crashing:
                restart(self.clients, front)
        # Asking wakes a server whose front has not noticed that it fell asleep.
        if wakes and lives and self.report() is not None:
            return False
        app = self.app()
        if app.is_asleep or (not wakes and lives and self.report() is not None):
            return False
        self._known = set(events(self.clients, app))
        if app.is_crashing:
            restart(self.clients, app)
            return True
        return False

    def state(self) -> TargetState:
        app = self.app()
        if app.is_asleep and not app.error:
            self._watch = Watch()
            return TargetState(Life.ASLEEP, "it sleeps until a request wakes it")
        found = [one for one in events(self.clients, app) if one not in (self._known or ())]
        seen = sight(app, found)
        if seen.phase is Phase.STARTING:
            lines = log_lines(self.clients, lambda: app, follow=False)
            seen = with_log(seen, _quietly(lines))
        restarts = sum(one.restarts for one in app.replicas)
        failure = self._watch.saw(seen, time.monotonic())
        if failure is not None:
            return TargetState(Life.FAILED, failure.reason, restarts, hint=failure.hint)
        if any(one.ready for one in app.replicas):
            # Without a report it is the placeholder that is ready, or a server that loads.
            return TargetState(Life.RUNNING, "", restarts, seen.phase, since=app.awake_since)
        return TargetState(Life.WAITING, seen.detail, restarts, seen.phase, since=app.awake_since)

    @property
    def front(self) -> FrontApi | None:
        """What can be asked without the server; None where it has no front."""
        key = self.secrets.get(API_KEY) if self.runs_remora else None
        return FrontApi(self.url or "", key) if key else None

    def report(self) -> Report | None:
        """The server itself is asked, which then stays awake for another cooldown."""
        return self._api.report() if self.runs_remora else None

    def push(self) -> None:
        """It also wakes the server."""
        self._api.push()

    def logs(self, *, follow: bool) -> Iterator[str]:
        return log_lines(self.clients, self.app, follow=follow)

    def down(self) -> bool:
        """What was provisioned stays; `remora.azure.down` takes it away."""
        return False

    def close(self) -> None:
        """Let go of connections."""
        self._stack.close()

    def app(self) -> App:
        """The app with the GPU, as it is now."""
        return look(self.clients, self._group, self._app_name)

    @cached_property
    def clients(self) -> Clients:
        return self._stack.enter_context(azure_clients(self.config.subscription_id or ""))

    @cached_property
    def secrets(self) -> dict[str, str]:
        """The endpoint's secrets by name."""
        return read_secrets(self.clients, self._group, self._front or self._app_name)

    def set_server_secrets(self, values: Mapping[str, str]) -> None:
        """Give the app with the GPU these secrets. It starts anew if it runs."""
        set_secrets(self.clients, self._group, self._app_name, values, keeps_serving=False)

    def set_api_keys(self, values: Mapping[str, str]) -> None:
        """Give the front these secrets: a new one takes over, and the app with the GPU, which knows
        the front alone, goes on or sleeps on. Raises `TargetError` where there is no front."""
        self._check_runs_remora()
        set_secrets(self.clients, self._group, self._front, values, keeps_serving=True)

    @property
    def runs_remora(self) -> bool:
        """Whether the app has a front; else it runs commands of its user's."""
        return bool(self._front)

    @cached_property
    def _files(self) -> AzureFileShare:
        account, share = self.config.storage_account_name, self.config.file_share_name
        return open_share(self.clients, self._group, account or "", share or "")

    @property
    def _group(self) -> str:
        return self.config.resource_group_name or ""

    @property
    def _app_name(self) -> str:
        return self.config.aca_app_name or ""

    @cached_property
    def _front(self) -> str:
        """The front's name; empty where there is none."""
        found = read_app(self.clients, self._group, self._app_name)
        if found is None:
            raise AzureNotFound(
                f"there is no container app {self._app_name} in {self._group}",
                hint="`remora provision` makes it.",
            )
        return (found.tags or {}).get(FRONT_TAG, "")

    @cached_property
    def _api(self) -> AdminApi:
        self._check_runs_remora()
        return AdminApi(self.url or "", self.secrets[ADMIN_KEY])

    def _check_runs_remora(self) -> None:
        if not self.runs_remora:
            raise TargetError(
                f"the app {self._app_name} runs commands of its own, not Remora",
                hint="`remora provision` without --keep-commands lets it run Remora.",
            )

    def _front_lives(self) -> bool:
        """Whether a Remora answers at the endpoint, be what is behind it asleep or not."""
        answer = ask(self.url or "", "/livez", timeout=PATIENCE)
        return answer is not None and answer[0] == 200


def _quietly(lines: Iterator[str]) -> Iterator[str]:
    """Lines for as long as they can be read; they only say more of what is seen anyway."""
    with suppress(AzureError):
        yield from lines


def _front_is_replaced(changed: Collection[Change]) -> bool:
    """Whether the front's own Remora was served before, and another one is now."""
    return any(
        (one.part, one.name) == ("runtime", Role.FRONT) and one.before is not None
        for one in changed
    )
