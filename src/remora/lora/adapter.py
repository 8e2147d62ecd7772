"""Loads a PEFT LoRA folder into the matrices that a model's sites need.

LoRA (https://arxiv.org/abs/2106.09685) adds ``scale * B @ A @ x`` to a layer's output. An option
of PEFT that computes anything else is refused by name: an adapter is served right or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from remora.errors import AdapterBroken, AdapterUnsupported
from remora.formats.adapter_config import WEIGHTS_FILE, AdapterConfig, read_adapter_config
from remora.formats.safetensors_header import BrokenHeader, TensorEntry, read_header
from remora.lora.sites import Part, Sites

_KEY = re.compile(r"(?:base_model\.model\.)?(?P<module>.+?)\.lora_(?P<side>[AB])(?:\.\w+)?\.weight")

# PEFT saves a copy of a base layer that it finds in the embeddings' or the head's place.
_COPY = re.compile(r"base_model\.model\.(?P<module>.+?)(?:\.base_layer)?\.(?P<side>weight|bias)")

# Options of PEFT's LoraConfig that plain LoRA needs, or that matter in training only.
_UNDERSTOOD = frozenset(
    (
        "alpha_pattern",
        "auto_mapping",
        "base_model_name_or_path",
        "corda_config",
        "ensure_weight_tying",
        "eva_config",
        "exclude_modules",
        "inference_mode",
        "init_lora_weights",
        "layers_pattern",
        "layers_to_transform",
        "loftq_config",
        "lora_alpha",
        "lora_dropout",
        "lora_ga_config",
        "megatron_config",
        "megatron_core",
        "parent_library",
        "peft_type",
        "peft_version",
        "qalora_group_size",
        "r",
        "rank_pattern",
        "revision",
        "runtime_config",
        "target_modules",
        "task_type",
        "use_rslora",
        "velora_config",
    )
)
# Other ways of initialising change the base model's weights, which the adapter then relies on.
_PLAIN_INITS = (True, False, None, "gaussian", "eva", "orthogonal")
_OFF: tuple[object, ...] = (None, False, "none", [], {}, ())


@dataclass(frozen=True, slots=True)
class Pair:
    """One site's matrices: ``down`` [rank, in], and ``up`` [out, rank] with the scale in it."""

    down: Tensor
    up: Tensor

    @property
    def rank(self) -> int:
        return self.down.shape[0]


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """An adapter in memory: a pair for each site that it touches, None for the others."""

    pairs: Sequence[Pair | None]
    rank: int


@dataclass(frozen=True, slots=True)
class AdapterPlan:
    """What a folder holds, checked against a model from the header alone.

    ``modules`` maps a layer's path to the names of its A and B; ``copies`` maps tensors that must
    equal the base model's to their names there.
    """

    folder: Path
    config: AdapterConfig
    modules: Mapping[str, tuple[str, str]]
    copies: Mapping[str, str]
    rank: int


def plan_adapter(folder: Path, sites: Sites, *, max_rank: int) -> AdapterPlan:
    """Check an adapter against a model's sites without reading its weights.

    Raises `AdapterBroken` or `AdapterUnsupported`, naming the file and what is wrong in it.
    """
    config = read_adapter_config(folder)
    _refuse_unknown_options(folder, config)
    path = folder / WEIGHTS_FILE
    try:
        header = read_header(path)
    except BrokenHeader as error:
        raise AdapterBroken(str(error), hint="Copy the adapter again.") from error
    except OSError as error:
        raise AdapterBroken(
            f"{path} can't be read: {error.strerror}",
            hint="Remora reads safetensors only; save the adapter with PEFT's save_pretrained.",
        ) from error
    copies = {name: copy for name in header if (copy := _copied(name, sites)) is not None}
    modules = _modules(path, [name for name in header if name not in copies], sites)
    ranks = [
        _check_shapes(path, header, m, keys, sites.parts[m], config) for m, keys in modules.items()
    ]
    if not ranks:
        raise AdapterBroken(f"{path} holds no LoRA weights")
    if max(ranks) > max_rank:
        raise AdapterUnsupported(
            f"{path}: the rank {max(ranks)} exceeds the limit of {max_rank}",
            hint="Raise max_lora_rank in the [engine] table of remora.toml.",
        )
    return AdapterPlan(folder, config, modules, copies, max(ranks))


