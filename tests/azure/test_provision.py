"""`remora provision` against the double: what is planned, sent, there afterwards, and written.

The command runs from its arguments on, with Azure's own clients and the shipped template.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from remora.azure.unique_string import name_suffix
from tests.azure.arm.deployment import SCHEMA
from tests.azure.double.errors import ArmError
from tests.azure.double.seed import DEDICATED, SERVERLESS, Names, fine_tuning
from tests.azure.double.server import AzureDouble
from tests.azure.double.state import A100, SUBSCRIPTION, T4
from tests.azure.signed_in import sign_in
from tests.cli.conftest import Ran, Remora

GROUP = "team"
SUFFIX = name_suffix(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}")
USUAL = Names.with_suffix(SUFFIX)
APP, FRONT = f"aiacaapp{SUFFIX}", f"aiacaapp{SUFFIX}-front"
READ_ONLY = f"{USUAL.environment}/{USUAL.storage}ro"
KEYS = [
    "SUBSCRIPTION_ID", "RESOURCE_GROUP_NAME", "STORAGE_ACCOUNT_NAME", "FILE_SHARE_NAME",
    "ACA_APP_NAME", "ACA_APP_ENDPOINT",
]  # fmt: skip

CREATED = {
    "storageAccounts": USUAL.account,
    "shares": f"{USUAL.account}/default/{USUAL.share}",
    "workspaces": USUAL.workspace,
    "managedEnvironments": USUAL.environment,
    "storages": READ_ONLY,
    "containerApps": APP,
}


@dataclass(frozen=True)
class Case:
    """``plan`` maps names to actions; ``config`` what the file then says."""

    plan: dict[str, str]
    prepare: Callable[[AzureDouble, Path], None] = lambda _double, _project: None
    arguments: tuple[str, ...] = ()
    config: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def azure(double: AzureDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AzureDouble:
    """Signed in, with an empty resource group."""
    sign_in(double, tmp_path, monkeypatch)
    double.state.group(GROUP)
    return double


def put(project: Path, name: str, value: dict[str, Any]) -> None:
    file = project / "infra" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value), encoding="utf-8")


def parameters(project: Path, file: str = "inference", **values: Any) -> None:
    given = {name: {"value": value} for name, value in values.items()}
    put(project, f"provision/{file}.parameters.json", {"parameters": given})


def fine_tuned(profile: dict[str, Any], names: Names = USUAL) -> Callable[..., None]:
    def prepare(double: AzureDouble, project: Path) -> None:
        fine_tuning(double.state, GROUP, names, profile)
        said = {"SUBSCRIPTION_ID": SUBSCRIPTION, "RESOURCE_GROUP_NAME": GROUP}
        put(project, "finetuning.config.json", {**said, "ACA_JOB_NAME": names.job})

    return prepare


def own_names(double: AzureDouble, project: Path) -> None:
    parameters(project, storageAccountName="mine", acaAppName="app", acaEnvironmentName="here")


def own_names_of_fine_tuning(double: AzureDouble, project: Path) -> None:
    names = Names("theirs", "share", "logs", "there", "files", "job")
    fine_tuned(SERVERLESS, names)(double, project)
    parameters(
        project,
        "finetuning",
        storageAccountName="theirs",
        fileShareName="share",
        acaEnvironmentName="there",
        acaEnvironmentStorageName="files",
        acaLogAnalyticsName="logs",
    )
    parameters(project, acaAppName=None)


def resources_elsewhere(double: AzureDouble, project: Path) -> None:
    double.state.group("shared")
    names = Names("elsewhere", "share", "logs", "big", "files", "job")
    fine_tuning(double.state, "shared", names, {"name": "T4", "workloadProfileType": T4})
    parameters(
        project,
        storageAccountName="elsewhere",
        storageAccountResourceGroup="shared",
        fileShareName="share",
        acaEnvironmentName="big",
        acaEnvironmentResourceGroup="shared",
        acaLogAnalyticsName="logs",
        acaLogAnalyticsResourceGroup="shared",
    )


def fine_tuned_in_another_group(double: AzureDouble, project: Path) -> None:
    double.state.group("tuning")
    fine_tuning(double.state, "tuning", Names(), DEDICATED)
    put(
        project,
        "finetuning.config.json",
        {"RESOURCE_GROUP_NAME": "tuning", "STORAGE_ACCOUNT_NAME": "aistorageabcde"},
    )


ALL = dict.fromkeys([*CREATED.values(), FRONT], "create")
USED = dict.fromkeys([USUAL.account, USUAL.workspace, USUAL.environment], "none")
APPS = {APP: "create", FRONT: "create", READ_ONLY: "create"}
CASES = {
    "nothing exists": Case(plan=ALL, config={"STORAGE_ACCOUNT_NAME": USUAL.account}),
    "no GPU": Case(plan=ALL, arguments=("--gpu", "none")),
    "after fine-tuning on a dedicated GPU": Case(
        plan={**APPS, **USED, USUAL.environment: "update"}, prepare=fine_tuned(DEDICATED)
    ),
    "after fine-tuning, on its own dedicated GPU": Case(
        plan={**APPS, **USED, USUAL.environment: "update"},  # two replicas need a higher limit
        prepare=fine_tuned(DEDICATED),
        arguments=("--gpu", "NC24-A100"),
    ),
    "after fine-tuning on a serverless GPU": Case(
        plan={**APPS, **USED}, prepare=fine_tuned(SERVERLESS), arguments=("--gpu", A100)
    ),
    "own names": Case(
        plan={
            "mine": "create", "here": "create", "app": "create", "app-front": "create",
            f"here/{USUAL.storage}ro": "create",
        },
        prepare=own_names,
        config={"STORAGE_ACCOUNT_NAME": "mine", "ACA_APP_NAME": "app"},
    ),
    "own names in the fine-tuning step": Case(
        plan={
            "theirs": "none", "logs": "none", "there": "none", "there/filesro": "create",
            APP: "create", FRONT: "create",
        },
        prepare=own_names_of_fine_tuning,
        arguments=("--gpu", A100),
        config={"STORAGE_ACCOUNT_NAME": "theirs", "FILE_SHARE_NAME": "share"},
    ),
    "resources in another group": Case(
        plan={"elsewhere": "none", "big": "none", APP: "create", FRONT: "create"},
        prepare=resources_elsewhere,
        config={"STORAGE_ACCOUNT_NAME": "elsewhere", "RESOURCE_GROUP_NAME": GROUP},
    ),
    "fine-tuning in another group": Case(plan=ALL, prepare=fine_tuned_in_another_group),
}  # fmt: skip


def provision(remora: Remora, project: Path, *arguments: str, group: str = GROUP) -> Ran:
    return remora("provision", str(project), "--resource-group", group, "--json", *arguments)


def event(ran: Ran, name: str) -> dict[str, Any]:
    return next(found for found in ran.events if found["event"] == name)


def changes(ran: Ran) -> list[dict[str, str]]:
    return list(event(ran, "plan")["changes"])


def planned(ran: Ran) -> dict[str, str]:
    return {change["name"]: change["action"] for change in changes(ran)}


def config(project: Path) -> dict[str, str]:
    return dict(json.loads((project / "infra" / "inference.config.json").read_text()))


def bodies(double: AzureDouble) -> dict[str, dict[str, Any]]:
    return {key: copy.deepcopy(one.body) for key, one in double.state.resources.items()}


@pytest.mark.parametrize("name", CASES)
def test_what_is_planned_is_what_is_there_afterwards(
    name: str, azure: AzureDouble, remora: Remora, project: Path
) -> None:
    case = CASES[name]
    case.prepare(azure, project)
    before = bodies(azure)

    looked = provision(remora, project, "--plan", *case.arguments)
    assert looked.code == 0, looked.out + looked.err
    assert bodies(azure) == before
    assert case.plan.items() <= planned(looked).items()
    assert not (project / "infra" / "inference.config.json").exists()

    ran = provision(remora, project, "--yes", *case.arguments)
    assert ran.code == 0, ran.out + ran.err
    assert planned(ran) == planned(looked)
    after = bodies(azure)
    for key, body in before.items():
        assert keeps(body, after[key]), key
    made = {key for key in after if key not in before}
    for resource, action in planned(ran).items():
        was_made = any(key.endswith(f"/{resource.rpartition('/')[2].lower()}") for key in made)
        assert was_made == (action == "create"), resource
    said = config(project)
    assert list(said) == KEYS
    assert all(said.values())
    assert case.config.items() <= said.items()
    assert event(ran, "endpoint")["url"] == f"https://{said['ACA_APP_ENDPOINT']}"

    again = provision(remora, project, "--yes", *case.arguments)
    assert again.code == 0, again.out + again.err
    assert set(planned(again).values()) == {"none"}
    assert bodies(azure) == after
    assert config(project) == said


def keeps(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether a resource is as it was, but for profiles that were added or widened."""
    old, new = copy.deepcopy(before), copy.deepcopy(after)
    for profile in old["properties"].pop("workloadProfiles", []):
        kept = [
            one
            for one in new["properties"]["workloadProfiles"]
            if (one["name"], one["workloadProfileType"])
            == (profile["name"], profile["workloadProfileType"])
        ]
        if not kept or kept[0].get("maximumCount", 0) < profile.get("maximumCount", 0):
            return False
    new["properties"].pop("workloadProfiles", None)
    return old == new


