"""What does nothing, or nonsense, or not what it learned, is never served."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from remora.backends.backend import ModelCard, ModelState
from remora.backends.engine_backend import EngineBackend
from remora.engine.prover import PROMPT
from remora.errors import AdapterBroken, AdapterError, ModelNotFound
from tests.engine.tiny import ADAPTERS, Tiny, ask, greedy, prompt, serving, until_idle

Tinies = Callable[..., Tiny]
CHAT = [{"role": "user", "content": "hello"}]
CHAT_TEXT = "user:hello\nassistant:"


def ids_of(text: str) -> list[int]:
    """The tiny tokenizer has a token for each byte, in the order of GPT-2's alphabet."""
    from tokenizers import pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    [(pieces, _)] = pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False
    ).pre_tokenize_str(text)
    return [alphabet.index(piece) for piece in pieces]


def changed(source: Path, folder: Path, change: Callable[[str, torch.Tensor], Any]) -> Path:
    """A copy of an adapter with other weights."""
    shutil.copytree(source, folder)
    path = folder / "adapter_model.safetensors"
    weights = {name: change(name, weight) for name, weight in load_file(path).items()}
    path.unlink()
    save_file(weights, path)
    return folder


def without_effect(source: Path, folder: Path) -> Path:
    return changed(source, folder, lambda name, w: w * 0 if "lora_B" in name else w)


def overflowing(source: Path, folder: Path) -> Path:
    return changed(source, folder, lambda name, w: w * 1e25)


def silence(base: Path, tokens: list[int]) -> None:
    """Give a base tokens that say nothing, and that nothing is added to."""
    for shard in base.glob("*.safetensors"):
        weights = load_file(shard)
        shard.unlink()
        if "model.embed_tokens.weight" in weights:
            weights["model.embed_tokens.weight"][tokens] = 0
        save_file(weights, shard, metadata={"format": "pt"})


def overflow(base: Path) -> None:
    for shard in base.glob("*.safetensors"):
        weights = load_file(shard)
        shard.unlink()
        save_file({n: w * 1e38 if "down" in n else w for n, w in weights.items()}, shard)


def card(backend: EngineBackend, name: str) -> ModelCard:
    return next(card for card in backend.models() if card.id == name)


@pytest.mark.parametrize(
    ("spoil", "reason"), [(without_effect, "no effect"), (overflowing, "NaN or infinite")]
)
async def test_a_spoiled_adapter_is_never_served(
    tiny: Tinies, tmp_path: Path, spoil: Callable[[Path, Path], Path], reason: str
) -> None:
    model = tiny()
    folder = spoil(model.adapters["all"], tmp_path / "spoiled")
    adapters = {"good": model.adapters["all"], "known": folder}
    async with serving(model.base, adapters, kv_cache_tokens=2048) as backend:
        with pytest.raises(AdapterBroken, match=reason):
            await backend.add_adapter("added", folder, replace=False)
        with pytest.raises(ModelNotFound):
            await ask(backend, "added", [1], greedy(1))
        for _ in range(2):
            with pytest.raises(AdapterError, match=f"'known' can't be served: .*{reason}"):
                await ask(backend, "known", [1], greedy(1))
            failed = card(backend, "known")
            assert (failed.state, failed.probe) == (ModelState.FAILED, None)
            assert reason in str(failed.reason)
        with pytest.raises(AdapterBroken, match=reason):
            await backend.add_adapter("good", folder, replace=True)
        answer = await ask(backend, "good", prompt(20), greedy(10))
        model.expect("all", prompt(20), answer.tokens)
        await until_idle(backend)


async def test_a_base_that_overflows_is_not_an_adapters_fault(tiny: Tinies, tmp_path: Path) -> None:
    model = tiny()
    base = Path(shutil.copytree(model.base, tmp_path / "base"))
    overflow(base)
    async with serving(base, {"all": model.adapters["all"]}) as backend:
        with pytest.raises(AdapterError, match="base model's own scores"):
            await ask(backend, "all", [1], greedy(1))


@pytest.mark.parametrize("family", ["llama2", "qwen3"])
async def test_the_figures_are_the_oracles(tiny: Tinies, family: str) -> None:
    model = tiny(family)
    read = ids_of(PROMPT)[:2]
    answer = [*read[1:], 0]
    base = model.oracle.scores(None, read[:1], answer)
    async with serving(model.base, model.adapters) as backend:
        for name in ADAPTERS:
            await ask(backend, name, [1], greedy(1))
            probe = card(backend, name).probe
            assert probe is not None
            own = model.oracle.scores(name, read[:1], answer)
            difference = float((own - base).abs().max())
            assert probe.max_difference == pytest.approx(difference, rel=1e-3)
            kl = torch.nn.functional.kl_div(
                own.log_softmax(-1), base.log_softmax(-1), reduction="batchmean", log_target=True
            )
            assert probe.kl_divergence == pytest.approx(float(kl), rel=1e-3)
            assert probe.replay is None


