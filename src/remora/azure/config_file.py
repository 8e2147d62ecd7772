"""``infra/inference.config.json`` and ``infra/finetuning.config.json``, as AI Toolkit has them."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from remora.azure.json_file import read_json, write_json
from remora.errors import ConfigError

INFERENCE_CONFIG = Path("infra", "inference.config.json")
FINETUNING_CONFIG = Path("infra", "finetuning.config.json")

Model = TypeVar("Model", bound=BaseModel)


class FinetuningConfig(BaseModel):
    """What the fine-tuning step left; its further keys are its own."""

    model_config = ConfigDict(alias_generator=str.upper, frozen=True, strict=True, extra="ignore")

    subscription_id: str | None = None
    resource_group_name: str | None = None
    storage_account_name: str | None = None
    file_share_name: str | None = None


class InferenceConfig(BaseModel):
    """Where inference runs. Provisioning writes it, or the user who provisioned by hand."""

    model_config = ConfigDict(
        alias_generator=str.upper,
        validate_by_name=True,
        frozen=True,
        strict=True,
        extra="forbid",
    )

    subscription_id: str | None = Field(None, description="Id of the subscription.")
    resource_group_name: str | None = Field(None, description="Resource group of the endpoint.")
    storage_account_name: str | None = Field(
        None, description="Storage account of the share with models and releases."
    )
    file_share_name: str | None = Field(None, description="Azure Files share in that account.")
    aca_app_name: str | None = Field(None, description="Container app that runs the models.")
    aca_app_endpoint: str | None = Field(
        None, description="Host name of the endpoint, without `https://`."
    )

    @classmethod
    def from_outputs(cls, outputs: dict[str, Any]) -> Self:
        """The six outputs of a deployment; raises `ConfigError` if one is missing."""
        keys = [key.upper() for key in cls.model_fields]
        # Azure may change the case of an output's name.
        values = {name.upper(): output.get("value") for name, output in outputs.items()}
        if missing := [key for key in keys if not values.get(key)]:
            raise ConfigError(
                f"the template has no output {', '.join(missing)}",
                hint="The six outputs of inference.bicep are written to inference.config.json.",
            )
        return cls.model_validate({key: values[key] for key in keys})

    @property
    def missing(self) -> list[str]:
        """The keys without a value, as they are written in the file."""
        return [key for key, value in self.model_dump(by_alias=True).items() if not value]


def read_inference_config(project: Path) -> InferenceConfig | None:
    """The file of a project; None if it has none."""
    return _read(project / INFERENCE_CONFIG, InferenceConfig)


def read_finetuning_config(project: Path) -> FinetuningConfig | None:
    """The file of a project; None if it has none."""
    return _read(project / FINETUNING_CONFIG, FinetuningConfig)


def is_provisioned(project: Path) -> bool:
    """Whether a project says where on Azure it runs."""
    config = read_inference_config(project)
    return config is not None and not config.missing


def provisioned_config(project: Path) -> InferenceConfig:
    """The file with all six values; raises `ConfigError` saying which are missing."""
    config = read_inference_config(project)
    if config is None or len(config.missing) == len(InferenceConfig.model_fields):
        raise ConfigError(
            f"{project / INFERENCE_CONFIG} does not say where inference runs",
            hint="`remora provision` writes it; who provisioned by hand fills it in.",
        )
    if config.missing:
        raise ConfigError(
            f"{project / INFERENCE_CONFIG}: no value for {', '.join(config.missing)}",
            hint="Fill it in, or let `remora provision` do it.",
        )
    return config


def write_inference_config(project: Path, config: InferenceConfig) -> Path:
    """Write the six keys at once; returns where."""
    path = project / INFERENCE_CONFIG
    write_json(path, config.model_dump(by_alias=True))
    return path


def _read(path: Path, model: type[Model]) -> Model | None:
    if not path.is_file():
        return None
    file = read_json(path)
    try:
        return model.model_validate(file.value)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        key = str(detail["loc"][0])
        known = [name.upper() for name in model.model_fields]
        if detail["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key.upper(), known, n=1)
            also = f" Did you mean {near[0]}?" if near else ""
            message, hint = f"{file.place(key)}: unknown key.{also}", f"It has {', '.join(known)}."
        else:
            message = f"{file.place(key)}: a text or null is expected, not {detail['input']!r}"
            hint = None
        raise ConfigError(message, hint=hint) from error
