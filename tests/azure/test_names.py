"""What Remora tells beforehand is what the template computes: names, sizes, profiles."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from remora.azure.cost import read_prices
from remora.azure.existing import profile_name
from remora.azure.names import check_name, default_names
from remora.azure.sizes import FRONT, server_size
from remora.errors import ConfigError
from tests.azure import contracts
from tests.azure.paper_azure import Azure, Deployed, deploy

TEMPLATE: dict[str, Any] = json.loads(
    (files("remora.azure") / "infra" / "inference.json").read_text(encoding="utf-8")
)
PROFILES = TEMPLATE["parameters"]["gpuProfile"]["allowedValues"]
KEYS = {"apiKey": "an api key of 24 letters", "adminKey": "another key of 24 letter"}
GIVEN: list[dict[str, str]] = [
    {},
    {"acaAppName": "an-app-whose-name-is-really-long"},
    {"acaEnvironmentStorageName": "a-storage-whose-name-is-too-long"},
    {"resourceSuffix": "mine1", "storageAccountName": "elsewhere1"},
]


def deployed(**values: Any) -> tuple[Azure, Deployed]:
    azure = Azure()
    return azure, deploy(TEMPLATE, KEYS | values, azure)


@pytest.mark.parametrize("given", GIVEN)
def test_default_names_are_the_templates(given: dict[str, str]) -> None:
    azure, made = deployed(**given)
    group = f"/subscriptions/{azure.subscription_id}/resourceGroups/{azure.resource_group}"
    names = default_names(group, given) | given
    outputs = made.outputs
    assert outputs["STORAGE_ACCOUNT_NAME"] == names["storageAccountName"]
    assert outputs["FILE_SHARE_NAME"] == names["fileShareName"]
    assert outputs["ACA_APP_NAME"] == names["acaAppName"]
    there = {resource.name for resource in made.resources}
    assert {
        names["acaEnvironmentName"],
        names["acaLogAnalyticsName"],
        names["frontAppName"],
        f"{names['acaEnvironmentName']}/{names['readOnlyStorageName']}",
    } <= there


@pytest.mark.parametrize("gpu", PROFILES)
def test_what_is_paid_for_is_what_the_template_asks_for(gpu: str) -> None:
    _, made = deployed(gpuProfile=gpu)
    apps = [one.body["properties"] for one in made.resources if one.type == contracts.APPS]
    sizes = []
    for app in apps:
        (container,) = app["template"]["containers"]
        asked = container["resources"]
        sizes.append((float(asked["cpu"]), float(asked["memory"].removesuffix("Gi"))))
    expected = server_size(gpu)
    assert sizes == [(expected.vcpu, expected.memory), (FRONT.vcpu, FRONT.memory)]
    assert apps[0]["workloadProfileName"] == profile_name((), gpu)
    known = read_prices()
    assert gpu == "none" or gpu in known.serverless_gpu_second | known.dedicated.instance_hour


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("storageAccountName", ["abc", "a1" * 12], ["ab", "A", "a-b", "a" * 25]),
        ("fileShareName", ["abc", "a-b-c"], ["ab", "a--b", "-ab", "A1b"]),
        ("acaAppName", ["ab", "a-b", "a" * 32], ["a", "1a", "a--b", "a-", "A", "a" * 33]),
        ("frontAppName", ["app-front"], ["App"]),
        ("acaEnvironmentName", ["env", "My-Env1"], ["e", "e-", "1env"]),
        ("acaLogAnalyticsName", ["logs", "Log-1"], ["log", "-logs"]),
        ("readOnlyStorageName", ["files", "a-b"], ["A", "a" * 33]),
    ],
)
def test_names_are_checked_as_azure_does(key: str, good: list[str], bad: list[str]) -> None:
    for name in good:
        check_name(key, name, "here")
    for name in bad:
        with pytest.raises(ConfigError, match="here"):
            check_name(key, name, "here")
    check_name("image", "Anything at all", "here")
