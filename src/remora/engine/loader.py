"""Loads a model's folder into an engine: on Remora's own decoder, or else on transformers'."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from remora.engine.assembly import LoadedEngine, assemble
from remora.engine.decoder_runtime import load_decoder_runtime
from remora.engine.model_config import read_model_config
from remora.engine.options import EngineOptions
from remora.engine.threads import use_threads
from remora.engine.tokenizer_pool import TokenizerPool
from remora.errors import UnsupportedModel
from remora.formats.prompt_template import PromptTemplate
from remora.kernels.lean_torch import complete_torch


def load_engine(
    folder: Path,
    options: EngineOptions,
    on_progress: Callable[[str, float], None],
    inspect: Callable[[Path], None] | None = None,
    prompts: Mapping[Path, PromptTemplate] | None = None,
    merge: Path | None = None,
) -> LoadedEngine:
    """Read a base model and prepare to serve it; reports what it does and how far it is (0 to 1).

    ``inspect`` is called with every adapter's folder first, and may raise `AdapterError`.
    ``prompts`` are the prompt templates of those folders that have one. An adapter to ``merge``
    becomes a part of the base model, and no other can then be served.

    Raises `ModelError`, or `ConfigError` for settings that this machine or model can't meet.
    """
    if merge is not None and inspect is not None:
        inspect(merge)
    on_progress("reading the configuration", 0.0)
    threads = use_threads(options.threads)
    try:
        config = read_model_config(folder)
    except UnsupportedModel as error:
        return _load_other(error, folder, options, threads, on_progress, inspect, prompts, merge)
    # Reading weights leaves Python's lock to others, and a large vocabulary takes a while.
    with ThreadPoolExecutor(1, "remora-tokenizer") as executor:
        pool = executor.submit(TokenizerPool, folder, config.eos_ids, prompts)
        runtime = load_decoder_runtime(folder, config, options, threads, on_progress, merge)
        tokenizers = pool.result()
    tokenizer = tokenizers.base if merge is None else tokenizers.of(merge)
    return assemble(runtime, tokenizers, tokenizer, options, threads, inspect)


def _load_other(
    error: UnsupportedModel,
    folder: Path,
    options: EngineOptions,
    threads: int,
    on_progress: Callable[[str, float], None],
    inspect: Callable[[Path], None] | None,
    prompts: Mapping[Path, PromptTemplate] | None,
    merge: Path | None,
) -> LoadedEngine:
    """An engine for a model that Remora's own decoder does not run, for the reason given."""
    missing = [name for name in ("transformers", "peft") if not importlib.util.find_spec(name)]
    if missing:
        raise UnsupportedModel(
            f"{error}; transformers' code may, but {' and '.join(missing)} can't be imported",
            hint="Install it with `pip install 'remora-serve[transformers]'`.",
        ) from error
    complete_torch()
    from remora.engine.transformers.runtime import load_transformers_runtime

    runtime = load_transformers_runtime(folder, options, on_progress, merge)
    tokenizers = TokenizerPool(folder, runtime.model.endings, prompts)
    tokenizer = tokenizers.base if merge is None else tokenizers.of(merge)
    return assemble(runtime, tokenizers, tokenizer, options, threads, inspect)
