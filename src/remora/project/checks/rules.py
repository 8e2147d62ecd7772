"""What `remora check` can find, in one table: docs/checks.md is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error is not served; a warning is, perhaps not as it was trained; a note is news."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that may be wrong: what it means, and what to do about it."""

    code: str
    severity: Severity
    meaning: str
    fix: str


_COPY_AGAIN = "Copy or download the file again."
_OTHER_BASE = "Serve the adapter with the base model that it was trained on."
_SAVE_AGAIN = "Save the adapter again with PEFT's `save_pretrained`."

BASE_CONFIG = Rule(
    "base-config",
    Severity.ERROR,
    "The base model has no readable `config.json`.",
    "A base model is a Hugging Face folder: config.json, tokenizer.json, *.safetensors.",
)
BASE_ARCHITECTURE = Rule(
    "base-architecture",
    Severity.WARNING,
    "Remora's own decoder does not run the base model's architecture: transformers' code does, if"
    " it knows it, and slower.",
    "`pip install 'remora-serve[transformers]'` installs it.",
)
BASE_WEIGHTS = Rule(
    "base-weights",
    Severity.ERROR,
    "A file of the base model's weights is missing, truncated or damaged.",
    _COPY_AGAIN,
)
BASE_LAYERS = Rule(
    "base-layers",
    Severity.ERROR,
    "The weights hold fewer layers than `config.json` says.",
    "Take config.json and the weights from the same model.",
)
BASE_TOKENIZER = Rule(
    "base-tokenizer",
    Severity.ERROR,
    "The base model has no readable `tokenizer.json`.",
    "transformers' `AutoTokenizer.from_pretrained(…).save_pretrained(…)` writes it.",
)
BASE_VOCABULARY = Rule(
    "base-vocabulary",
    Severity.WARNING,
    "The tokenizer has tokens for which the base model has no embedding.",
    "Take the tokenizer and the weights from the same model.",
)
BASE_ENDING = Rule(
    "base-ending",
    Severity.WARNING,
    "Nothing says which token ends an answer, so that answers end at `max_tokens` alone.",
    "Name an `eos_token` in tokenizer_config.json.",
)
BASE_TEMPLATE = Rule(
    "base-template",
    Severity.NOTE,
    "The base model has no chat template: chat requests for it are refused.",
    "Use /v1/completions, or put a chat_template.jinja into its folder.",
)
LEFT_OUT = Rule(
    "left-out",
    Severity.NOTE,
    "Something in the project is not served.",
    "Name it in remora.toml if it should be.",
)
ADAPTER_CONFIG = Rule(
    "adapter-config",
    Severity.ERROR,
    "The adapter has no readable `adapter_config.json`.",
    _SAVE_AGAIN,
)
ADAPTER_WEIGHTS = Rule(
    "adapter-weights",
    Severity.ERROR,
    "`adapter_model.safetensors` is missing, truncated, damaged, or holds no LoRA weights.",
    f"{_SAVE_AGAIN} Remora reads safetensors only.",
)
PEFT_TYPE = Rule(
    "peft-type",
    Severity.ERROR,
    "The adapter is of another kind than LoRA.",
    "Train a LoRA adapter, or merge this one into a copy of the base model.",
)
BASE_NAME = Rule(
    "base-name",
    Severity.WARNING,
    "The adapter names another base model than the one it is served with.",
    f"{_OTHER_BASE} If it is the same under another name, nothing is wrong.",
)
QUANTIZED_BASE = Rule(
    "quantized-base",
    Severity.NOTE,
    "The adapter was trained on a quantized copy of the base model (QLoRA).",
    "Answers may differ a little from training. Compare them on your own examples.",
)
ARCHITECTURE = Rule(
    "architecture",
    Severity.WARNING,
    "The adapter was trained on a model of another architecture.",
    _OTHER_BASE,
)
LAYERS = Rule(
    "layers",
    Severity.ERROR,
    "The adapter changes layers that the base model does not have.",
    _OTHER_BASE,
)
UNEXPECTED_KEY = Rule(
    "unexpected-key",
    Severity.ERROR,
    "The adapter holds tensors that belong to nothing in the base model.",
    _OTHER_BASE,
)
MISSING_KEY = Rule(
    "missing-key",
    Severity.ERROR,
    "One of a module's two LoRA matrices is missing.",
    _SAVE_AGAIN,
)
MISSING_MODULE = Rule(
    "missing-module",
    Severity.WARNING,
    "`target_modules` names modules for which the adapter holds no weights.",
    "Was it saved from all processes of the training? Save it again.",
)
SHAPE = Rule(
    "shape",
    Severity.ERROR,
    "A LoRA matrix does not fit the base model's layer.",
    _OTHER_BASE,
)
RANK = Rule(
    "rank",
    Severity.ERROR,
    "The rank of a matrix is not that of its partner, or not the configuration's.",
    "Restore `r` and `rank_pattern` in adapter_config.json as they were in training.",
)
RANK_LIMIT = Rule(
    "rank-limit",
    Severity.ERROR,
    "The adapter's rank exceeds the limit.",
    "Raise max_lora_rank in the [engine] table of remora.toml.",
)
NOT_FINITE = Rule(
    "not-finite",
    Severity.ERROR,
    "The adapter holds NaN or infinite weights.",
    "The training diverged; train again with a lower learning rate.",
)
NO_EFFECT = Rule(
    "no-effect",
    Severity.ERROR,
    "Every LoRA product is zero: the adapter changes nothing.",
    "It was saved before it was trained, or its training never ran. Train it.",
)
ZERO_B = Rule(
    "zero-b",
    Severity.WARNING,
    "Some LoRA products are zero: the adapter changes nothing there.",
    "Were these modules frozen in training? If not, train again.",
)
VOCABULARY = Rule(
    "vocabulary",
    Severity.ERROR,
    "The adapter's tokenizer has tokens for which there is no embedding.",
    "Save the adapter with its embeddings (`save_embedding_layers=True`).",
)
EMBEDDINGS = Rule(
    "embeddings",
    Severity.NOTE,
    "The adapter brings embeddings or a head of another number of tokens than the base model's.",
    "Keep the adapter's tokenizer in its folder, so that they are reached.",
)
MISSING_TOKENS = Rule(
    "missing-tokens",
    Severity.WARNING,
    "The adapter's files name tokens that its vocabulary lacks: they are read as ordinary text.",
    "Put the tokenizer of the training (tokenizer.json) into the adapter's folder.",
)
OWN_TOKENIZER = Rule(
    "own-tokenizer",
    Severity.NOTE,
    "The adapter has a tokenizer of its own, and is served with it.",
    "Nothing, if it is that of the training.",
)
OWN_TEMPLATE = Rule(
    "own-template",
    Severity.NOTE,
    "The adapter has a chat template of its own, other than the base's, and is served with it.",
    "Nothing, if it is that of the training.",
)
PROMPT_TEMPLATE = Rule(
    "prompt-template",
    Severity.NOTE,
    "The adapter's prompts are made with a prompt template of the project, in the place of a chat"
    " template.",
    "If it is not that of the training, set `prompt_template` in remora.toml.",
)
PRECISION = Rule(
    "precision",
    Severity.NOTE,
    "The adapter was saved in a more precise type than it is served in.",
    "If answers differ from training, serve with a more precise `dtype`.",
)
PRECISION_RANGE = Rule(
    "precision-range",
    Severity.WARNING,
    "The model is served in float16, and was trained in a type that holds larger numbers.",
    "Serve with dtype bfloat16 or float32.",
)
