"""Which of the places that name a parameter decides: all combinations."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from remora.azure.config_file import FinetuningConfig
from remora.azure.parameters import SHARED, Origin, Source, resolve, sources_of
from remora.azure.parameters_file import ParametersFile, read_parameters
from remora.errors import ConfigError

STRENGTH = list(Origin)


def file_of(name: str, value: str | None) -> ParametersFile:
    values = {} if value is None else {name: value}
    return ParametersFile(Path("p.json"), values, {}, dict.fromkeys(values, "p.json:1"))


@pytest.mark.parametrize("name", [*sorted(SHARED), "acaAppName", "gpuProfile", "defaultCommands"])
def test_the_strongest_place_decides(name: str) -> None:
    for given in itertools.product([True, False], repeat=len(STRENGTH)):
        check(name, given)


def check(name: str, given: tuple[bool, ...]) -> None:
    says = {o: o.value if here else None for o, here in zip(STRENGTH, given, strict=True)}
    config_knows = {
        "storageAccountName": "STORAGE_ACCOUNT_NAME",
        "fileShareName": "FILE_SHARE_NAME",
    }
    config = None
    if name in config_knows:
        config = FinetuningConfig.model_validate(
            {config_knows[name]: says[Origin.FINETUNING_CONFIG]}
        )
    found = resolve(
        [name],
        sources_of(
            options=Source(Origin.OPTION, {name: says[Origin.OPTION]}),
            inference=file_of(name, says[Origin.INFERENCE]),
            finetuning=file_of(name, says[Origin.FINETUNING]),
            config=config,
            existing=Source(Origin.EXISTING, {name: says[Origin.EXISTING]}),
            defaults={name: says[Origin.DEFAULT]},
        ),
    )
    speaks = [origin for origin, here in zip(STRENGTH, given, strict=True) if here]
    if name not in SHARED:
        speaks = [origin for origin in speaks if origin is not Origin.FINETUNING]
    if name not in config_knows:
        speaks = [origin for origin in speaks if origin is not Origin.FINETUNING_CONFIG]
    if not speaks:
        assert found == {}
    else:
        assert found[name].value == speaks[0].value
        assert found[name].origin is speaks[0]


def test_missing_files_say_nothing() -> None:
    sources = sources_of(
        options=Source(Origin.OPTION, {}),
        inference=None,
        finetuning=None,
        config=None,
        existing=Source(Origin.EXISTING, {}),
        defaults={"a": 1},
    )
    found = resolve(["a", "b"], sources)
    assert [parameter.name for parameter in found.values()] == ["a"]


def test_the_place_is_told() -> None:
    sources = sources_of(
        options=Source(Origin.OPTION, {"gpuProfile": "none"}, {"gpuProfile": "--gpu"}),
        inference=file_of("acaAppName", "x"),
        finetuning=None,
        config=FinetuningConfig.model_validate({"FILE_SHARE_NAME": "s"}),
        existing=Source(Origin.EXISTING, {}),
        defaults={},
    )
    found = resolve(["gpuProfile", "acaAppName", "fileShareName"], sources)
    places = [parameter.place for parameter in found.values()]
    assert places == ["--gpu", "p.json:1", "infra/finetuning.config.json"]


def put(folder: Path, where: str, parameters: object) -> Path:
    file = folder / where
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"parameters": parameters}, indent=1), encoding="utf-8")
    return file


def test_nulls_mean_the_default_and_secrets_of_a_vault_are_passed_on(tmp_path: Path) -> None:
    secret = {"keyVault": {"id": "/x"}, "secretName": "s"}
    given = {
        "acaEnvironmentName": {"value": "mine"},
        "acaEnvironmentStorageName": {"value": None},
        "apiKey": {"reference": secret},
    }
    put(tmp_path, "infra/provision/inference.parameters.json", given)
    file = read_parameters(tmp_path, "inference.parameters.json")
    assert file is not None
    assert file.values == {"acaEnvironmentName": "mine"}
    assert file.references == {"apiKey": secret}
    assert file.places["acaEnvironmentName"].endswith("parameters.json:3: acaEnvironmentName")


def test_both_places_are_known_and_the_one_under_provision_comes_first(tmp_path: Path) -> None:
    assert read_parameters(tmp_path, "inference.parameters.json") is None
    other = put(tmp_path, "infra/inference.parameters.json", {"location": {"value": "b"}})
    file = read_parameters(tmp_path, "inference.parameters.json")
    assert file is not None
    assert (file.path, file.values) == (other, {"location": "b"})
    put(tmp_path, "infra/provision/inference.parameters.json", {"location": {"value": "a"}})
    file = read_parameters(tmp_path, "inference.parameters.json")
    assert file is not None
    assert file.values == {"location": "a"}


@pytest.mark.parametrize("entry", ["x", {}, {"valu": 1}, {"value": 1, "reference": {}}, None])
def test_another_form_is_refused_with_its_line(tmp_path: Path, entry: object) -> None:
    put(tmp_path, "infra/inference.parameters.json", {"location": entry})
    with pytest.raises(ConfigError, match=r"parameters\.json:3: location"):
        read_parameters(tmp_path, "inference.parameters.json")