def test_keys_are_made_once_and_kept(azure: AzureDouble, remora: Remora, project: Path) -> None:
    ran = provision(remora, project, "--yes")
    key = event(ran, "api_key")["key"]
    first = secrets(azure, FRONT)
    assert first["api-key"] == key
    assert secrets(azure, APP) == {"admin-key": first["admin-key"]}
    assert len({first["api-key"], first["admin-key"]}) == 2
    again = provision(remora, project, "--yes", "--gpu", "none")
    assert not [found for found in again.events if found["event"] == "api_key"]
    assert secrets(azure, FRONT) == first
    assert key not in again.out
    named = [json.dumps(r.body) for r in azure.requests if r.method == "GET"]
    assert not any(key in (r.path + r.query) for r in azure.requests)
    assert not any(key in body for body in named)


def secrets(azure: AzureDouble, name: str) -> dict[str, str]:
    app = next(one for key, one in azure.state.resources.items() if key.endswith(f"/{name}"))
    return {one["name"]: one["value"] for one in app.properties["configuration"]["secrets"]}


def test_a_token_of_hugging_face_is_brought_along(
    azure: AzureDouble, remora: Remora, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provision(remora, project, "--yes").code == 0
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    ran = provision(remora, project, "--yes")
    assert event(ran, "provisioned")
    assert secrets(azure, APP)["hf-token"] == "hf_secret"
    assert "hf_secret" not in ran.out


def test_half_of_a_failed_run_is_gone_on_from(
    azure: AzureDouble, remora: Remora, project: Path
) -> None:
    error = ArmError(409, "InsufficientCapacity", "No GPU is left.")
    azure.state.refusals.append(("Microsoft.App/containerApps", error))
    ran = provision(remora, project, "--yes", "--location", "westus3", group="new")
    assert ran.code == 8
    names = {change["type"].rpartition("/")[2]: change["name"] for change in changes(ran)}
    told = event(ran, "error")
    assert "No GPU is left. (InsufficientCapacity)" in told["message"]
    assert names["containerApps"].removesuffix("-front") in told["message"]
    assert (
        f"Made, and left as it is: Microsoft.Storage/storageAccounts {names['storageAccounts']}"
        in (told["hint"])
    )
    assert not (project / "infra" / "inference.config.json").exists()
    azure.state.refusals.clear()
    again = provision(remora, project, "--yes", group="new")
    assert again.code == 0, again.out
    assert planned(again)[names["managedEnvironments"]] == "none"
    assert planned(again)[names["containerApps"]] == "create"
    assert config(project)["RESOURCE_GROUP_NAME"] == "new"


def test_a_new_group_needs_a_region_and_is_made(
    azure: AzureDouble, remora: Remora, project: Path
) -> None:
    asked = provision(remora, project, "--yes", group="new")
    assert asked.code == 2
    assert event(asked, "choice")["option"] == "--location"
    ran = provision(remora, project, "--yes", "--location", "swedencentral", group="new")
    assert ran.code == 0, ran.out
    assert planned(ran)["new"] == "create"
    found = azure.state.find_group(SUBSCRIPTION, "new")
    assert found is not None
    assert found.location == "swedencentral"


def test_nothing_is_sent_before_it_is_confirmed(
    azure: AzureDouble, remora: Remora, project: Path
) -> None:
    ran = provision(remora, project)
    assert ran.code == 2
    assert ran.events[-1] == {
        "event": "confirm",
        "message": "Deploy this?",
        "option": "--yes",
    }
    sent = {request.method for request in azure.requests if "whatIf" not in request.path}
    assert sent <= {"GET", "POST"}
    assert not azure.state.resources


def test_questions_go_to_the_program_that_can_ask(
    azure: AzureDouble, remora: Remora, project: Path
) -> None:
    azure.state.subscription("Other", SUBSCRIPTION.replace("1", "2"))
    ran = remora("provision", str(project), "--json")
    assert ran.code == 2
    asked = event(ran, "choice")
    assert asked["option"] == "--subscription"
    assert {choice["label"] for choice in asked["choices"]} == {"Team", "Other"}
    ran = remora("provision", str(project), "--json", "--subscription", "Team")
    assert event(ran, "choice")["option"] == "--resource-group"
    assert event(ran, "choice")["choices"] == [
        {"value": GROUP, "label": GROUP, "detail": "westus3"}
    ]


def test_each_value_is_explained(azure: AzureDouble, remora: Remora, project: Path) -> None:
    own_names_of_fine_tuning(azure, project)
    ran = provision(remora, project, "--explain", "--gpu", "none")
    said = {one["name"]: one for one in event(ran, "parameters")["parameters"]}
    assert said["gpuProfile"] == {"name": "gpuProfile", "value": "none", "from": "--gpu"}
    assert said["fileShareName"]["from"].endswith("finetuning.parameters.json:1: fileShareName")
    assert said["acaAppName"] == {"name": "acaAppName", "value": APP, "from": "default"}
    assert said["readOnlyStorageName"]["value"] == "filesro"
    assert "left as it is" in said["createEnvironment"]["from"]
    assert not any("key" in name.lower() for name in said)


def test_another_app_than_the_config_names_is_told(
    azure: AzureDouble, remora: Remora, project: Path
) -> None:
    put(project, "inference.config.json", {"RESOURCE_GROUP_NAME": GROUP, "ACA_APP_NAME": "mine"})
    told = [found.get("message", "") for found in provision(remora, project, "--explain").events]
    assert any(f"acaAppName mine, and this plan is for {APP}" in message for message in told)


def test_a_template_of_the_users_own_is_deployed(
    azure: AzureDouble, remora: Remora, project: Path, tmp_path: Path
) -> None:
    """One with AI Toolkit's parameters alone, which makes a workspace and says it made an app."""
    names = [
        "storageAccountName", "fileShareName", "acaEnvironmentName", "acaAppName",
        "acaEnvironmentStorageName", "acaLogAnalyticsName",
    ]  # fmt: skip
    template = {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {name: {"type": "string", "defaultValue": name.lower()} for name in names},
        "resources": [
            {
                "type": "Microsoft.OperationalInsights/workspaces",
                "apiVersion": "2022-10-01",
                "name": "[parameters('acaLogAnalyticsName')]",
                "location": "westus3",
                "properties": {"sku": {"name": "PerGB2018"}},
            }
        ],
        "outputs": {key: {"type": "string", "value": key.lower()} for key in KEYS},
    }
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(template), encoding="utf-8")
    fine_tuned(DEDICATED)(azure, project)
    ran = provision(remora, project, "--yes", "--template", str(file))
    assert ran.code == 0, ran.out
    assert planned(ran)[USUAL.environment] == "none"
    assert config(project)["ACA_APP_NAME"] == "aca_app_name"
    assert not [found for found in ran.events if found["event"] == "api_key"]


