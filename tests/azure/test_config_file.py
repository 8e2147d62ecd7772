"""`infra/*.config.json`: read strictly, written at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remora.azure.config_file import (
    InferenceConfig,
    is_provisioned,
    provisioned_config,
    read_finetuning_config,
    read_inference_config,
    write_inference_config,
)
from remora.errors import ConfigError

FILLED = {
    "SUBSCRIPTION_ID": "0000",
    "RESOURCE_GROUP_NAME": "group",
    "STORAGE_ACCOUNT_NAME": "account",
    "FILE_SHARE_NAME": "share",
    "ACA_APP_NAME": "app",
    "ACA_APP_ENDPOINT": "app.example.com",
}


def put(folder: Path, name: str, text: str) -> Path:
    file = folder / "infra" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_the_six_keys_come_and_go_as_they_are(tmp_path: Path) -> None:
    config = InferenceConfig.model_validate(FILLED)
    file = write_inference_config(tmp_path, config)
    assert json.loads(file.read_text()) == FILLED
    assert list(json.loads(file.read_text())) == list(FILLED)
    assert read_inference_config(tmp_path) == config == provisioned_config(tmp_path)
    assert is_provisioned(tmp_path)
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


def test_a_project_without_files_has_no_config(tmp_path: Path) -> None:
    assert read_inference_config(tmp_path) is None
    assert read_finetuning_config(tmp_path) is None
    assert not is_provisioned(tmp_path)
    with pytest.raises(ConfigError, match="does not say where"):
        provisioned_config(tmp_path)


@pytest.mark.parametrize("missing", FILLED)
def test_a_missing_value_is_named(tmp_path: Path, missing: str) -> None:
    put(tmp_path, "inference.config.json", json.dumps(FILLED | {missing: None}))
    assert not is_provisioned(tmp_path)
    with pytest.raises(ConfigError, match=missing):
        provisioned_config(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{\n  "ACA_APP_NAM": "x"\n}', "config.json:2: ACA_APP_NAM: unknown key. Did you mean ACA"),
        ('{\n\n  "ACA_APP_NAME": 3\n}', "config.json:3: ACA_APP_NAME: a text or null is expected"),
        ('{"ACA_APP_NAME": "a", "ACA_APP_NAME": "b"}', "'ACA_APP_NAME' stands there twice"),
        ('{\n"ACA_APP_NAME": "a",\n}', "config.json:3: is not valid JSON"),
        ("[]", "a JSON object is expected"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, told: str) -> None:
    put(tmp_path, "inference.config.json", text)
    with pytest.raises(ConfigError) as error:
        read_inference_config(tmp_path)
    assert told in str(error.value)


def test_the_fine_tuning_steps_own_keys_are_left_alone(tmp_path: Path) -> None:
    values = {"RESOURCE_GROUP_NAME": "g", "ACA_JOB_NAME": "job", "COMMANDS": ["a", "b"]}
    put(tmp_path, "finetuning.config.json", json.dumps(values))
    config = read_finetuning_config(tmp_path)
    assert config is not None
    assert config.resource_group_name == "g"


def test_outputs_become_the_config_whatever_the_case_of_their_names() -> None:
    outputs: dict[str, Any] = {
        key.lower(): {"type": "String", "value": value} for key, value in FILLED.items()
    }
    assert InferenceConfig.from_outputs(outputs).model_dump(by_alias=True) == FILLED
    del outputs["aca_app_endpoint"]
    with pytest.raises(ConfigError, match="ACA_APP_ENDPOINT"):
        InferenceConfig.from_outputs(outputs)
