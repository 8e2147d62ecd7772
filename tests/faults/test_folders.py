"""Files that arrive broken: what they are of is refused with the reason, all else goes on."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from torch import Tensor

from remora.backends.backend import ModelCard, ModelState, Phase
from remora.backends.engine_backend import EngineBackend
from tests.engine.tiny import Tiny, ask, greedy, start

WEIGHTS = "adapter_model.safetensors"


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def swapped(data: bytes) -> bytes:
    """The length of the header as a big-endian machine would write it."""
    return data[:8][::-1] + data[8:]


def bomb(data: bytes) -> bytes:
    """A header of so many brackets that parsing it naively overflows the stack."""
    header = b"[" * 1_000_000
    return len(header).to_bytes(8, "little") + header + data


def overlapping(data: bytes) -> bytes:
    """All tensors begin where the first does."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    for entry in header.values():
        if "data_offsets" in entry:
            start, stop = entry["data_offsets"]
            entry["data_offsets"] = [0, stop - start]
    raw = json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + data[8 + length :]


def weights(folder: Path, change: Callable[[str, Tensor], Tensor]) -> None:
    tensors = load_file(folder / WEIGHTS)
    save_file({name: change(name, tensor) for name, tensor in tensors.items()}, folder / WEIGHTS)


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def out_of_the_way(path: Path) -> None:
    path.unlink()
    path.mkdir()


ADAPTERS: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda f: rewrite(f / WEIGHTS, lambda data: data[:-7]), "truncated"),
    "cut in the header": (lambda f: rewrite(f / WEIGHTS, lambda data: data[:50]), "truncated"),
    "empty": (lambda f: rewrite(f / WEIGHTS, lambda _: b""), "too short"),
    "big endian": (lambda f: rewrite(f / WEIGHTS, swapped), "claims"),
    "bomb": (lambda f: rewrite(f / WEIGHTS, bomb), "not JSON"),
    "overlapping": (lambda f: rewrite(f / WEIGHTS, overlapping), "bytes for|overlaps"),
    "not a number": (lambda f: weights(f, lambda n, t: t * float("nan")), "NaN"),
    "without effect": (lambda f: weights(f, lambda n, t: t * ("lora_A" in n)), "no effect|zero"),
    "a pickle": (lambda f: (f / WEIGHTS).rename(f / "adapter_model.bin"), "safetensors"),
    "a loop": (lambda f: loop(f / WEIGHTS), WEIGHTS),
    "a folder for a file": (lambda f: out_of_the_way(f / WEIGHTS), WEIGHTS),
    "no configuration": (lambda f: (f / "adapter_config.json").unlink(), "adapter_config.json"),
    "a configuration of bytes": (
        lambda f: rewrite(f / "adapter_config.json", lambda _: b"\xff\xfe"), "adapter_config.json",
    ),
    "gone": (shutil.rmtree, "adapter_config.json|not exist|no such|not a folder"),
}  # fmt: skip
BASES: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda f: rewrite(shard(f), lambda data: data[:-7]), "truncated"),
    "big endian": (lambda f: rewrite(shard(f), swapped), "claims"),
    "bomb": (lambda f: rewrite(shard(f), bomb), "not JSON"),
    "overlapping": (lambda f: rewrite(shard(f), overlapping), "bytes for|overlaps"),
    "no weights": (lambda f: (shard(f)).unlink(), "safetensors"),
    "a loop": (lambda f: loop(shard(f)), "safetensors"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json"),
    "no configuration": (lambda f: (f / "config.json").unlink(), "config.json"),
    "half a configuration": (
        lambda f: rewrite(f / "config.json", lambda data: data[:40]), "config.json",
    ),
    "layers that are not there": (
        lambda f: rewrite(
            f / "config.json",
            lambda data: json.dumps({**json.loads(data), "num_hidden_layers": 99}).encode(),
        ),
        r"layers\.\d+",
    ),
}  # fmt: skip


def shard(folder: Path) -> Path:
    """The file with the most tensors."""
    return max(folder.glob("*.safetensors"), key=lambda path: len(load_file(path)))


def apply(fault: Callable[[Path], object], folder: Path) -> Path:
    try:
        fault(folder)
    except OSError:
        pytest.skip("this system makes no symbolic links")
    return folder


@pytest.fixture(scope="module")
def shelf(tiny: Callable[[str], Tiny], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every broken adapter, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("broken")
    for name, (fault, _) in ADAPTERS.items():
        apply(fault, Path(shutil.copytree(tiny("llama2").adapters["all"], folder / name)))
    return folder


@pytest.fixture(scope="module")
def backend(tiny: Callable[[str], Tiny], shelf: Path) -> Iterator[EngineBackend]:
    model = tiny("llama2")
    names = {name.replace(" ", "-"): shelf / name for name in ADAPTERS}
    running = start(model.base, {**names, "sound": model.adapters["attention"]})
    assert running.status().phase is Phase.READY
    yield running
    asyncio.run(running.close())


def card(backend: EngineBackend, name: str) -> ModelCard:
    return next(card for card in backend.models() if card.id == name)


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_broken_adapter_is_listed_with_the_reason_and_others_are_served(
    name: str, backend: EngineBackend, tiny: Callable[[str], Tiny]
) -> None:
    known = name.replace(" ", "-")

    async def use() -> list[int]:
        with pytest.raises(Exception) as refused:  # noqa: PT011 - the reason is checked below
            await ask(backend, known, [1, 5, 9], greedy(4))
        assert str(refused.value)
        return (await ask(backend, "sound", [1, 5, 9], greedy(4))).tokens

    answer = asyncio.run(use())
    found = card(backend, known)
    assert found.state is ModelState.FAILED
    assert found.reason is not None
    assert re.search(ADAPTERS[name][1], found.reason), found.reason
    tiny("llama2").expect("attention", [1, 5, 9], answer)


@pytest.mark.parametrize("name", BASES)
def test_a_broken_base_is_refused_with_the_reason(
    name: str, tiny: Callable[[str], Tiny], tmp_path: Path
) -> None:
    fault, reason = BASES[name]
    base = apply(fault, Path(shutil.copytree(tiny("llama2").base, tmp_path / "base")))
    backend = start(base, {})
    status = backend.status()
    assert status.phase is Phase.FAILED
    assert re.search(reason, status.detail), status.detail
    assert str(base) in status.detail
    asyncio.run(backend.close())


def test_an_adapter_that_changes_while_it_loads_is_not_served_by_halves(
    tiny: Callable[[str], Tiny], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny("llama2").adapters["all"], tmp_path / "one"))
    other = tiny("llama2").adapters["attention"]
    # The other one takes the only place, so that none but the request loads this one.
    adapters = {"other": other, "one": folder}
    backend = start(tiny("llama2").base, adapters, max_resident_adapters=1)
    for file in (WEIGHTS, "adapter_config.json"):
        Path(shutil.copy(other / file, tmp_path / file)).replace(folder / file)

    async def use() -> None:
        with pytest.raises(Exception, match="changed"):
            await ask(backend, "one", [1, 5, 9], greedy(4))
        await backend.close()

    asyncio.run(use())
    assert card(backend, "one").state is ModelState.FAILED
