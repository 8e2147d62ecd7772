"""Bodies of requests for the tests of the Azure double."""

from __future__ import annotations

from typing import Any

from tests.azure.arm.deployment import SCHEMA
from tests.azure.double.seed import Names
from tests.azure.double.state import SUBSCRIPTION

GROUP = "team"
PLACE = {"location": "westus3"}
ACCOUNT = {**PLACE, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}}
NAMES = Names()


def resource_id(kind: str, name: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/{kind}/{name}"


def app_body(**template: Any) -> dict[str, Any]:
    return {
        **PLACE,
        "tags": {"made-by": "test"},
        "properties": {
            "environmentId": resource_id("Microsoft.App/managedEnvironments", NAMES.environment),
            "workloadProfileName": "GPU",
            "configuration": {
                "activeRevisionsMode": "Single",
                "secrets": [{"name": "api-key", "value": "hush"}],
                "ingress": {"external": True, "targetPort": 7860},
            },
            "template": {
                "containers": [{"name": "app", "image": "pytorch/pytorch:latest"}],
                "volumes": [
                    {"name": "v", "storageType": "AzureFile", "storageName": NAMES.storage}
                ],
                **template,
            },
        },
    }


TEMPLATE: dict[str, Any] = {
    "$schema": SCHEMA,
    "contentVersion": "1.0.0.0",
    "parameters": {
        "account": {"type": "string"},
        "password": {"type": "securestring", "defaultValue": "hush"},
    },
    "resources": [
        {
            "type": "Microsoft.Storage/storageAccounts",
            "apiVersion": "2023-01-01",
            "name": "[parameters('account')]",
            **ACCOUNT,
        },
        {
            "type": "Microsoft.OperationalInsights/workspaces",
            "apiVersion": "2022-10-01",
            "name": "ailogabcde",
            **PLACE,
            "properties": {"sku": {"name": "PerGB2018"}},
        },
    ],
    "outputs": {
        "key": {
            "type": "string",
            "value": "[listKeys(resourceId('Microsoft.Storage/storageAccounts', "
            "parameters('account')), '2023-01-01').keys[0].keyName]",
        }
    },
}


def deployment(account: str = "aistorageabcde") -> dict[str, Any]:
    parameters = {"account": {"value": account}}
    return {
        "properties": {"mode": "Incremental", "template": TEMPLATE, "parameters": parameters}
    }  # fmt: skip
