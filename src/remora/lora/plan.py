"""What an adapter's folder holds, checked against a base model from the header alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from remora.errors import AdapterBroken, AdapterUnsupported
from remora.formats.adapter_config import WEIGHTS_FILE, AdapterConfig, read_adapter_config
from remora.formats.peft_keys import Role, parse_key
from remora.formats.safetensors_header import BrokenHeader, TensorEntry, read_header
from remora.lora.peft_options import refuse_unknown_options
from remora.lora.sites import Sites

_DTYPES = ("F32", "F16", "BF16")
_LORA = (Role.DOWN, Role.UP)
_EMBEDDING_LORA = (Role.EMBEDDING_DOWN, Role.EMBEDDING_UP)
_PAIRS = (*_LORA, *_EMBEDDING_LORA)
_LINEAR = frozenset((*_LORA, Role.UP_BIAS, Role.MAGNITUDE, Role.BIAS))
_HEAD = frozenset((*_LINEAR, Role.WEIGHT, Role.TOKENS))
_EMBEDDINGS = frozenset((*_EMBEDDING_LORA, Role.MAGNITUDE, Role.WEIGHT, Role.TOKENS))


@dataclass(frozen=True, slots=True)
class ModulePlan:
    """One module's tensors, by role; ``path`` is the adapter's own name of the module."""

    path: str
    tensors: Mapping[Role, str]
    rank: int

    def __contains__(self, role: Role) -> bool:
        return role in self.tensors


@dataclass(frozen=True, slots=True)
class AdapterPlan:
    """What there is to load, by the base model's module paths; ``rank`` is the largest.

    ``embedded`` and ``scored`` are the rows of the adapter's embeddings and of its head.
    """

    folder: Path
    config: AdapterConfig
    modules: Mapping[str, ModulePlan]
    rank: int
    embedded: int
    scored: int

    def scale_of(self, module: ModulePlan) -> float:
        """What B·A is multiplied by at a module; 1 where there is none."""
        return self.config.scale_of(module.path) if module.rank else 1.0


def plan_adapter(folder: Path, sites: Sites, *, max_rank: int) -> AdapterPlan:
    """Check an adapter against a model's sites without reading its weights.

    Raises `AdapterBroken` or `AdapterUnsupported`, naming the file and what is wrong in it.
    """
    config = read_adapter_config(folder)
    refuse_unknown_options(folder, config)
    path = folder / WEIGHTS_FILE
    header = _header(path)
    modules = _modules(path, header, config, sites)
    embedded, scored = _sizes(header, modules, sites)
    for name, module in modules.items():
        _check_roles(path, module, config)
        for role, shape in _shapes(module, name, sites, embedded, scored, config).items():
            _check_tensor(path, module.tensors[role], header, shape)
        trained = config.trained_tokens(module.path) if Role.TOKENS in module else ()
        if any(not 0 <= token < embedded for token in trained):
            raise AdapterBroken(f"{path}: a trained token's index exceeds the vocabulary")
    _check_saved(path, modules, config)
    rank = max((module.rank for module in modules.values()), default=0)
    if rank > max_rank:
        raise AdapterUnsupported(
            f"{path}: the rank {rank} exceeds the limit of {max_rank}",
            hint="Raise max_lora_rank in the [engine] table of remora.toml.",
        )
    return AdapterPlan(folder, config, modules, rank, embedded, scored)


def _header(path: Path) -> Mapping[str, TensorEntry]:
    try:
        return read_header(path)
    except BrokenHeader as error:
        raise AdapterBroken(str(error), hint="Copy the adapter again.") from error
    except OSError as error:
        raise AdapterBroken(
            f"{path} can't be read: {error.strerror}",
            hint="Remora reads safetensors only; save the adapter with PEFT's save_pretrained.",
        ) from error


def _modules(
    path: Path, header: Mapping[str, TensorEntry], config: AdapterConfig, sites: Sites
) -> dict[str, ModulePlan]:
    """The file's tensors, by the base model's modules."""
    found: dict[str, tuple[str, dict[Role, str]]] = {}
    for name in sorted(header):
        parsed = parse_key(name)
        if parsed is None:
            raise AdapterUnsupported(f"{path}: the tensor {name!r} is not a LoRA matrix")
        if parsed.role is Role.ORIGINAL:
            continue
        module = sites.find(parsed.module)
        if module is None:
            raise _no_such_module(path, name, parsed.module, parsed.role)
        allowed = (
            _EMBEDDINGS if module == sites.embeddings else _HEAD if module == "lm_head" else _LINEAR
        )
        if parsed.role not in allowed:
            raise AdapterUnsupported(
                f"{path}: the tensor {name!r} is not a LoRA matrix",
                hint="Of fully trained layers only the embeddings and the head are supported.",
            )
        found.setdefault(module, (parsed.module, {}))[1][parsed.role] = name
    if not found:
        raise AdapterBroken(f"{path} holds no LoRA weights")
    return {
        module: ModulePlan(
            own_path,
            tensors,
            rank=0 if tensors.keys().isdisjoint(_PAIRS) else config.rank_of(own_path),
        )
        for module, (own_path, tensors) in found.items()
    }


def _no_such_module(path: Path, name: str, module: str, role: Role) -> AdapterUnsupported:
    if role in (Role.WEIGHT, Role.BIAS):
        return AdapterUnsupported(
            f"{path}: {name!r} was trained in full, which is not supported",
            hint="Of fully trained layers only the embeddings and the head are.",
        )
    return AdapterUnsupported(
        f"{path}: the base model has no linear layer {module!r}",
        hint="Was the adapter trained on another base model?",
    )


def _sizes(
    header: Mapping[str, TensorEntry], modules: Mapping[str, ModulePlan], sites: Sites
) -> tuple[int, int]:
    """Rows of the adapter's embeddings and of its head."""

    def rows(module: str) -> int | None:
        plan = modules.get(module)
        if plan is None or Role.WEIGHT not in plan:
            return None
        shape = header[plan.tensors[Role.WEIGHT]].shape
        return shape[0] if shape else 0

    embedded, scored = rows(sites.embeddings), rows("lm_head")
    if sites.tied:  # A table that was resized was resized for both.
        embedded, scored = embedded or scored, scored or embedded
    return embedded or sites.vocab, scored or sites.vocab


