"""Secrets of the apps: changed in place, and read by containers when they start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from remora.azure.app import look, new_suffix, restart
from remora.azure.app_keys import API_KEY, HF_TOKEN, SECOND_API_KEY, read_secrets
from remora.azure.failures import azure_errors

if TYPE_CHECKING:
    from remora.azure.clients import Clients

VARIABLES = {
    API_KEY: "REMORA_API_KEY",
    SECOND_API_KEY: "REMORA_API_KEY_2",
    HF_TOKEN: "HF_TOKEN",
}


def set_secrets(
    clients: Clients, group: str, app: str, values: Mapping[str, str], *, keeps_serving: bool
) -> None:
    """Give an app these secrets by their names in `VARIABLES`; it keeps all others.

    What runs is started anew, for only then it reads them. With ``keeps_serving`` that is a new
    revision, and the old one goes on until it is ready. Without it, it is in place, or the old
    revision ends first where a variable is new to the app: there may be no second GPU.
    """
    before = look(clients, group, app)
    known = {**read_secrets(clients, group, app), **values}
    with azure_errors(f"changing the secrets of {app}"):
        found: Any = clients.apps.container_apps.get(group, app).as_dict()
    template = found["properties"]["template"]
    missing = _missing(template, values)
    change: dict[str, Any] = {
        "configuration": {"secrets": [{"name": n, "value": v} for n, v in known.items()]}
    }
    if missing:
        container = template["containers"][0]
        container["env"] = [*container.get("env", ()), *missing]
    if missing or keeps_serving:
        template["revisionSuffix"] = new_suffix()
        change["template"] = template
    body: Any = {"location": found["location"], "properties": change}
    with azure_errors(f"changing the secrets of {app}"):
        clients.apps.container_apps.begin_update(group, app, body).result()
        if keeps_serving or not before.replicas:
            return
        if not missing:
            restart(clients, before)
        else:
            clients.apps.container_apps_revisions.deactivate_revision(group, app, before.revision)


def _missing(template: Mapping[str, Any], values: Mapping[str, str]) -> list[dict[str, str]]:
    """Variables that the container does not have yet."""
    has = {one["name"] for one in template["containers"][0].get("env", ())}
    return [
        {"name": VARIABLES[name], "secretRef": name}
        for name in values
        if VARIABLES[name] not in has
    ]
