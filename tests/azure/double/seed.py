"""What the fine-tuning step leaves in a resource group."""

from __future__ import annotations

from dataclasses import dataclass

from tests.azure.double.catalogue import store
from tests.azure.double.environments import ENVIRONMENTS, JOBS, STORAGES
from tests.azure.double.resource_id import ResourceId
from tests.azure.double.state import A100, SUBSCRIPTION, Json, State
from tests.azure.double.storage import ACCOUNTS, key_of
from tests.azure.double.workspaces import WORKSPACES

_APP = "2024-03-01"
_STORAGE = "2023-01-01"


@dataclass(frozen=True)
class Names:
    """Of the resources; those of AI Toolkit end in five characters that the group decides."""

    account: str = "aistorageabcde"
    share: str = "aifileshareabcde"
    workspace: str = "ailogabcde"
    environment: str = "aienvabcde"
    storage: str = "aienvstorageabcde"
    job: str = "aiacajobabcde"

    @classmethod
    def with_suffix(cls, suffix: str) -> Names:
        return cls(
            f"aistorage{suffix}", f"aifileshare{suffix}", f"ailog{suffix}", f"aienv{suffix}",
            f"aienvstorage{suffix}", f"aiacajob{suffix}",
        )  # fmt: skip


DEDICATED: Json = {
    "name": "GPU",
    "workloadProfileType": "NC24-A100",
    "minimumCount": 0,
    "maximumCount": 1,
}
SERVERLESS: Json = {"name": "GPU", "workloadProfileType": A100}


def fine_tuning(
    state: State, group: str, names: Names, profile: Json, subscription: str = SUBSCRIPTION
) -> None:
    """Puts storage, share, logs, environment and job into a group; ``profile`` is the GPUs'."""
    found = state.find_group(subscription, group)
    assert found is not None
    place: Json = {"location": found.location}

    def put(type_name: str, version: str, body: Json, *path: str) -> ResourceId:
        namespace, *types = type_name.split("/")
        made = ResourceId(subscription, found.name, namespace, tuple(types), path)
        return store(state, made, version, body).id

    account = {**place, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}}
    put(ACCOUNTS, _STORAGE, account, names.account)
    put(f"{ACCOUNTS}/fileServices/shares", _STORAGE, {"properties": {"shareQuota": 1024}},
        names.account, "default", names.share)  # fmt: skip
    logs = {**place, "properties": {"sku": {"name": "PerGB2018"}}}
    put(WORKSPACES, "2022-10-01", logs, names.workspace)
    profiles = [{"name": "Consumption", "workloadProfileType": "Consumption"}, profile]
    environment = put(
        ENVIRONMENTS, _APP, {**place, "properties": {"workloadProfiles": profiles}},
        names.environment,
    )  # fmt: skip
    file = {
        "accountName": names.account,
        "accountKey": key_of(state, names.account, 1),
        "shareName": names.share,
        "accessMode": "ReadWrite",
    }
    put(STORAGES, _APP, {"properties": {"azureFile": file}}, names.environment, names.storage)
    job = {
        "environmentId": str(environment),
        "workloadProfileName": profile["name"],
        "configuration": {"triggerType": "Manual", "replicaTimeout": 10800},
        "template": {"containers": [{"name": names.job, "image": "pytorch/pytorch"}]},
    }
    put(JOBS, _APP, {**place, "properties": job}, names.job)