def test_ai_toolkits_commands_run_where_they_are_kept(
    azure: AzureDouble, remora: Remora, project: Path
) -> None:
    fine_tuned(DEDICATED)(azure, project)
    parameters(project, defaultCommands=["cd /mount", "python3 ./gradio_chat.py"])
    looked = provision(remora, project, "--plan")
    assert any("--keep-commands" in found.get("message", "") for found in looked.events)
    ran = provision(remora, project, "--yes", "--keep-commands")
    assert ran.code == 0, ran.out
    assert FRONT not in planned(ran)
    app = next(one for key, one in azure.state.resources.items() if key.endswith(f"/{APP}"))
    (container,) = app.properties["template"]["containers"]
    assert container["command"] == ["/bin/bash", "-c", "cd /mount; python3 ./gradio_chat.py"]
    assert config(project)["ACA_APP_ENDPOINT"].startswith(APP)


@pytest.mark.parametrize(
    ("values", "arguments", "told"),
    [
        ({"acaApName": "x"}, (), "acaApName: the template has no such parameter. Did you mean aca"),
        ({"acaAppName": "Not-Good"}, (), "acaAppName: 'Not-Good' can't be a name"),
        ({"maximumInstanceCount": "2"}, (), "maximumInstanceCount: int is expected, not '2'"),
        ({"apiKey": "secret"}, (), "apiKey: a secret does not belong into this file"),
        ({}, ("--gpu", "H100"), "--gpu: 'H100' is none of none, Consumption-GPU-NC8as-T4"),
        ({}, ("--keep-commands",), "--keep-commands: defaultCommands are empty"),
    ],
)
def test_wrong_values_are_told_before_azure_refuses_them(
    azure: AzureDouble,
    remora: Remora,
    project: Path,
    values: dict[str, Any],
    arguments: tuple[str, ...],
    told: str,
) -> None:
    parameters(project, **values)
    ran = provision(remora, project, "--plan", *arguments)
    assert ran.code == 2
    assert told in event(ran, "error")["message"]
    assert not [request for request in azure.requests if "whatIf" in request.path]