def load_adapter(
    plan: AdapterPlan,
    sites: Sites,
    dtype: torch.dtype,
    device: str,
    base_tensor: Callable[[str], Tensor],
) -> Adapter:
    """Read an adapter's weights; ``base_tensor`` reads one of the base model's, by name.

    Raises `AdapterBroken` if they are damaged or not finite, and `AdapterUnsupported` if the
    adapter changes a base layer outright.
    """
    path = plan.folder / WEIGHTS_FILE
    by_site: dict[int, list[tuple[Part, Tensor, Tensor]]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for name, copy in plan.copies.items():
                _check_copy(path, name, file.get_tensor(name), base_tensor(copy))
            for module, (down, up) in plan.modules.items():
                part = sites.parts[module]
                scaled = file.get_tensor(up).float() * plan.config.scale_of(module)
                by_site.setdefault(part.site, []).append((part, file.get_tensor(down), scaled))
    except (OSError, SafetensorError) as error:
        raise AdapterBroken(f"{path} can't be read: {error}", hint="Copy it again.") from error
    pairs: list[Pair | None] = [None] * len(sites)
    for site, members in by_site.items():
        pair = _fuse(members, sites.outputs[site], dtype, device)
        if not (pair.down.isfinite().all() and pair.up.isfinite().all()):
            raise AdapterBroken(
                f"{path} holds NaN or infinite weights", hint="The training diverged; train again."
            )
        pairs[site] = pair
    return Adapter(pairs, plan.rank)


def _fuse(
    members: list[tuple[Part, Tensor, Tensor]], outputs: int, dtype: torch.dtype, device: str
) -> Pair:
    """Stack the parts of one site: the downs one under the other, the ups along a diagonal."""
    down = torch.cat([a for _, a, _ in members]).to(device, dtype)
    up = torch.zeros(outputs, down.shape[0], dtype=dtype, device=device)
    column = 0
    for part, a, b in members:
        rank = a.shape[0]
        up[part.offset : part.offset + part.outputs, column : column + rank] = b.to(device, dtype)
        column += rank
    return Pair(down, up)


def _refuse_unknown_options(folder: Path, config: AdapterConfig) -> None:
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
    for key, value in config.raw.items():
        if key not in _UNDERSTOOD and value not in _OFF:
            raise AdapterUnsupported(
                f"{folder}: the PEFT option {key} = {value!r} is not supported",
                hint="Merge it into a copy of the base model with PEFT's merge_and_unload.",
            )


def _copied(name: str, sites: Sites) -> str | None:
    """The name in the base model of the tensor that this one is a copy of, if it may be one."""
    match = _COPY.fullmatch(name)
    if match is None or ".lora_" in name:
        return None
    return sites.weights.get(f"{match['module']}.{match['side']}")


def _check_copy(path: Path, name: str, saved: Tensor, base: Tensor) -> None:
    if saved.shape != base.shape or not torch.equal(saved.to(base.dtype), base):
        raise AdapterUnsupported(
            f"{path}: {name!r} differs from the base model's own",
            hint="Fully trained or resized embeddings and heads are not supported.",
        )


def _modules(path: Path, names: Sequence[str], sites: Sites) -> dict[str, tuple[str, str]]:
    sides: dict[str, dict[str, str]] = {}
    for name in names:
        match = _KEY.fullmatch(name)
        if match is None:
            raise AdapterUnsupported(
                f"{path}: the tensor {name!r} is not a LoRA matrix",
                hint="Fully trained layers, DoRA and biases are not supported.",
            )
        if match["module"] not in sites.parts:
            raise AdapterUnsupported(
                f"{path}: the base model has no linear layer {match['module']!r}",
                hint="Was the adapter trained on another base model?",
            )
        sides.setdefault(match["module"], {})[match["side"]] = name
    for module, found in sides.items():
        if len(found) != 2:
            missing = "B" if "A" in found else "A"
            raise AdapterBroken(f"{path}: lora_{missing} of {module} is missing")
    return {module: (found["A"], found["B"]) for module, found in sides.items()}


def _check_shapes(
    path: Path,
    header: Mapping[str, TensorEntry],
    module: str,
    keys: tuple[str, str],
    part: Part,
    config: AdapterConfig,
) -> int:
    """The rank at a module, if all shapes are as the base model and the configuration say."""
    rank = config.rank_of(module)
    wanted = ((rank, part.inputs), (part.outputs, rank))
    for key, shape in zip(keys, wanted, strict=True):
        if header[key].shape != shape:
            raise AdapterBroken(
                f"{path}: {key!r} has the shape {list(header[key].shape)}, not {list(shape)}",
                hint="Either the base model is another one, or adapter_config.json was changed.",
            )
        if header[key].dtype not in ("F32", "F16", "BF16"):
            raise AdapterUnsupported(f"{path}: {key!r} has the type {header[key].dtype}")
    return rank
