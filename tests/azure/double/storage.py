"""Microsoft.Storage: accounts, their keys, and file shares."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from tests.azure.double.arm import Arm
from tests.azure.double.call import Call, Reply, Route
from tests.azure.double.errors import ArmError, ContractError, not_found
from tests.azure.double.kinds import Kind
from tests.azure.double.resource_id import ResourceId
from tests.azure.double.state import Json, Resource, State, now

ACCOUNTS = "Microsoft.Storage/storageAccounts"
_GIB_LIMIT = 102_400


def key_of(state: State, account: str, number: int) -> str:
    """The account's key 1 or 2: made from its name and from how often it was renewed."""
    renewed = state.renewed_keys[account.lower(), number]
    return base64.b64encode(
        hashlib.sha512(f"{account.lower()} {number} {renewed}".encode()).digest()
    ).decode()


def taken(state: State, name: str, resource_id: ResourceId | None = None) -> bool:
    """Whether another account has the name: they are unique in the whole of Azure."""
    mine = resource_id.key if resource_id else None
    return name.lower() in state.taken_names or any(
        found.id.name.lower() == name.lower() and found.id.key != mine
        for found in state.of_type(ACCOUNTS)
    )


def _account(state: State, resource_id: ResourceId, body: Json, before: Json | None) -> Json:
    if before is None and taken(state, resource_id.name, resource_id):
        raise ArmError(
            409,
            "StorageAccountAlreadyTaken",
            f"The storage account named {resource_id.name} is already taken.",
        )
    given: Json = body.get("properties", {})
    properties = {
        "supportsHttpsTrafficOnly": True,
        "minimumTlsVersion": "TLS1_0",
        "allowBlobPublicAccess": False,
        "accessTier": "Hot",
        "creationTime": now(),
        **(before["properties"] if before else {}),
        **given,
        "primaryEndpoints": {"file": f"{state.files_origin}/{resource_id.name}/"},
        "primaryLocation": body["location"],
        "statusOfPrimary": "available",
        "provisioningState": "Succeeded",
    }
    return {"tags": {}, **body, "properties": properties}


def _file_service(state: State, resource_id: ResourceId, body: Json, before: Json | None) -> Json:
    return {"properties": {**(before or {}).get("properties", {}), **body.get("properties", {})}}


def _share(state: State, resource_id: ResourceId, body: Json, before: Json | None) -> Json:
    quota = body.get("properties", {}).get("shareQuota", 5120)
    if not 1 <= quota <= _GIB_LIMIT:
        raise ArmError(400, "InvalidValue", f"shareQuota is 1 to {_GIB_LIMIT} GiB.")
    state.share_folder(resource_id.names[0], resource_id.name)
    properties = {
        "accessTier": "TransactionOptimized",
        "enabledProtocols": "SMB",
        "shareQuota": 5120,
    }
    if before:
        properties |= before["properties"]
    return {"properties": {**properties, **body.get("properties", {}), "lastModifiedTime": now()}}


KINDS = (
    Kind(ACCOUNTS, _account, pending="Creating", style="Location"),
    Kind(f"{ACCOUNTS}/fileServices", _file_service),
    Kind(f"{ACCOUNTS}/fileServices/shares", _share),
)


def keys_of(state: State, resource: Resource) -> Json:
    name = resource.id.name
    return {
        "keys": [
            {"keyName": f"key{n}", "value": key_of(state, name, n), "permissions": "FULL",
             "creationTime": "2026-01-01T00:00:00Z"}
            for n in (1, 2)
        ]
    }  # fmt: skip


def _account_of(arm: Arm, call: Call) -> Resource:
    resource_id = ResourceId.parse(call.path.rpartition("/")[0])
    found = arm.state.find(resource_id)
    if found is None:
        raise not_found(ACCOUNTS, resource_id.name, resource_id.group)
    return found


def list_keys(arm: Arm, call: Call) -> Reply:
    return Reply(200, keys_of(arm.state, _account_of(arm, call)))


def regenerate_key(arm: Arm, call: Call) -> Reply:
    """The old key is worth nothing from now on, also to the volumes that were mounted with it."""
    account = _account_of(arm, call)
    name = call.body.get("keyName") if isinstance(call.body, dict) else None
    if name not in {"key1", "key2"}:
        raise ContractError(f"An account has key1 and key2, and no {name}.")
    arm.state.renewed_keys[account.id.name.lower(), int(name[-1])] += 1
    return Reply(200, keys_of(arm.state, account))


def check_name(arm: Arm, call: Call) -> Reply:
    body: Any = call.body
    name = body.get("name", "") if isinstance(body, dict) else ""
    if not re.fullmatch(r"[a-z0-9]{3,24}", name):
        return Reply(200, {
            "nameAvailable": False, "reason": "AccountNameInvalid",
            "message": f"{name} is not a valid storage account name. Storage account name must be "
            "between 3 and 24 characters in length and use numbers and lower-case letters only.",
        })  # fmt: skip
    if taken(arm.state, name):
        message = f"The storage account named {name} is already taken."
        return Reply(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": message})
    return Reply(200, {"nameAvailable": True})


_ACCOUNT = (
    "/subscriptions/{subscription}/resourceGroups/{group}"
    "/providers/Microsoft.Storage/storageAccounts/{account}"
)
ROUTES = (
    Route("POST", f"{_ACCOUNT}/listKeys", list_keys, ACCOUNTS),
    Route("POST", f"{_ACCOUNT}/regenerateKey", regenerate_key, ACCOUNTS),
    Route("POST", "/subscriptions/{subscription}/providers/Microsoft.Storage/checkNameAvailability",
          check_name, ACCOUNTS),
)  # fmt: skip
