"""PEFT's adapters on a model: checked from their headers, put on, chosen for a pass, taken off."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peft
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from remora.errors import AdapterBroken, AdapterUnsupported
from remora.formats.adapter_config import WEIGHTS_FILE, AdapterConfig, read_adapter_config
from remora.formats.peft_keys import Role, parse_key
from remora.formats.safetensors_header import BrokenHeader, TensorEntry, read_header

# Options of LoraConfig that change more than the adapter's own rows, or want more than its files.
_REFUSED = {
    "alora_invocation_tokens": "it acts only behind its invocation tokens",
    "arrow_config": "it routes each token to several adapters",
    "bias": "it changes the base model's biases",
    "layer_replication": "it builds another model of the base's layers",
    "megatron_config": "it needs Megatron",
}
_OFF: tuple[object, ...] = (None, False, "none", [], {}, ())
# Other ways of initialising change the base model's weights, which the adapter then relies on.
_PLAIN_INITS = (True, False, None, "gaussian", "eva", "orthogonal")
_FLOATS = ("F32", "F16", "BF16")


@dataclass(frozen=True, slots=True)
class PeftPlan:
    """What a folder holds. ``copies`` are tensors that must equal the base model's, which they
    name."""

    folder: Path
    config: AdapterConfig
    copies: Mapping[str, str]
    rank: int
    embedded: int


@dataclass(frozen=True, slots=True, eq=False)
class PeftAdapter:
    """An adapter in memory; PEFT knows it by ``name``."""

    name: str
    vocabulary: None = None
    """It reads and writes the base's tokens; PEFT loads no others."""


