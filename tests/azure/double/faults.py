"""What goes wrong on demand: answers in place of the right one, and connections that are cut.

The rest of what may go wrong is a state of things; ``double`` is an `AzureDouble`:

=================================  =============================================================
fault                              how it is brought about
=================================  =============================================================
throttled, error, connection cut   ``double.faults.throttle``, ``fail``, ``cut``, ``answer``
slow long-running operations       ``double.operations.least_polls``, ``double.pause()``
quota of GPUs                      ``double.state.gpu_quota[PROFILE] = 0``
region without the profile         ``double.state.profiles[REGION] = ()``
policy, lock, or any other code    ``double.state.refusals.append((TYPE, ArmError(...)))``
name taken                         ``double.state.taken_names.add(NAME)``
provider not registered            ``double.state.subscriptions[ID].providers[NAME]``
role missing                       ``double.state.permissions``
environment in a failed state      ``double.state.find(ID).properties["provisioningState"]``
stuck, image, mount                ``double.settings.faults`` (a `RuntimeFaults`)
out of memory, crash               ``double.kill(APP)``; a command that ends
replicas taken elsewhere           ``double.move(APP)``
files: busy, cut, full, expired    ``double.files.faults`` (a `FileFaults`)
=================================  =============================================================
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field

from tests.azure.double.errors import ArmError


@dataclass
class Fault:
    """``error`` None cuts the connection. ``skip`` requests that fit go through before it."""

    path: re.Pattern[str]
    method: str | None
    times: int
    skip: int
    error: ArmError | None


@dataclass
class Faults:
    """Faults in the order in which they were asked for; each goes after ``times`` requests."""

    _waiting: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def throttle(self, path: str = "", *, times: int = 1, retry_after: int = 0) -> None:
        """429, with the seconds after which the client may come again."""
        error = ArmError(
            429,
            "SubscriptionRequestsThrottled",
            "Number of requests for subscription exceeded the limit. Please try again later.",
            headers={"Retry-After": str(retry_after)},
        )
        self.answer(error, path, times=times)

    def fail(self, path: str = "", *, times: int = 1, status: int = 500) -> None:
        """An error inside Azure."""
        self.answer(ArmError(status, "InternalServerError", "Encountered internal server error."),
                    path, times=times)  # fmt: skip

    def cut(self, path: str = "", *, times: int = 1, skip: int = 0) -> None:
        """Connections that break off before there is an answer."""
        self.answer(None, path, times=times, skip=skip)

    def answer(
        self,
        error: ArmError | None,
        path: str = "",
        *,
        method: str | None = None,
        times: int = 1,
        skip: int = 0,
    ) -> None:
        """Any error, for requests whose path holds the regular expression."""
        pattern = re.compile(path, re.IGNORECASE)
        with self._lock:
            self._waiting.append(Fault(pattern, method, times, skip, error))

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that strikes a request."""
        with self._lock:
            for fault in self._waiting:
                if fault.method not in {None, method} or not fault.path.search(path):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if not fault.times:
                    self._waiting.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()
