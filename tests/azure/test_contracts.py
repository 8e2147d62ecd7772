"""The contracts refuse what Azure refuses: each fault is one change of a body that is right."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.azure import contracts

Change = Callable[[dict[str, Any]], Any]

GROUP = "/subscriptions/0/resourceGroups/team"
APP: dict[str, Any] = {
    "location": "westeurope",
    "tags": {"owner": "me"},
    "properties": {
        "environmentId": f"{GROUP}/providers/Microsoft.App/managedEnvironments/env",
        "workloadProfileName": "GPU",
        "configuration": {
            "activeRevisionsMode": "Single",
            "secrets": [{"name": "api-key", "value": "secret"}],
            "ingress": {
                "external": True,
                "targetPort": 7860,
                "stickySessions": {"affinity": "sticky"},
                "ipSecurityRestrictions": [
                    {"name": "a", "ipAddressRange": "10.0.0.0/8", "action": "Allow"},
                    {"name": "b", "ipAddressRange": "1.2.3.4", "action": "Allow"},
                ],
            },
        },
        "template": {
            "containers": [
                {
                    "name": "remora",
                    "image": "python:3.11",
                    "env": [{"name": "KEY", "secretRef": "api-key"}],
                    "resources": {"cpu": 8, "memory": "56Gi"},
                    "volumeMounts": [{"volumeName": "share", "mountPath": "/mount"}],
                    "probes": [{"type": "Liveness", "httpGet": {"path": "/livez", "port": 7860}}],
                }
            ],
            "scale": {
                "minReplicas": 0,
                "maxReplicas": 2,
                "rules": [{"name": "http", "http": {"metadata": {"concurrentRequests": "8"}}}],
            },
            "volumes": [{"name": "share", "storageType": "AzureFile", "storageName": "storage"}],
        },
    },
}
ENVIRONMENT: dict[str, Any] = {
    "location": "West Europe",
    "properties": {
        "appLogsConfiguration": {
            "destination": "log-analytics",
            "logAnalyticsConfiguration": {"customerId": "id", "sharedKey": "key"},
        },
        "workloadProfiles": [
            {"name": "Consumption", "workloadProfileType": "Consumption"},
            {"name": "GPU", "workloadProfileType": "Consumption-GPU-NC8as-T4"},
            {
                "name": "old",
                "workloadProfileType": "NC24-A100",
                "minimumCount": 0,
                "maximumCount": 1,
            },
        ],
    },
}
STORAGE: dict[str, Any] = {
    "properties": {
        "azureFile": {
            "accountName": "account",
            "accountKey": "key",
            "shareName": "share",
            "accessMode": "ReadOnly",
        }
    }
}
ACCOUNT: dict[str, Any] = {
    "location": "westeurope",
    "kind": "StorageV2",
    "sku": {"name": "Standard_LRS"},
    "properties": {"minimumTlsVersion": "TLS1_2", "allowBlobPublicAccess": False},
}
SERVICE: dict[str, Any] = {
    "properties": {"shareDeleteRetentionPolicy": {"enabled": True, "days": 7}}
}
SHARE: dict[str, Any] = {"properties": {"shareQuota": 1024}}
WORKSPACE: dict[str, Any] = {
    "location": "westeurope",
    "properties": {"sku": {"name": "PerGB2018"}, "retentionInDays": 30},
}
BODIES = {
    contracts.APPS: ("app", APP, "2025-01-01"),
    contracts.ENVIRONMENTS: ("env", ENVIRONMENT, "2025-01-01"),
    contracts.ENVIRONMENT_STORAGES: ("storage", STORAGE, "2025-01-01"),
    contracts.STORAGE_ACCOUNTS: ("account", ACCOUNT, "2025-01-01"),
    contracts.FILE_SERVICES: ("default", SERVICE, "2025-01-01"),
    contracts.SHARES: ("share", SHARE, "2025-01-01"),
    contracts.WORKSPACES: ("work", WORKSPACE, "2025-02-01"),
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_right_body_is_accepted_and_an_unknown_property_or_null_never(kind: str) -> None:
    name, body, version = BODIES[kind]
    assert contracts.violations(kind, name, body, version) == []
    assert contracts.violations(kind, name, body | {"sort": 1}, version)
    assert contracts.violations(kind, name, body | {"properties": {"sort": 1}}, version)
    assert contracts.violations(kind, name, body | {"properties": None}, version)
    assert contracts.violations(kind, name, body, "2023-11-02-preview")
    assert contracts.violations(kind, "no name!", body, version)


def put(*path: Any, value: Any) -> Change:
    """A change that sets what lies at a path."""

    def change(body: dict[str, Any]) -> None:
        target: Any = body
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value

    return change


INGRESS = ("properties", "configuration", "ingress")
TEMPLATE = ("properties", "template")
CONTAINER = (*TEMPLATE, "containers", 0)
PROBE = (*CONTAINER, "probes", 0)
RULE = (*TEMPLATE, "scale", "rules", 0)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (put(*INGRESS, "fqdn", value="host"), "fqdn"),
        (put("properties", "provisioningState", value="Succeeded"), "provisioningState"),
        (put(*INGRESS, "external", value="true"), "bool"),
        (put(*INGRESS, "transport", value="udp"), "'auto'"),
        (put(*INGRESS, "targetPort", value=0), "targetPort"),
        (put(*INGRESS, "ipSecurityRestrictions", 1, "action", value="Deny"), "all Allow"),
        (put(*INGRESS, "ipSecurityRestrictions", 1, "name", value="a"), "two of IP rule"),
        (put(*INGRESS, "ipSecurityRestrictions", 1, "ipAddressRange", value="::1"), "IPv4"),
        (put("properties", "configuration", "activeRevisionsMode", value="Multiple"), "sticky"),
        (put("properties", "configuration", "secrets", 0, "value", value=""), "no value"),
        (put("properties", "configuration", "secrets", value=[]), "no secret"),
        (put("properties", "environmentId", value="env"), "no id"),
        (put("location", value=None), "location"),
        (put("tags", "n", value=7), "tags.n"),
        (put(*TEMPLATE, "revisionSuffix", value="-a"), "revisionSuffix"),
        (put(*TEMPLATE, "containers", value=[]), "no container"),
        (put(*TEMPLATE, "volumes", value=[]), "no volume"),
        (put(*TEMPLATE, "volumes", 0, value={"name": "share", "storageType": "AzureFile"}), "Name"),
        (put(*TEMPLATE, "scale", "minReplicas", value=3), "replicas"),
        (put(*TEMPLATE, "scale", "maxReplicas", value=1001), "replicas"),
        (put(*RULE, "http", "metadata", "concurrentRequests", value=8), "valid string"),
        (put(*RULE, "http", "metadata", "concurrentRequests", value="0"), "digits"),
        (put(*RULE, "tcp", value={}), "kinds"),
        (put(*CONTAINER, "image", value=""), "no image"),
        (put(*CONTAINER, "env", 0, "value", value="x"), "neither or both"),
        (put(*CONTAINER, "resources", "memory", value="56GB"), "amount"),
        (put(*CONTAINER, "resources", "cpu", value="8"), "cpu"),
        (put(*CONTAINER, "volumeMounts", 0, "mountPath", value="mount"), "no path"),
        (put(*CONTAINER, "command", value="run"), "list"),
        (put(*PROBE, "failureThreshold", value=11), "failureThreshold"),
        (put(*PROBE, "initialDelaySeconds", value=61), "initialDelaySeconds"),
        (put(*PROBE, "periodSeconds", value=0), "periodSeconds"),
        (put(*PROBE, "successThreshold", value=2), "successThreshold is 1"),
        (put(*PROBE, "tcpSocket", value={"port": 1}), "either"),
        (put(*PROBE, "httpGet", "path", value="livez"), "no path"),
        (put(*PROBE, "type", value="Alive"), "Liveness"),
    ],
)
def test_faults_of_container_apps(change: Change, fault: str) -> None:
    assert fault in broken(contracts.APPS, change)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (put("properties", "workloadProfiles", 1, "minimumCount", value=0), "NotSupported"),
        (put("properties", "workloadProfiles", 2, "maximumCount", value=-1), "in order"),
        (put("properties", "workloadProfiles", 2, "name", value="GPU"), "two workload profiles"),
        (put("properties", "workloadProfiles", 1, "workloadProfileType", value="T4"), "no type"),
        (put("properties", "workloadProfiles", 0, value={"name": "x"}), "workloadProfileType"),
        (put("properties", "appLogsConfiguration", "destination", value="none"), "goes with"),
        (put("properties", "staticIp", value="1.2.3.4"), "staticIp"),
    ],
)
def test_faults_of_environments(change: Change, fault: str) -> None:
    assert fault in broken(contracts.ENVIRONMENTS, change)


@pytest.mark.parametrize(
    ("kind", "change", "fault"),
    [
        (contracts.ENVIRONMENT_STORAGES, put("location", value="westeurope"), "location"),
        (
            contracts.ENVIRONMENT_STORAGES,
            put("properties", "azureFile", "accessMode", value="Read"),
            "ReadOnly",
        ),
        (
            contracts.ENVIRONMENT_STORAGES,
            put("properties", "azureFile", "accountKey", value=""),
            "accountKey",
        ),
        (contracts.STORAGE_ACCOUNTS, put("kind", value="Storage2"), "kind"),
        (contracts.STORAGE_ACCOUNTS, put("sku", value={}), "sku"),
        (contracts.FILE_SERVICES, put("properties", "days", value=7), "days"),
        (
            contracts.FILE_SERVICES,
            put("properties", "shareDeleteRetentionPolicy", "days", value=0),
            "days",
        ),
        (contracts.SHARES, put("properties", "shareQuota", value=0), "shareQuota"),
        (contracts.WORKSPACES, put("properties", "retentionInDays", value=7), "retentionInDays"),
    ],
)
def test_faults_of_other_resources(kind: str, change: Change, fault: str) -> None:
    assert fault in broken(kind, change)


def broken(kind: str, change: Change) -> str:
    name, body, version = BODIES[kind]
    changed = copy.deepcopy(body)
    change(changed)
    found = contracts.violations(kind, name, changed, version)
    assert found
    return "\n".join(found)


def test_an_app_fits_its_environment() -> None:
    assert contracts.placement_violations(APP, ENVIRONMENT, {"storage"}) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (put("properties", "workloadProfileName", value="CPU"), "no workload profile"),
        (put("properties", "workloadProfileName", value="Consumption"), "no size"),
        (put(*CONTAINER, "resources", "memory", value="57Gi"), "do not fit"),
        (put(*TEMPLATE, "volumes", 0, "storageName", value="other"), "no storage"),
        (put("location", value="eastus"), "eastus"),
    ],
)
def test_an_app_that_its_environment_has_no_place_for(change: Change, fault: str) -> None:
    changed = copy.deepcopy(APP)
    change(changed)
    assert fault in "\n".join(contracts.placement_violations(changed, ENVIRONMENT, {"storage"}))
