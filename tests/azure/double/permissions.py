"""Microsoft.Authorization: what the one who signed in may do."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.azure.double.arm import Arm
from tests.azure.double.call import Call, Reply, Route
from tests.azure.double.errors import ArmError
from tests.azure.double.state import State

_CLIENT = "user@example.com"


def _covers(patterns: Iterable[str], action: str) -> bool:
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE)
        for pattern in patterns
    )


def may(state: State, action: str) -> bool:
    return any(
        _covers(role["actions"], action) and not _covers(role.get("notActions", []), action)
        for role in state.permissions
    )


def check_permission(state: State, action: str, scope: str) -> None:
    """Raises `ArmError` where the role is missing."""
    if not may(state, action):
        raise ArmError(
            403,
            "AuthorizationFailed",
            f"The client '{_CLIENT}' with object id '00000000-0000-0000-0000-000000000001' does "
            f"not have authorization to perform action '{action}' over scope '{scope}' or the "
            "scope is invalid. If access was recently granted, please refresh your credentials.",
        )


def action_of(method: str, path: str) -> str | None:
    """The action that a request needs; None for reading, which everybody may.

    ``…/providers/A/b/x/c/y`` is of type ``A/b/c``; a word after the last name is an action.
    """
    parts = path.strip("/").split("/")
    places = [index for index, part in enumerate(parts) if part.lower() == "providers"]
    if method in {"GET", "HEAD"} or not places:
        return None
    namespace, *rest = parts[places[-1] + 1 :]
    resource_type = "/".join([namespace, *rest[::2]])
    if method == "POST":
        return f"{resource_type}/action"
    return f"{resource_type}/delete" if method == "DELETE" else f"{resource_type}/write"


def permissions(arm: Arm, call: Call) -> Reply:
    value = [{"dataActions": [], "notDataActions": [], **role} for role in arm.state.permissions]
    return Reply(200, {"value": value})


def role_assignments(arm: Arm, call: Call) -> Reply:
    return Reply(200, {"value": []})


_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Authorization"
_SUBSCRIPTION = "/subscriptions/{subscription}/providers/Microsoft.Authorization"
ROUTES = tuple(
    Route("GET", f"{scope}/{name}", handler, f"Microsoft.Authorization/{name}")
    for scope in (_GROUP, _SUBSCRIPTION)
    for name, handler in (("permissions", permissions), ("roleAssignments", role_assignments))
)
