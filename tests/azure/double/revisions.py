"""Microsoft.App: revisions of an app and their replicas."""

from __future__ import annotations

from tests.azure.double.arm import Arm
from tests.azure.double.call import Call, Reply, Route
from tests.azure.double.container_apps import PATH, REVISIONS, app_of
from tests.azure.double.errors import ArmError
from tests.azure.double.state import Json, Resource


def revision_of(arm: Arm, call: Call) -> Resource:
    """The revision that a path names. Raises `ArmError` where there is none."""
    name = call.names["revision"]
    found = arm.state.find(app_of(arm, call).id.child("revisions", name))
    if found is None:
        raise ArmError(404, "RevisionNotFound", f"Revision '{name}' was not found.")
    return found


def _replicas(arm: Arm, revision: Resource) -> list[Json]:
    return [
        {"id": f"{revision.id}/replicas/{view['name']}", "type": f"{REVISIONS}/replicas", **view}
        for view in arm.runtime.replicas(revision.id)
    ]


def replicas(arm: Arm, call: Call) -> Reply:
    return Reply(200, {"value": _replicas(arm, revision_of(arm, call))})


def replica(arm: Arm, call: Call) -> Reply:
    for found in _replicas(arm, revision_of(arm, call)):
        if found["name"] == call.names["replica"]:
            return Reply(200, found)
    raise ArmError(404, "ReplicaNotFound", f"Replica '{call.names['replica']}' was not found.")


def restart(arm: Arm, call: Call) -> Reply:
    """Stops the replicas and starts as many anew, in place."""
    revision = revision_of(arm, call)
    if not revision.properties["active"]:
        raise ArmError(400, "RevisionNotActive", f"Revision '{revision.id.name}' is not active.")
    arm.runtime.restart(revision.id)
    return Reply(200, "Restart succeeded")


def activate(arm: Arm, call: Call) -> Reply:
    return _switch(arm, call, active=True)


def deactivate(arm: Arm, call: Call) -> Reply:
    return _switch(arm, call, active=False)


def _switch(arm: Arm, call: Call, *, active: bool) -> Reply:
    revision = revision_of(arm, call)
    revision.properties["active"] = active
    revision.properties["runningState"] = "Running" if active else "Stopped"
    arm.runtime.look(revision.id)
    return Reply(200, f"{'Activate' if active else 'Deactivate'} succeeded")


_ONE = f"{PATH}/revisions/{{revision}}"
ROUTES = (
    Route("GET", f"{_ONE}/replicas", replicas, REVISIONS),
    Route("GET", f"{_ONE}/replicas/{{replica}}", replica, REVISIONS),
    Route("POST", f"{_ONE}/restart", restart, REVISIONS),
    Route("POST", f"{_ONE}/activate", activate, REVISIONS),
    Route("POST", f"{_ONE}/deactivate", deactivate, REVISIONS),
)
