"""What a replica's container is started with: command, variables, mounts, as its app says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.azure.double.resource_id import ResourceId
from tests.azure.double.runtime import image, probes
from tests.azure.double.runtime.sandbox import Mount
from tests.azure.double.state import Json, Resource, State
from tests.azure.double.storage import ACCOUNTS, key_of

IMAGE, LOCAL, TRUST = "/image", "/local", "/trust"


class Unmountable(Exception):
    """A volume can't be mounted; says why."""


@dataclass(frozen=True)
class Launch:
    """``grace`` is how long the container may take to end, in seconds."""

    name: str
    image: str
    command: Sequence[str]
    env: dict[str, str]
    mounts: tuple[Mount, ...]
    probes: list[probes.Probe]
    grace: float


def prepare(
    state: State, app: Resource, revision: Resource, replica: str, folder: Path, trust: Path
) -> Launch:
    """Reads the app as it is now. ``folder`` is the replica's own, ``trust`` has certificates.

    Raises `Unmountable`.
    """
    template = revision.properties["template"]
    if len(template["containers"]) != 1 or template.get("initContainers"):
        raise Unmountable("the double runs one container in a replica, and no initial ones")
    container = template["containers"][0]
    ingress = app.properties["configuration"].get("ingress") or {}
    python = image.build(container["image"], folder.parent / "images")
    local = folder / replica
    local.mkdir(parents=True, exist_ok=True)
    mounts = [
        Mount(str(python), IMAGE, read_only=True),
        Mount(str(trust.parent), TRUST, read_only=True),
        Mount(str(local), LOCAL),
        *_volumes(state, app, template, container, local),
    ]
    return Launch(
        name=container["name"],
        image=container["image"],
        command=[*(container.get("command") or []), *(container.get("args") or [])],
        env={**_image_env(trust), **_platform_env(state, app, revision, replica, ingress),
             **_own_env(app, container)},
        mounts=tuple(mounts),
        probes=probes.of(container, ingress.get("targetPort")),
        grace=template.get("terminationGracePeriodSeconds") or 30,
    )  # fmt: skip


def _image_env(trust: Path) -> dict[str, str]:
    """What an image sets, and where it keeps the certificates that it trusts."""
    certificates = f"{TRUST}/{trust.name}"
    variables = {
        "PATH": f"{IMAGE}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": LOCAL,
        "TMPDIR": LOCAL,
        "LANG": "C.UTF-8",
        "SSL_CERT_FILE": certificates,
        "REQUESTS_CA_BUNDLE": certificates,
    }
    if "OMP_NUM_THREADS" in os.environ:
        variables["OMP_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"]
    return variables


def _platform_env(
    state: State, app: Resource, revision: Resource, replica: str, ingress: Json
) -> dict[str, str]:
    environment = state.find(app.properties["environmentId"])
    assert environment is not None
    variables = {
        "CONTAINER_APP_NAME": app.id.name,
        "CONTAINER_APP_REVISION": revision.id.name,
        "CONTAINER_APP_REPLICA_NAME": replica,
        "CONTAINER_APP_ENV_DNS_SUFFIX": environment.properties["defaultDomain"],
        "HOSTNAME": replica,
    }
    if ingress:
        variables["CONTAINER_APP_PORT"] = str(ingress["targetPort"])
        variables["CONTAINER_APP_HOSTNAME"] = ingress["fqdn"]
    return variables


def _own_env(app: Resource, container: Json) -> dict[str, str]:
    secrets = {
        secret["name"]: secret["value"]
        for secret in app.properties["configuration"].get("secrets") or []
    }
    return {
        item["name"]: secrets[item["secretRef"]] if "secretRef" in item else item.get("value", "")
        for item in container.get("env") or []
    }


def _volumes(
    state: State, app: Resource, template: Json, container: Json, local: Path
) -> list[Mount]:
    volumes = {volume["name"]: volume for volume in template.get("volumes") or []}
    mounts = []
    for mount in container.get("volumeMounts") or []:
        volume = volumes[mount["volumeName"]]
        if volume.get("storageType", "EmptyDir") == "EmptyDir":
            folder, read_only = local / "volumes" / volume["name"], False
            folder.mkdir(parents=True, exist_ok=True)
        else:
            folder, read_only = _share(state, app, volume["storageName"])
        source = folder / mount.get("subPath", "").strip("/")
        if not source.is_dir():
            raise Unmountable(f"there is no folder {mount['subPath']} in {volume['name']}")
        mounts.append(Mount(str(source), mount["mountPath"].rstrip("/"), read_only=read_only))
    return mounts


def _share(state: State, app: Resource, storage: str) -> tuple[Path, bool]:
    """The share's folder, and whether it is mounted to be read only."""
    environment = ResourceId.parse(app.properties["environmentId"])
    found = state.find(environment.child("storages", storage))
    if found is None:
        raise Unmountable(f"the environment has no storage {storage}")
    file = found.properties["azureFile"]
    account = next(
        (one for one in state.of_type(ACCOUNTS) if one.id.name == file["accountName"]), None
    )
    if account is None or not state.find(
        f"{account.id}/fileServices/default/shares/{file['shareName']}"
    ):
        raise Unmountable("mount error(2): No such file or directory")
    keys = {key_of(state, account.id.name, number) for number in (1, 2)}
    if file["accountKey"] not in keys:
        raise Unmountable("mount error(13): Permission denied")
    folder = state.share_folder(file["accountName"], file["shareName"])
    return folder, file["accessMode"] == "ReadOnly"
