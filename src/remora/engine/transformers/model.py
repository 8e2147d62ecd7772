"""A causal language model on transformers' modeling code: one pass over one sequence at a time."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from remora.engine.transformers.adapters import PeftAdapter, PeftAdapters
from remora.errors import ModelError, UnsupportedModel

_POSITION_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
_POSITIONS = 2048  # Of a model whose configuration sets no limit.
_NEEDED = "Remora serves causal transformers with a cache of keys and values."
_TRIAL = 8  # Tokens of the pass that tries a model out.
_TRIAL_PIECES = (3, 4, 1)


class CausalModel:
    """A model, its adapters, and what a sequence's cache looks like.

    ``max_positions``: the most tokens of a sequence; ``bytes_per_token``: those of a token's keys
    and values. Only the engine's thread may call it once the engine runs.
    """

    def __init__(self, model: Any, folder: Path, device: str) -> None:
        """Raises `UnsupportedModel` if the model can't go on from what it has computed."""
        self._model = model
        self._folder = folder
        self._device = device
        config = model.config.get_text_config(decoder=True)
        self.vocab = int(model.get_output_embeddings().weight.shape[0])
        self.max_positions, self.is_limited = _positions(config)
        self.endings = _endings(model)
        self.adapters = PeftAdapters(model)
        known = inspect.signature(model.forward).parameters
        self._keeps = "logits_to_keep" in known
        # What models take is renamed one after the other, and the old name warns.
        self._cache = "cache" if "cache" in known else "past_key_values"
        self.bytes_per_token = self._try_out()

    def new_cache(self) -> Any:
        """An empty cache of one sequence's keys and values."""
        return transformers.DynamicCache(config=self._model.config)

    def forward(
        self, tokens: Sequence[int], cache: Any, adapter: PeftAdapter | None, *, keep: int
    ) -> Tensor:
        """Scores [keep, vocab] in float32 after the last tokens of those that follow a cache's."""
        self.adapters.select(adapter)
        ids = torch.tensor([list(tokens)], device=self._device)
        seen = cache.get_seq_length()
        mask = torch.ones(1, seen + len(tokens), dtype=torch.long, device=self._device)
        options = {self._cache: cache} | ({"logits_to_keep": keep} if self._keeps else {})
        output = self._model(input_ids=ids, attention_mask=mask, use_cache=True, **options)
        scores: Tensor = output.logits[0, -keep:].float()
        return scores

    @torch.inference_mode()
    def _try_out(self) -> int:
        """The bytes that a token takes in the cache.

        In pieces a text must get the scores that it gets as a whole: the engine reads prompts in
        pieces and answers token by token. A model with a state of another kind, or one that looks
        ahead, would go wrong without a word.
        """
        tokens = [(7 * place + 11) % self.vocab for place in range(_TRIAL)]
        cache = self.new_cache()
        whole = self.forward(tokens, cache, None, keep=_TRIAL)
        pieces, other, begin = [], self.new_cache(), 0
        for count in _TRIAL_PIECES:
            pieces.append(self.forward(tokens[begin : begin + count], other, None, keep=count))
            begin += count
        held = [t for layer in cache.layers for t in (layer.keys, layer.values)]
        size = sum(int(tensor.nbytes) for tensor in held)
        # Half precision, and experts that it chooses otherwise, move scores a little; a model that
        # has forgotten what came before moves them as far as they differ among themselves.
        spread = whole.std()
        difference = (torch.cat(pieces) - whole).square().mean().sqrt()
        if not size or difference > spread / 4:
            raise UnsupportedModel(
                f"{self._folder}: this model can't go on from the keys and values of a prompt",
                hint=_NEEDED,
            )
        return size // _TRIAL


def load_model(
    folder: Path,
    dtype: torch.dtype,
    device: str,
    *,
    trust_remote_code: bool,
    prepare: Callable[[Any], None] | None = None,
) -> CausalModel:
    """Read a model's folder, safetensors only. Raises `ModelError`.

    ``prepare`` may change the model's weights, in float32, before they are rounded to ``dtype``.
    """
    _refuse_remote_code(folder, trusted=trust_remote_code)
    transformers.utils.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, report = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=torch.float32 if prepare else dtype,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=trust_remote_code,
                output_loading_info=True,
            )
    except Exception as error:  # Whatever modeling code raises.
        raise UnsupportedModel(
            f"{folder}: transformers {transformers.__version__} can't load this model: {error}",
            hint="A causal language model is needed, in safetensors; a newer transformers may"
            " know it.",
        ) from error
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"{folder}: the weights lack {missing[0]!r}"
            + (f" and {len(missing) - 1} more" if missing[1:] else ""),
            hint="Copy the model again; a file may be missing.",
        )
    if prepare is not None:
        prepare(model)
        for parameter in model.parameters():
            parameter.data = parameter.data.to(dtype)
    try:
        return CausalModel(model.to(device).eval(), folder, device)
    except UnsupportedModel:
        raise
    except Exception as error:  # Whatever modeling code raises.
        raise UnsupportedModel(
            f"{folder}: this model fails where the engine tries it out: {error!r}", hint=_NEEDED
        ) from error


def _refuse_remote_code(folder: Path, *, trusted: bool) -> None:
    raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    known = raw.get("model_type") in transformers.CONFIG_MAPPING
    if raw.get("auto_map") and not known and not trusted:
        raise UnsupportedModel(
            f"{folder}: this model needs Python code that comes with it, and running that is off",
            hint="If you trust its author, read the code, then use --trust-remote-code, or"
            " trust_remote_code = true in the [model] table of remora.toml.",
        )


def _positions(config: Any) -> tuple[int, bool]:
    """The longest sequence, and whether the model itself sets that limit."""
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") in ("dynamic", "longrope"):
        # Beyond the length of the training their older keys would have to be computed anew.
        trained = rope.get("original_max_position_embeddings")
        trained = trained or getattr(config, "original_max_position_embeddings", None)
        if trained:
            return int(trained), True
    named = (getattr(config, key, None) for key in _POSITION_KEYS)
    limit = next((value for value in named if isinstance(value, int) and value > 0), None)
    return limit or _POSITIONS, limit is not None


def _endings(model: Any) -> tuple[int, ...]:
    ids: list[int] = []
    for source in (model.generation_config, model.config.get_text_config(decoder=True)):
        value = getattr(source, "eos_token_id", None)
        ids += [value] if isinstance(value, int) else list(value or [])
    return tuple(dict.fromkeys(ids))
