"""Every row gets its own adapter's part, whatever is stacked at that moment."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
import torch

from remora.kernels.linear import pack
from remora.lora import batch
from remora.lora.adapter import Adapter
from remora.lora.batch import LoraBatcher
from remora.lora.stack import Stack
from remora.lora.update import Update

IN, OUT, SITES = 12, 20, 3


def adapter(seed: int) -> Adapter:
    """Some with DoRA's gains, some with biases, some without low-rank matrices at a site."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    def update(site: int) -> Update | None:
        if (seed + site) % 4 == 0:
            return None
        rank = 0 if (seed + site) % 5 == 0 else 2 + seed % 3
        gain = 1 + draw(OUT) / 4 if seed % 3 == 1 else None
        shift = draw(OUT) if seed % 4 > 1 or rank == 0 else None
        return Update(draw(rank, IN), draw(OUT, rank), gain, shift)

    return Adapter([update(site) for site in range(SITES)], 4)


def check(
    batcher: LoraBatcher,
    decodes: Sequence[Adapter | None],
    prefills: Sequence[tuple[int, Adapter | None]] = (),
) -> None:
    """Plan a step of these rows and ranges, and compare its outcome row by row."""
    ranges: list[tuple[slice, Adapter | None]] = []
    owners = list(decodes)
    for count, owner in prefills:
        ranges.append((slice(len(owners), len(owners) + count), owner))
        owners += [owner] * count
    step = batcher.plan(decodes, ranges)
    assert (step is None) == all(owner is None for owner in owners)
    if step is None:
        return
    weight = torch.randn(OUT, IN)
    linear = pack(weight)
    for site in range(SITES):
        x, residual = torch.randn(len(owners), IN), torch.randn(len(owners), OUT)
        wanted = x @ weight.T
        for row, owner in enumerate(owners):
            if owner is not None and (update := owner.updates[site]) is not None:
                if update.gain is not None:
                    wanted[row] *= update.gain
                if update.shift is not None:
                    wanted[row] += update.shift
                wanted[row] += update.up @ (update.down @ x[row])
        torch.testing.assert_close(step.run(site, linear, x), wanted, atol=1e-4, rtol=1e-4)
        got = step.run(site, linear, x, residual.clone())
        torch.testing.assert_close(got, wanted + residual, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("stacks", [True, False])
def test_each_row_gets_its_own_in_any_mix(stacks: bool) -> None:
    dice = random.Random(1)
    known = [adapter(seed) for seed in range(12)]
    batcher = LoraBatcher(stacks=stacks)
    for turn in range(40):
        if turn % 7 == 0:
            batcher.forget(dice.choice(known))
        decodes = dice.choices([None, *known], k=dice.randint(0, 7))
        prefills = [(dice.randint(1, 4), dice.choice([None, *known])) for _ in range(turn % 3)]
        for _ in range(dice.choice([1, 2, 25])):
            check(batcher, decodes, prefills)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many adapters each stack has that was begun."""
    sizes: list[int] = []

    def count(adapters: Sequence[Adapter]) -> Stack:
        sizes.append(len(adapters))
        return Stack(adapters)

    monkeypatch.setattr(batch, "Stack", count)
    return sizes


def test_a_mix_that_stays_is_stacked_once(built: list[int]) -> None:
    batcher = LoraBatcher()
    mix = [adapter(seed) for seed in range(4)]
    for _ in range(100):
        check(batcher, mix)
    assert built == [4]


def test_what_comes_and_goes_is_not_worth_a_stack(built: list[int]) -> None:
    batcher = LoraBatcher()
    stay = [adapter(seed) for seed in range(4)]
    for _ in range(20):
        check(batcher, stay)
    for seed in range(10, 14):
        guest = adapter(seed)
        for _ in range(9):
            check(batcher, [*stay, guest])
    assert len(built) <= 2


def test_without_stacks_nothing_is_built(built: list[int]) -> None:
    batcher = LoraBatcher(stacks=False)
    for _ in range(50):
        check(batcher, [adapter(1), adapter(2)])
    assert built == []
