"""The training loop that the base and the adapters share."""

import time
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional
from torch.optim import Optimizer
from transformers import LlamaForCausalLM

from .packing import IGNORE, Batch


def schedule(step: int, steps: int, warmup: int = 20) -> float:
    """Warm up, stay, and go down to nothing over the last half."""
    rise = min(1.0, (step + 1) / warmup)
    return rise * min(1.0, (steps - step) / (0.5 * steps))


def precision() -> torch.dtype:
    """bfloat16 where the processor has instructions for it; elsewhere it would be slower."""
    able = torch.cpu.get_capabilities()
    fast = any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "arm_bf16", "bf16"))
    return torch.bfloat16 if fast else torch.float32


def loss_of(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """Cross entropy at the positions that carry a label."""
    ids, labels = batch
    half = precision()
    with torch.autocast("cpu", half, enabled=half != torch.float32):
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
        wanted = labels[:, 1:]
        chosen = wanted != IGNORE
        logits = model.lm_head(hidden[chosen])
    return functional.cross_entropy(logits.float(), wanted[chosen])


def fit(
    name: str,
    model: LlamaForCausalLM,
    optimizers: Sequence[Optimizer],
    batch: Callable[[float], Batch],
    steps: int,
) -> None:
    """Train for a number of steps; `batch` is given the share of them already done."""
    peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    parameters = [p for p in model.parameters() if p.requires_grad]
    start, mean = time.perf_counter(), 0.0
    model.train()
    for step in range(steps):
        loss = loss_of(model, batch(step / steps))
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            for group, rate in zip(optimizer.param_groups, peak, strict=True):
                group["lr"] = rate * schedule(step, steps)
            optimizer.step()
            optimizer.zero_grad()
        mean = loss.item() if step == 0 else 0.9 * mean + 0.1 * loss.item()
        if step % 50 == 49 or step == steps - 1:
            spent = time.perf_counter() - start
            print(f"{name}: step {step + 1}/{steps}, loss {mean:.3f}, {spent:.0f} s", flush=True)
    model.eval()
