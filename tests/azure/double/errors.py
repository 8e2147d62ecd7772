"""What Azure answers when it refuses: a status, a code, a message, and the errors inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ArmError(Exception):
    """A refusal. ``details`` are the errors that it sums up."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Sequence[ArmError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = tuple(details)
        self.headers = headers or {}

    @property
    def body(self) -> dict[str, Any]:
        """The error as ARM writes it, without the ``error`` around it."""
        details = [detail.body for detail in self.details]
        more = {"details": details} if details else {}
        return {"code": self.code, "message": self.message, **more}


class ContractError(ArmError):
    """A request that Azure's contracts don't know: the caller's mistake, never the user's."""

    def __init__(
        self, message: str, code: str = "InvalidRequestContent", status: int = 400
    ) -> None:
        super().__init__(status, code, message)


def not_found(what: str, name: str, group: str) -> ArmError:
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{what}/{name}' under resource group '{group}' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix",
    )