class PeftAdapters:
    """The adapters on one model. All but `plan` and `read` change the model, and belong to the
    engine's thread."""

    def __init__(self, model: Any) -> None:
        self._model = model
        # By their names before PEFT puts layers of its own around them.
        self._base = dict(model.named_parameters(remove_duplicate=False))
        self._tokens = int(model.get_input_embeddings().weight.shape[0])
        self._peft: Any = None
        self._chosen: PeftAdapter | None = None
        self._numbers = itertools.count(1)

    def plan(self, folder: Path, max_rank: int) -> PeftPlan:
        """Check an adapter's header. Raises `AdapterError`."""
        config = read_adapter_config(folder)
        _refuse_options(folder, config)
        rank = max([config.rank, *config.rank_pattern.values()])
        if rank > max_rank:
            raise AdapterUnsupported(
                f"{folder}: the rank {rank} exceeds the limit of {max_rank}",
                hint="Raise max_lora_rank in the [engine] table of remora.toml.",
            )
        header = _header(folder / WEIGHTS_FILE)
        copies = {key: name for key in header if (name := self._copied(key, config)) is not None}
        if len(copies) == len(header):
            raise AdapterBroken(f"{folder / WEIGHTS_FILE} holds no LoRA weights")
        return PeftPlan(folder, config, copies, rank, self._tokens)

    def read(self, plan: PeftPlan) -> dict[str, Tensor]:
        """The weights of an adapter's own, by their names in the file. Raises `AdapterError`."""
        path = plan.folder / WEIGHTS_FILE
        try:
            with safe_open(path, framework="pt") as file:
                weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise AdapterBroken(f"{path} can't be read: {error}", hint="Copy it again.") from error
        for key, tensor in weights.items():
            if not tensor.isfinite().all():
                raise AdapterBroken(
                    f"{path} holds NaN or infinite weights",
                    hint="The training diverged; train again.",
                )
            if key in plan.copies:
                base = self._base[plan.copies[key]].cpu()
                if tensor.shape != base.shape or not torch.equal(tensor.to(base.dtype), base):
                    raise AdapterUnsupported(
                        f"{path}: {key!r} differs from the base model's own",
                        hint="Train it as one of modules_to_save, so that it is the adapter's own.",
                    )
        return {key: tensor for key, tensor in weights.items() if key not in plan.copies}

    def add(self, plan: PeftPlan, weights: Mapping[str, Tensor]) -> PeftAdapter:
        """Put an adapter on the model. Raises `AdapterBroken`."""
        adapter = PeftAdapter(f"adapter{next(self._numbers)}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._attach(adapter, plan, weights)
        except AdapterBroken:
            self.remove(adapter)
            raise
        except Exception as error:  # Whatever PEFT raises.
            self.remove(adapter)
            raise AdapterBroken(
                f"{plan.folder}: PEFT can't put this adapter on the base model: {error}",
                hint="Was it trained on another base model?",
            ) from error
        return adapter

    def select(self, adapter: PeftAdapter | None) -> None:
        """Let the next passes run with an adapter, or with the base alone."""
        if adapter is self._chosen or self._peft is None:
            return
        tuner = self._peft.base_model
        if adapter is None:
            tuner.disable_adapter_layers()
        else:
            if self._chosen is None:
                tuner.enable_adapter_layers()
            tuner.set_adapter(adapter.name, inference_mode=True)
        self._chosen = adapter

    def remove(self, adapter: PeftAdapter) -> None:
        """Take an adapter off the model."""
        if self._peft is None or adapter.name not in self._peft.peft_config:
            return
        self.select(None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._peft.delete_adapter(adapter.name)
            if not self._peft.peft_config:
                # PEFT adds no adapter to a model whose last one was taken off.
                self._peft.unload()
                self._peft = None

    def merge(self, adapter: PeftAdapter) -> None:
        """Make an adapter a part of the model; it can't be taken off again."""
        self.select(adapter)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._peft.merge_and_unload(adapter_names=[adapter.name])
        self._peft = self._chosen = None

    def _attach(self, adapter: PeftAdapter, plan: PeftPlan, weights: Mapping[str, Tensor]) -> None:
        config = peft.LoraConfig.from_pretrained(plan.folder)
        config.inference_mode = True
        if self._peft is None:
            self._peft = peft.PeftModel(self._model, config, adapter.name)
            self._chosen = adapter
        else:
            self._peft.add_adapter(adapter.name, config)
        self.select(None)
        result = peft.set_peft_model_state_dict(self._peft, dict(weights), adapter.name)
        self._model.eval()
        path = plan.folder / WEIGHTS_FILE
        if result.unexpected_keys:
            raise AdapterBroken(
                f"{path}: the base model has nothing that {result.unexpected_keys[0]!r} belongs to",
                hint="Was the adapter trained on another base model?",
            )
        if missing := [key for key in result.missing_keys if adapter.name in key.split(".")]:
            raise AdapterBroken(
                f"{path} lacks weights for {missing[0].replace(f'.{adapter.name}', '')}",
                hint="Save the adapter again with PEFT's save_pretrained.",
            )

    def _copied(self, key: str, config: AdapterConfig) -> str | None:
        """The parameter of the base model that an adapter's tensor would overwrite, if any."""
        parsed = parse_key(key)
        if parsed is None or parsed.role not in (Role.WEIGHT, Role.BIAS):
            return None
        saved = config.raw.get("modules_to_save") or ()
        if any(f".{parsed.module}".endswith(f".{name}") or f".{name}." in key for name in saved):
            return None
        name = f"{parsed.module}.{parsed.role}"
        return name if name in self._base else None


def merge_adapter(folder: Path, max_rank: int, model: Any) -> None:
    """Make an adapter's folder a part of a model. Raises `AdapterError`."""
    adapters = PeftAdapters(model)
    plan = adapters.plan(folder, max_rank)
    adapters.merge(adapters.add(plan, adapters.read(plan)))


def _refuse_options(folder: Path, config: AdapterConfig) -> None:
    if config.peft_type != "LORA":
        raise AdapterUnsupported(
            f"{folder}: adapters of type {config.peft_type} are not supported",
            hint="Remora serves LoRA adapters.",
        )
    init = config.raw.get("init_lora_weights")
    if init not in _PLAIN_INITS:
        raise AdapterUnsupported(
            f"{folder}: it was initialised with {init!r}, which changes the base model",
            hint="Save it with PEFT's path_initial_model_for_weight_conversion.",
        )
    for key, reason in _REFUSED.items():
        if config.raw.get(key) not in _OFF:
            raise AdapterUnsupported(
                f"{folder}: the PEFT option {key} = {config.raw[key]!r} is not supported: {reason}",
                hint="Merge it into a copy of the base model with PEFT's merge_and_unload.",
            )


def _header(path: Path) -> Mapping[str, TensorEntry]:
    try:
        header = read_header(path)
    except BrokenHeader as error:
        raise AdapterBroken(str(error), hint="Copy the adapter again.") from error
    except OSError as error:
        raise AdapterBroken(
            f"{path} can't be read: {error.strerror}",
            hint="Remora reads safetensors only; save the adapter with PEFT's save_pretrained.",
        ) from error
    for key, entry in header.items():
        if entry.dtype not in _FLOATS:
            raise AdapterUnsupported(f"{path}: {key!r} has the type {entry.dtype}")
    return header