async def test_few_tokens_without_effect_are_no_verdict(tiny: Tinies, tmp_path: Path) -> None:
    model = tiny()
    base = Path(shutil.copytree(model.base, tmp_path / "base"))
    silence(base, ids_of(PROMPT)[:2])
    async with serving(base, {"all": model.adapters["all"]}) as backend:
        await ask(backend, "all", [1], greedy(1))
        probe = card(backend, "all").probe
        assert probe is not None
        assert probe.max_difference > 0


class Trained:
    """An adapter's folder with lines of ``probe.jsonl``, and the truth of PEFT for them."""

    def __init__(self, model: Tiny, folder: Path) -> None:
        self.model = model
        self.folder = Path(shutil.copytree(model.adapters["all"], folder))
        self.lines: list[dict[str, Any]] = []

    def line(self, count: int = 12, **fields: Any) -> dict[str, Any]:
        """Add a line with the true greedy answer to ``prompt`` or the chat, and logprobs."""
        asked = ids_of(fields.get("prompt", CHAT_TEXT))
        answer: list[int] = []
        for _ in range(count):
            answer = [*answer, self.model.oracle.follow("all", asked, [*answer, 0])[-1]]
        line = {"tokens": answer, "logprobs": self.logprobs(asked, answer), **fields}
        self.lines.append(line)
        return line

    def logprobs(self, asked: list[int], answer: list[int]) -> list[float]:
        scores = self.model.oracle.scores("all", asked, answer).log_softmax(-1)
        true: list[float] = scores.gather(1, torch.tensor(answer)[:, None])[:, 0].tolist()
        return [min(value, 0.0) for value in true]

    async def add(self) -> ModelCard:
        text = "\n".join(json.dumps(line) for line in self.lines)
        (self.folder / "probe.jsonl").write_text(text, encoding="utf-8")
        async with serving(self.model.base, {}) as backend:
            return await backend.add_adapter("trained", self.folder, replace=False)


@pytest.fixture
def trained(tiny: Tinies, tmp_path: Path) -> Trained:
    return Trained(tiny(), tmp_path / "trained")


async def test_what_was_trained_is_reproduced(trained: Trained) -> None:
    trained.line(prompt="x" * 70)
    trained.line(count=40, messages=CHAT)
    other = trained.line(prompt="hé", greedy=False)
    other["tokens"][0] = 7
    other["logprobs"] = trained.logprobs(ids_of("hé"), other["tokens"])
    probe = (await trained.add()).probe
    assert probe is not None
    assert probe.warnings == ()
    replay = probe.replay
    assert replay is not None
    assert (replay.lines, replay.texts, replay.reproduced) == (3, 2, 2)
    assert replay.mean_skew is not None
    assert replay.max_skew is not None
    assert 0 <= replay.mean_skew <= replay.max_skew < 1e-3


async def test_another_answer_within_the_tolerance_is_a_warning(trained: Trained) -> None:
    line = trained.line(prompt="a question", tolerance=1000)
    line["tokens"][-1] = (line["tokens"][-1] + 1) % 256
    line["logprobs"][-1] -= 8
    probe = (await trained.add()).probe
    assert probe is not None
    assert probe.replay is not None
    assert probe.replay.reproduced == 0
    assert "line 1: at token 12 of the answer" in probe.warnings[0]
    assert probe.replay.max_skew is not None
    assert probe.replay.max_skew > 0.1


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ({"tokens": [1] * 12}, r"line 2: at token \d+ of the answer.* 0\.5 are tolerated"),
        ({"logprobs": [-9.0] * 12}, "line 2: the log-probabilities are off by .* in the mean"),
        ({"logprobs": [-9.0] * 11}, "line 2: 11 logprobs for an answer of 12 tokens"),
        ({"tokens": [1, 300], "logprobs": None}, "line 2: .*not in 0 to 299"),
        ({"prompt": "long" * 400}, "line 2: 1611 tokens are too many"),
        ({"unknown": 1}, "line 2: unknown: "),
    ],
)
async def test_what_is_not_as_trained_is_refused(
    trained: Trained, spoil: dict[str, Any], reason: str
) -> None:
    trained.line(prompt="first")
    line = trained.line(prompt="second")
    line |= spoil
    with pytest.raises(AdapterBroken, match=reason):
        await trained.add()


async def test_the_documentation_writes_what_is_replayed(tiny: Tinies, tmp_path: Path) -> None:
    import peft
    from transformers import PreTrainedTokenizerFast

    from tests.engine import oracle

    model = tiny()
    page = (Path(__file__).parents[2] / "docs" / "proof.md").read_text("utf-8")
    code = page.partition("```python\n")[2].partition("\nmodel.save_pretrained")[0]
    written: dict[str, Any] = {}
    exec(code, written)  # noqa: S102
    folder = Path(shutil.copytree(model.adapters["all"], tmp_path / "all"))
    trained = peft.PeftModel.from_pretrained(oracle.load_base(model.base), folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(model.base)
    written["probe"](trained, tokenizer, ["hello", "Where?"], folder / "probe.jsonl", count=8)
    async with serving(model.base, {}) as backend:
        probe = (await backend.add_adapter("all", folder, replace=False)).probe
    assert probe is not None
    assert probe.replay is not None
    assert (probe.replay.lines, probe.replay.reproduced) == (2, 2)
    assert probe.replay.max_skew is not None
    assert probe.replay.max_skew < 1e-3
