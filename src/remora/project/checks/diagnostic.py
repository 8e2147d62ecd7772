"""One thing that a check has found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from remora.errors import AdapterBroken, ModelError
from remora.project.checks.rules import Rule, Severity


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A rule that does not hold: for which model, in which file, at which key, and why."""

    rule: Rule
    model: str
    file: str
    reason: str
    key: str | None = None

    @property
    def severity(self) -> Severity:
        return self.rule.severity

    @property
    def fix(self) -> str:
        return self.rule.fix


def errors_of(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Those for which a model can't be served."""
    return [each for each in diagnostics if each.severity is Severity.ERROR]


def refuse_base(diagnostics: Iterable[Diagnostic]) -> None:
    """Raise `ModelError` with the first error, if there is one."""
    if errors := errors_of(diagnostics):
        raise ModelError(_told(errors), hint=errors[0].fix)


def refuse_adapter(diagnostics: Iterable[Diagnostic]) -> None:
    """Raise `AdapterBroken` with the first error, if there is one."""
    if errors := errors_of(diagnostics):
        raise AdapterBroken(_told(errors), hint=errors[0].fix)


def several(names: Sequence[str]) -> str:
    """What more there is than the first of a list, in words: `` (and 41 more)``."""
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _told(errors: Sequence[Diagnostic]) -> str:
    first = errors[0]
    return f"{first.file}: {first.reason}{several([error.reason for error in errors])}"
