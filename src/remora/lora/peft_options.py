"""Which options of PEFT's LoraConfig Remora computes, and why it refuses the others.

An option that changes what an adapter computes, and that is not known here, is refused by name: an
adapter is served right or not at all. Source: https://huggingface.co/docs/peft/package_reference/lora.
"""

from __future__ import annotations

from pathlib import Path

from remora.errors import AdapterUnsupported
from remora.formats.adapter_config import SERVED_TYPES, AdapterConfig

# Options that are computed, or that matter in training only. The layers that an adapter touches
# are those that its file has matrices for, so what chose them in training needs no second look;
# and ``fan_in_fan_out`` is about how the base stores its weights, which the decoder knows itself.
_UNDERSTOOD = frozenset(
    (
        "alpha_pattern",
        "auto_mapping",
        "base_model_name_or_path",
        "bias",
        "corda_config",
        "ensure_weight_tying",
        "eva_config",
        "exclude_modules",
        "fan_in_fan_out",
        "inference_mode",
        "init_lora_weights",
        "init_weights",
        "layers_pattern",
        "layers_to_transform",
        "loftq_config",
        "lora_alpha",
        "lora_bias",
        "lora_dropout",
        "lora_ga_config",
        "megatron_config",
        "megatron_core",
        "merge_weights",
        "modules_to_save",
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
        "token_indices",
        "trainable_token_indices",
        "use_dora",
        "use_rslora",
        "velora_config",
    )
)
_OFF: tuple[object, ...] = (None, False, "none", [], {}, ())
_REASONS = {
    "alora_invocation_tokens": "the adapter acts only behind its invocation tokens (aLoRA)",
    "arrow_config": "it routes each token to several adapters",
    "kasa_config": "it truncates the base model's weights (KaSA)",
    "layer_replication": "it builds another model of the base's layers",
    "monteclora_config": "it samples around the adapter (MonteCLoRA)",
    "target_parameters": "it changes parameters that are no linear layers",
    "use_bdlora": "its matrices are block-diagonal (BD-LoRA)",
    "use_qalora": "it pools its input for a quantized base (QA-LoRA)",
}
# Other ways of initialising change the base model's weights, which the adapter then relies on.
_PLAIN_INITS = (True, False, None, "gaussian", "eva", "orthogonal", "mica")


def refuse_unknown_options(folder: Path, config: AdapterConfig) -> None:
    """Raise `AdapterUnsupported`, naming the option, unless all that matters is computed."""
    if config.peft_type not in SERVED_TYPES:
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
            reason = f": {_REASONS[key]}" if key in _REASONS else ""
            raise AdapterUnsupported(
                f"{folder}: the PEFT option {key} = {value!r} is not supported{reason}",
                hint="Merge it into a copy of the base model with PEFT's merge_and_unload.",
            )
