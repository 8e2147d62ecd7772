"""The checks of `remora check`, as `remora serve` runs them on all that it is to serve."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from remora.cli.check import show_diagnostic
from remora.cli.output import Output
from remora.engine.families import FAMILIES
from remora.project.checks.checker import Checker, make_checker
from remora.project.checks.diagnostic import Diagnostic, refuse_adapter, refuse_base
from remora.project.project import Project


class Inspection:
    """Refuses what can't be served, and tells all that it finds: programs at once, a person not
    before `tell`, for until then a spinner turns."""

    def __init__(self, project: Project, output: Output) -> None:
        self._project = project
        self._output = output
        self._names = {path: name for name, path in project.adapters.items()}
        self._checker: Checker | None = None
        self._lock = threading.Lock()
        self._held: list[Diagnostic] | None = None if output.as_json else []

    def base(self) -> None:
        """Check the base model; raises `ModelError`."""
        self._checker = make_checker(self._project, FAMILIES)
        self._take(self._checker.found)
        refuse_base(self._checker.found)

    def adapter(self, folder: Path) -> None:
        """Check an adapter's headers; raises `AdapterBroken`. Its numbers are proved by others."""
        assert self._checker is not None
        name = self._names.get(folder, folder.name)
        found = self._checker.adapter(folder, name, sample=0)
        self._take(found)
        refuse_adapter(found)

    def tell(self) -> None:
        """Show what was held back, and from now on everything at once."""
        with self._lock:
            held, self._held = self._held, None
        self._take(held or [])

    def _take(self, found: Sequence[Diagnostic]) -> None:
        with self._lock:
            if self._held is not None:
                self._held += found
                return
        for diagnostic in found:
            show_diagnostic(self._output, diagnostic)
