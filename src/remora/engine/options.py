"""The engine's settings, free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Dtype = Literal["auto", "bfloat16", "float16", "float32"]
Device = Literal["auto", "cpu", "cuda"]
RuntimeName = Literal["remora", "transformers"]
"""Whose modeling code computes: the decoder of `remora.engine`, or transformers'."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What a user may tune. ``None`` means: chosen for the machine and the model at start.

    ``context_length`` [tokens] caps prompt and answer together. ``kv_cache_tokens`` is the size
    of the KV cache of all requests together. ``max_batch_size`` requests run at once,
    ``max_queue`` more may wait. ``prefill_chunk`` [tokens] bounds the prompt tokens of one step,
    and so how long a running stream waits for a newcomer's prompt. ``max_resident_adapters``
    are kept in memory; the others wait on disk. ``max_lora_rank`` refuses larger adapters.
    ``threads`` is the number of CPU threads of one step. ``trust_remote_code`` lets a model that
    brings Python code of its own run it.
    """

    dtype: Dtype = "auto"
    device: Device = "auto"
    context_length: int | None = None
    kv_cache_tokens: int | None = None
    max_batch_size: int = 32
    max_queue: int = 256
    prefill_chunk: int | None = None
    prefix_cache: bool = True
    max_resident_adapters: int = 64
    max_lora_rank: int = 256
    threads: int | None = None
    trust_remote_code: bool = False
