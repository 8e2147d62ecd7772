"""What a deployment would change, as ARM's what-if tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.azure.double.arm import Arm
from tests.azure.double.catalogue import show
from tests.azure.double.deployment import Deployment, tried
from tests.azure.double.errors import ArmError
from tests.azure.double.state import Json

_HIDDEN = ("*", "secrets", "accountKey", "sharedKey")


def changes(arm: Arm, deployment: Deployment) -> list[Json]:
    """One change for each resource of the template, then what the template leaves alone.

    Raises the `ArmError` that the deployment would end in, unless only the template is to be
    validated: then no provider is asked.
    """
    found = []
    named = set()
    for wanted, error in tried(arm.state, deployment):
        if error is not None and deployment.validation != "Template":
            message = f"The template deployment '{deployment.name}' is not valid."
            raise ArmError(400, "InvalidTemplateDeployment", message, [error])
        named.add(wanted.id.lower())
        before = arm.state.find(wanted.id)
        names = {"id": wanted.id, "name": wanted.name.rpartition("/")[2], "type": wanted.type}
        after = {**names, "apiVersion": wanted.api_version, **wanted.body}
        change: Json = {"resourceId": wanted.id, "after": after, "changeType": "Create"}
        if before is not None:
            stored = {**before.body, "properties": before.properties}
            delta = list(_delta(stored, wanted.body, ""))
            change["before"] = show(arm.state, before)
            change["changeType"] = "Modify" if delta else "NoChange"
            if delta:
                change["delta"] = delta
        found.append(change)
    for key, resource in arm.state.resources.items():
        inside = key.startswith(f"{deployment.group.id}/".lower()) and len(resource.id.names) == 1
        if inside and key not in named:
            shown = show(arm.state, resource)
            found.append(
                {"resourceId": str(resource.id), "changeType": "Ignore",
                 "before": shown, "after": shown}
            )  # fmt: skip
    return found


def _delta(before: Any, after: Any, path: str) -> Iterator[Json]:
    """What of ``after`` differs; what only ``before`` has is what Azure filled in."""
    if isinstance(after, Mapping) and isinstance(before, Mapping):
        for key, value in after.items():
            inner = f"{path}.{key}" if path else key
            if key not in before:
                yield {"path": inner, "propertyChangeType": "Create", "after": value}
            else:
                yield from _delta(before[key], value, inner)
    elif _differs(before, after):
        kind = "Array" if isinstance(after, list) else "Modify"
        change: Json = {"path": path, "propertyChangeType": kind, "before": before, "after": after}
        if path.rpartition(".")[2] in _HIDDEN:
            change |= {"before": "*******", "after": "*******"}
        if kind == "Array":
            change["children"] = []
        yield change


def _differs(before: Any, after: Any) -> bool:
    if isinstance(before, list) and isinstance(after, list):
        return len(before) != len(after) or any(
            list(_delta(old, new, "")) for old, new in zip(before, after, strict=True)
        )
    if isinstance(before, str) and isinstance(after, str):
        same = before.replace(" ", "").lower() == after.replace(" ", "").lower()
        return not same if "/" in after or " " in before + after else before != after
    return bool(before != after)
