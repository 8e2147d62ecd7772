"""The template, evaluated: what it creates for each choice, and that Azure would accept it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.azure import contracts
from tests.azure.arm.errors import TemplateError
from tests.azure.bicep.__main__ import COMPILED
from tests.azure.environment_rules import GPU_SIZES
from tests.azure.paper_azure import Azure, Deployed, deploy

TEMPLATE: dict[str, Any] = json.loads(COMPILED.read_text(encoding="utf-8"))
KEYS = {"apiKey": "an api key of 24 letters", "adminKey": "another key of 24 letter"}
TOOLKIT = {
    "defaultCommands", "maximumInstanceCount", "location", "storageAccountName", "fileShareName",
    "acaEnvironmentName", "acaEnvironmentStorageName", "acaAppName", "acaLogAnalyticsName",
}  # fmt: skip
COMMANDS = ["cd /mount", "pip install -r setup/requirements.txt", "python3 ./gradio_chat.py"]
PROFILES = TEMPLATE["parameters"]["gpuProfile"]["allowedValues"]
SHARED = ["storageAccounts", "storageAccounts/fileServices", "storageAccounts/fileServices/shares"]


def deployed(azure: Azure | None = None, **values: Any) -> Deployed:
    return deploy(TEMPLATE, KEYS | values, azure or Azure())


def app(made: Deployed, name: str) -> dict[str, Any]:
    return dict(made.one(contracts.APPS, name).body["properties"])


def container(properties: dict[str, Any]) -> dict[str, Any]:
    (only,) = properties["template"]["containers"]
    return dict(only)


def names(made: Deployed) -> dict[str, str]:
    return {resource.type.rpartition("/")[2]: resource.name for resource in made.resources}


def test_by_default_all_is_created_in_the_order_of_its_dependencies() -> None:
    made = deployed()
    assert made.types == [
        *SHARED,
        "workspaces",
        "managedEnvironments",
        "managedEnvironments/storages",
        "deployments",
        "containerApps",
        "containerApps",
    ]


def test_the_default_names_are_those_of_ai_toolkit() -> None:
    azure = Azure()
    made = deployed(azure)
    suffix = TEMPLATE["parameters"]["resourceSuffix"]["defaultValue"]
    assert suffix == "[take(uniqueString(resourceGroup().id), 5)]"
    suffix = made.outputs["ACA_APP_NAME"].removeprefix("aiacaapp")
    assert made.outputs == {
        "SUBSCRIPTION_ID": azure.subscription_id,
        "RESOURCE_GROUP_NAME": "team",
        "STORAGE_ACCOUNT_NAME": f"aistorage{suffix}",
        "FILE_SHARE_NAME": f"aifileshare{suffix}",
        "ACA_APP_NAME": f"aiacaapp{suffix}",
        "ACA_APP_ENDPOINT": f"aiacaapp{suffix}-front.example.azurecontainerapps.io",
    }
    assert names(made) == {
        "storageAccounts": f"aistorage{suffix}",
        "fileServices": f"aistorage{suffix}/default",
        "shares": f"aistorage{suffix}/default/aifileshare{suffix}",
        "workspaces": f"ailog{suffix}",
        "managedEnvironments": f"aienv{suffix}",
        "storages": f"aienv{suffix}/aienvstorage{suffix}ro",
        "deployments": f"remora-aiacaapp{suffix}-storage",
        "containerApps": f"aiacaapp{suffix}-front",
    }


def test_a_parameters_file_of_ai_toolkit_fits() -> None:
    declared = TEMPLATE["parameters"]
    assert declared.keys() >= TOOLKIT
    assert all("defaultValue" in declared[name] for name in TOOLKIT)
    assert declared["maximumInstanceCount"]["defaultValue"] == 2
    made = deployed(acaAppName="chat", acaEnvironmentStorageName="mine", defaultCommands=COMMANDS)
    assert made.outputs["ACA_APP_ENDPOINT"] == "chat-front.example.azurecontainerapps.io"
    assert names(made)["storages"].endswith("/minero")


def test_every_parameter_is_described_and_the_keys_are_secret() -> None:
    declared = TEMPLATE["parameters"]
    assert all(p["metadata"]["description"].endswith(".") for p in declared.values())
    secure = {name for name, p in declared.items() if p["type"].startswith("secure")}
    assert secure == {"apiKey", "apiKey2", "adminKey", "hfToken"}
    required = {name for name, p in declared.items() if "defaultValue" not in p}
    assert required == set(KEYS)


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_of_gpus_is_accepted(profile: str) -> None:
    made = deployed(gpuProfile=profile, acaAppName="chat", maximumInstanceCount=3)
    gpu = app(made, "chat")
    profiles = made.one(contracts.ENVIRONMENTS).body["properties"]["workloadProfiles"]
    used = next(p for p in profiles if p["name"] == gpu["workloadProfileName"])
    assert used["workloadProfileType"] == ("Consumption" if profile == "none" else profile)
    assert used.get("maximumCount") == (None if "Consumption" in used["workloadProfileType"] else 3)
    resources = container(gpu)["resources"]
    cpu, memory = GPU_SIZES.get(profile, (4, 8))
    assert resources == {"cpu": cpu, "memory": f"{memory}Gi"}


def test_the_gpu_app_is_internal_sleeps_and_reads_the_share_alone() -> None:
    made = deployed(acaAppName="chat", maximumInstanceCount=5, concurrentRequests=8)
    gpu = app(made, "chat")
    ingress = gpu["configuration"]["ingress"]
    assert ingress["external"] is False
    assert ingress["stickySessions"] == {"affinity": "sticky"}
    assert ingress["allowInsecure"] is False
    scale = gpu["template"]["scale"]
    assert (scale["minReplicas"], scale["maxReplicas"], scale["cooldownPeriod"]) == (0, 5, 300)
    assert scale["rules"][0]["http"]["metadata"] == {"concurrentRequests": "8"}
    storage = made.one(contracts.ENVIRONMENT_STORAGES).body["properties"]["azureFile"]
    assert storage["accessMode"] == "ReadOnly"
    assert storage["accountKey"] == f"key of {storage['accountName']}"
    assert container(gpu)["volumeMounts"] == [{"volumeName": "share", "mountPath": "/mount"}]
    assert container(gpu)["args"] == ["serve"]


def test_the_front_is_public_small_and_knows_the_gpu_app() -> None:
    made = deployed(acaAppName="chat", maxHoursAwake=6, cooldownSeconds=60, concurrentRequests=8)
    front = app(made, "chat-front")
    assert front["configuration"]["ingress"]["external"] is True
    assert front["workloadProfileName"] == "Consumption"
    assert container(front)["resources"] == {"cpu": 0.5, "memory": "1Gi"}
    variables = {v["name"]: v.get("value") for v in container(front)["env"]}
    upstream = "https://chat.internal.example.azurecontainerapps.io"
    assert variables["REMORA_UPSTREAM"] == upstream
    assert variables["REMORA_MAX_HOURS_AWAKE"] == "6"
    assert (variables["REMORA_COOLDOWN"], variables["REMORA_BUSY"]) == ("60", "8")
    assert front["template"]["scale"]["minReplicas"] == 1
    assert container(front)["args"] == ["front"]


def test_secrets_are_referred_to_and_empty_ones_are_left_out() -> None:
    plain = deployed(acaAppName="chat")
    full = deployed(acaAppName="chat", apiKey2="second", hfToken="token")
    for made, of_gpu, of_front in (
        (plain, {"admin-key"}, {"api-key", "admin-key"}),
        (
            full,
            {"admin-key", "hf-token"},
            {"api-key", "admin-key", "api-key-2"},
        ),
    ):
        for name, expected in (("chat", of_gpu), ("chat-front", of_front)):
            properties = app(made, name)
            secrets = {secret["name"] for secret in properties["configuration"]["secrets"]}
            used = {v["secretRef"] for v in container(properties)["env"] if "secretRef" in v}
            assert secrets == used == expected
            values = [v.get("value", "") for v in container(properties)["env"]]
            assert not {*KEYS.values(), "second", "token"} & {*values}
    assert not any(value in json.dumps(full.outputs) for value in (*KEYS.values(), "second"))


def test_only_what_inference_created_is_tagged() -> None:
    made = deployed(acaAppName="chat", tags={"team": "a"})
    by_inference = {"team": "a", "remora-created-by": "inference"}
    assert made.one(contracts.APPS, "chat-front").body["tags"] == by_inference
    gpu = made.one(contracts.APPS, "chat").body["tags"]
    assert gpu == by_inference | {"remora-front": "chat-front"}
    shared = contracts.STORAGE_ACCOUNTS, contracts.ENVIRONMENTS, contracts.WORKSPACES
    assert all(made.one(kind).body["tags"] == {"team": "a"} for kind in shared)
    own = deployed(tagSharedResources=True)
    assert all("remora-created-by" in own.one(kind).body["tags"] for kind in shared)


def test_an_account_is_closed_as_far_as_mounting_allows() -> None:
    properties = deployed().one(contracts.STORAGE_ACCOUNTS).body["properties"]
    assert properties["minimumTlsVersion"] == "TLS1_2"
    assert properties["supportsHttpsTrafficOnly"] is True
    assert properties["allowBlobPublicAccess"] is False


def test_kept_commands_run_as_they_are_and_are_the_endpoint() -> None:
    made = deployed(keepCommands=True, defaultCommands=COMMANDS, acaAppName="chat")
    gpu = app(made, "chat")
    assert container(gpu)["command"] == ["/bin/bash", "-c", "; ".join(COMMANDS)]
    assert gpu["configuration"]["ingress"]["external"] is True
    assert {probe["httpGet"]["path"] for probe in container(gpu)["probes"]} == {"/"}
    storage = made.one(contracts.ENVIRONMENT_STORAGES)
    assert storage.body["properties"]["azureFile"]["accessMode"] == "ReadWrite"
    assert not storage.name.endswith("ro")
    assert made.outputs["ACA_APP_ENDPOINT"] == "chat.example.azurecontainerapps.io"
    assert made.one(contracts.APPS).body["tags"] == {"remora-created-by": "inference"}


def test_images_of_a_private_registry_are_pulled_by_an_identity() -> None:
    identity = Azure().id_of("Microsoft.ManagedIdentity/userAssignedIdentities", "puller")
    server = "example.azurecr.io"
    made = deployed(acaAppName="chat", registryServer=server, registryIdentity=identity)
    for name in ("chat", "chat-front"):
        body = made.one(contracts.APPS, name).body
        registries = body["properties"]["configuration"]["registries"]
        assert registries == [{"server": server, "identity": identity}]
        assert body["identity"] == {
            "type": "UserAssigned",
            "userAssignedIdentities": {identity: {}},
        }
    public = deployed(acaAppName="chat")
    assert app(public, "chat")["configuration"]["registries"] == []


@pytest.mark.parametrize("kept", [False, True])
def test_who_may_reach_the_endpoint(kept: bool) -> None:
    ranges = ["203.0.113.0/24", "198.51.100.7"]
    made = deployed(keepCommands=kept, acaAppName="chat", allowedIpRanges=ranges)
    ingress = app(made, "chat" if kept else "chat-front")["configuration"]["ingress"]
    assert [rule["ipAddressRange"] for rule in ingress["ipSecurityRestrictions"]] == ranges
    closed = deployed(keepCommands=kept, acaAppName="chat", publicEndpoint=False)
    apps = [r for r in closed.resources if r.type == contracts.APPS]
    assert not any(r.body["properties"]["configuration"]["ingress"]["external"] for r in apps)


def existing(group: str = "team") -> Azure:
    """What a fine-tuning step left in a group; its environment has a profile of its own."""
    azure = Azure()
    there = azure.group(group)
    profiles = [
        {"name": "Consumption", "workloadProfileType": "Consumption"},
        {"name": "T4", "workloadProfileType": "Consumption-GPU-NC8as-T4"},
    ]
    environment = {"location": "westeurope", "properties": {"workloadProfiles": profiles}}
    azure.resources[there.id_of(contracts.STORAGE_ACCOUNTS, "account")] = {"properties": {}}
    azure.resources[there.id_of(contracts.ENVIRONMENTS, "env")] = environment
    return azure


LEFT_ALONE = {
    "storageAccountName": "account",
    "fileShareName": "files",
    "acaEnvironmentName": "env",
    "gpuProfileName": "T4",
}


def test_what_exists_can_be_left_as_it_is() -> None:
    flags = {"createStorageAccount": False, "createFileShare": False, "createEnvironment": False}
    made = deployed(existing(), **LEFT_ALONE, **flags)
    assert made.types == ["managedEnvironments/storages", "deployments", *["containerApps"] * 2]


def test_what_lies_in_another_group_is_used_and_never_changed() -> None:
    groups = {"storageAccountResourceGroup": "tuning", "acaEnvironmentResourceGroup": "tuning"}
    made = deployed(existing("tuning"), **LEFT_ALONE, **groups)
    assert made.types == ["managedEnvironments/storages", "deployments", *["containerApps"] * 2]
    assert [r.resource_group for r in made.resources] == ["tuning", "tuning", "team", "team"]
    storage = made.one(contracts.ENVIRONMENT_STORAGES).body["properties"]["azureFile"]
    assert storage["accountKey"] == "key of account"


def test_a_missing_share_is_made_in_an_account_that_is_left_alone() -> None:
    made = deployed(existing(), **LEFT_ALONE, createStorageAccount=False, createEnvironment=False)
    assert made.types[0] == SHARED[2]
    assert made.types.count("storageAccounts") == 0


def test_merged_profiles_are_taken_as_they_are() -> None:
    merged = [
        {"name": "Consumption", "workloadProfileType": "Consumption"},
        {
            "name": "GPU",
            "workloadProfileType": "NC24-A100",
            "minimumCount": 0,
            "maximumCount": 2,
        },
        {"name": "GPU-T4", "workloadProfileType": "Consumption-GPU-NC8as-T4"},
    ]
    made = deployed(workloadProfiles=merged)
    assert made.one(contracts.ENVIRONMENTS).body["properties"]["workloadProfiles"] == merged


@pytest.mark.parametrize(
    "values",
    [
        {"apiKey": "short"},
        {"gpuProfile": "NC8"},
        {"maximumInstanceCount": 0},
        {"acaAppName": "a" * 33},
        {"minReplicas": -1},
        {"gpuprofil": "none"},
        {"location": None},
    ],
)
def test_wrong_parameters_are_refused_before_anything_is_created(values: dict[str, Any]) -> None:
    azure = Azure()
    with pytest.raises(TemplateError):
        deploy(TEMPLATE, KEYS | values, azure)
    assert azure.resources == {}
