"""All checks of one adapter against its base model."""

from __future__ import annotations

import re

from remora.errors import AdapterBroken
from remora.formats.adapter_config import (
    CONFIG_FILE,
    SERVED_TYPES,
    WEIGHTS_FILE,
    AdapterConfig,
    adapter_config_of,
)
from remora.formats.folder import Folder
from remora.formats.safetensors_header import BrokenHeader, header_of
from remora.project.checks import rules
from remora.project.checks.base import Base
from remora.project.checks.diagnostic import Diagnostic
from remora.project.checks.precision import check_precision
from remora.project.checks.tensors import check_tensors
from remora.project.checks.tokens import check_tokens
from remora.project.checks.values import SAMPLE, check_values

_QUANTIZED = re.compile(r"[-_.](bnb|gptq|awq|int4|int8|4bit|8bit|nf4|unsloth)\b.*$")
# A folder so called says nothing of the model in it.
_VAGUE = {"base", "model", "models", "checkpoint", "merged", "output", "out", "."}


def check_adapter(
    folder: Folder,
    name: str,
    base: Base,
    *,
    dtype: str = "auto",
    max_rank: int = 256,
    sample: int = SAMPLE,
) -> list[Diagnostic]:
    """What is wrong with an adapter, or worth knowing. Never raises for what a folder holds.

    ``sample`` [bytes] of each tensor are looked at, 0 for none.
    """
    try:
        config = adapter_config_of(folder)
    except AdapterBroken as error:
        return [Diagnostic(rules.ADAPTER_CONFIG, name, CONFIG_FILE, str(error))]
    found = _check_config(name, base, config)
    try:
        header = header_of(folder, WEIGHTS_FILE)
    except FileNotFoundError:
        reason = "there is no such file"
        return [*found, Diagnostic(rules.ADAPTER_WEIGHTS, name, WEIGHTS_FILE, reason)]
    except (BrokenHeader, OSError) as error:
        return [*found, Diagnostic(rules.ADAPTER_WEIGHTS, name, WEIGHTS_FILE, str(error))]
    layout, wrong = check_tensors(name, base, config, header, max_rank=max_rank)
    found += wrong
    try:
        if sample and not base.broken:
            found += check_values(name, folder, header, layout, sample=sample)
        found += check_tokens(name, base, folder, layout.rows)
    except OSError as error:
        found.append(Diagnostic(rules.ADAPTER_WEIGHTS, name, WEIGHTS_FILE, str(error)))
    return found + check_precision(name, base, header, dtype)


def _check_config(name: str, base: Base, config: AdapterConfig) -> list[Diagnostic]:
    found = []
    if config.peft_type not in SERVED_TYPES:
        reason = f"it is of the type {config.peft_type}"
        found.append(Diagnostic(rules.PEFT_TYPE, name, CONFIG_FILE, reason, "peft_type"))
    mapping = config.raw.get("auto_mapping")
    trained = mapping.get("base_model_class") if isinstance(mapping, dict) else None
    if trained and base.architecture and trained != base.architecture:
        reason = f"it was trained on {trained}, the base model is {base.architecture}"
        found.append(Diagnostic(rules.ARCHITECTURE, name, CONFIG_FILE, reason, "auto_mapping"))
    return found + _check_base_name(name, base, config)


def _check_base_name(name: str, base: Base, config: AdapterConfig) -> list[Diagnostic]:
    if not isinstance(config.base, str):
        return []
    key, named = "base_model_name_or_path", _last(config.base)
    plain = _QUANTIZED.sub("", named)
    known = {_last(base.origin), _last(str(base.config.get("_name_or_path") or ""))}
    found = []
    if plain != named:
        reason = f"it was trained on {config.base}"
        found.append(Diagnostic(rules.QUANTIZED_BASE, name, CONFIG_FILE, reason, key))
    telling = {other for other in known if other} - _VAGUE
    if named not in _VAGUE and telling and not telling & {named, plain}:
        reason = f"it was trained on {config.base}, and the base model is {base.origin}"
        found.append(Diagnostic(rules.BASE_NAME, name, CONFIG_FILE, reason, key))
    return found


def _last(path: str) -> str:
    return re.split(r"[\\/]+", path.rstrip("\\/"))[-1].lower()