def _check_roles(path: Path, module: ModulePlan, config: AdapterConfig) -> None:
    """Raise `AdapterBroken` unless a module's tensors are those that the configuration asks for."""
    for pair in (_LORA, _EMBEDDING_LORA):
        missing = [role for role in pair if role not in module]
        if len(missing) == 1:
            raise AdapterBroken(f"{path}: {missing[0]} of {module.path} is missing")
    wanted = {
        Role.MAGNITUDE: config.use_dora and module.rank > 0,
        Role.UP_BIAS: config.lora_bias and Role.UP in module,
    }
    for role, is_wanted in wanted.items():
        if is_wanted != (role in module):
            state = "is missing" if is_wanted else "is there, but not asked for"
            raise AdapterBroken(
                f"{path}: {role} of {module.path} {state}",
                hint="Was adapter_config.json (use_dora, lora_bias) changed?",
            )


def _check_saved(path: Path, modules: Mapping[str, ModulePlan], config: AdapterConfig) -> None:
    """Raise `AdapterBroken` if what was trained beside the matrices is not in the file."""
    for role, names in ((Role.WEIGHT, config.modules_to_save), (Role.TOKENS, config.token_indices)):
        saved = [module.path for module in modules.values() if role in module]
        for name in names:
            if not any(own_path.endswith(name) for own_path in saved):
                raise AdapterBroken(
                    f"{path}: the trained {role} of {name} is missing",
                    hint="adapter_config.json says that it was trained. Copy the adapter again.",
                )


def _shapes(
    module: ModulePlan,
    name: str,
    sites: Sites,
    embedded: int,
    scored: int,
    config: AdapterConfig,
) -> dict[Role, tuple[int, ...]]:
    """The shapes that a module's tensors must have."""
    rank, hidden = module.rank, sites.hidden
    if name == sites.embeddings:
        shapes: dict[Role, tuple[int, ...]] = {
            Role.EMBEDDING_DOWN: (rank, embedded),
            Role.EMBEDDING_UP: (hidden, rank),
            Role.MAGNITUDE: (hidden,),
            Role.WEIGHT: (embedded, hidden),
        }
    else:
        part = sites.parts[name]
        outputs = scored if name == "lm_head" else part.outputs
        shapes = {
            Role.DOWN: (rank, part.inputs),
            Role.UP: (outputs, rank),
            Role.UP_BIAS: (outputs,),
            Role.MAGNITUDE: (outputs,),
            Role.BIAS: (outputs,),
            Role.WEIGHT: (outputs, hidden),
        }
    shapes[Role.TOKENS] = (len(config.trained_tokens(module.path)), hidden)
    return {role: shapes[role] for role in module.tensors}


def _check_tensor(
    path: Path, name: str, header: Mapping[str, TensorEntry], shape: tuple[int, ...]
) -> None:
    entry = header[name]
    if entry.shape != shape:
        raise AdapterBroken(
            f"{path}: {name!r} has the shape {list(entry.shape)}, not {list(shape)}",
            hint="Either the base model is another one, or adapter_config.json was changed.",
        )
    if entry.dtype not in _DTYPES:
        raise AdapterUnsupported(f"{path}: {name!r} has the type {entry.dtype}")
