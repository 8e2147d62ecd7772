"""The demo: its data, its committed weights and the figures of its card."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from peft import PeftModel
from transformers import PreTrainedTokenizerFast

from examples.demo.training import base as demo_base
from examples.demo.training.adapters import RECIPES
from examples.demo.training.chat import Dialogue, fingerprint, held_out
from examples.demo.training.corpus import dialogues
from examples.demo.training.evaluate import answer, held_out_prompts, load
from examples.demo.training.tokenizer import BEGIN, load_tokenizer, render

DEMO = Path(__file__).parents[1] / "examples" / "demo"
pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"  # PEFT asks transformers
)
NAMES = ["base", *(recipe.name for recipe in RECIPES)]


def source(name: str) -> Iterator[Dialogue]:
    """The training dialogues of the base or of an adapter."""
    if name == "base":
        return dialogues(demo_base.SEED)
    return next(recipe for recipe in RECIPES if recipe.name == name).source(2)


def question(dialogue: Dialogue) -> str:
    """What the user said in a dialogue, without case and punctuation."""
    said = " / ".join(turn.user for turn in dialogue.turns)
    return re.sub(r"[^\w /]", "", said.lower())


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return load_tokenizer(DEMO / "base")


@pytest.fixture(scope="module")
def model() -> PeftModel:
    return load(DEMO / "base", DEMO / "adapters")


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_makes_the_same_data(name: str) -> None:
    first, second = (list(islice(source(name), 200)) for _ in range(2))
    assert fingerprint(first) == fingerprint(second)


@pytest.mark.parametrize("name", NAMES)
def test_held_out_prompts_are_not_trained_on(name: str) -> None:
    asked = held_out_prompts(name, 200)
    trained = list(islice(source(name), 4000))
    assert not {question(dialogue) for dialogue in asked} & {question(d) for d in trained}
    assert all(held_out(dialogue.turns[-1].key) for dialogue in asked)
    assert not any(held_out(turn.key) for dialogue in trained for turn in dialogue.turns)


@pytest.mark.parametrize("name", NAMES)
def test_the_card_says_what_the_models_get_right(name: str) -> None:
    card = (DEMO / "README.md").read_text(encoding="utf-8")
    [row] = re.findall(rf"^\| `{name}` \|.*$", card, re.MULTILINE)
    right, total, percent = re.findall(r"(\d+) of (\d+) \(([\d.]+) %\)", row)[0]
    assert int(total) >= 200
    assert float(percent) == pytest.approx(100 * int(right) / int(total), abs=0.06)
    assert float(percent) >= (95 if name != "base" else 90)


def test_the_demo_is_small_and_portable() -> None:
    files = [path for path in DEMO.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 20e6
    for path in files:
        if path.suffix == ".json" and path.name != "tokenizer.json":
            assert not re.search(r'"/|[A-Z]:\\\\', path.read_text(encoding="utf-8")), path
    for recipe in RECIPES:
        config = json.loads((DEMO / "adapters" / recipe.name / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == "remora-demo-base"
        assert (config["r"], sorted(config["target_modules"])) == (
            recipe.rank,
            sorted(recipe.targets),
        )


def test_the_chat_template_writes_what_was_trained_on(tokenizer: PreTrainedTokenizerFast) -> None:
    for dialogue in islice(dialogues(3), 50):
        text = tokenizer.apply_chat_template(dialogue.messages(), tokenize=False)
        assert text == BEGIN + render(dialogue.messages())


@pytest.mark.parametrize(
    "text", ["plain", "Zażółć gęślą jaźń", "海の動物 🐙", "\t\x00\n  {}<|no|>"]
)
def test_any_text_is_encoded(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


@pytest.mark.parametrize("name", NAMES)
def test_held_out_prompts_are_answered_right(
    name: str, model: PeftModel, tokenizer: PreTrainedTokenizerFast
) -> None:
    prompts = held_out_prompts(name, 20)
    asked = [dialogue.prompt() for dialogue in prompts]
    if name == "base":
        with model.disable_adapter():
            said = answer(model, tokenizer, asked)
    else:
        model.set_adapter(name)
        said = answer(model, tokenizer, asked)
    right = [dialogue.right(text) for dialogue, text in zip(prompts, said, strict=True)]
    assert sum(right) >= (18 if name != "base" else 17), [*zip(said, right, strict=True)]


def test_the_base_holds_a_conversation(
    model: PeftModel, tokenizer: PreTrainedTokenizerFast
) -> None:
    messages: list[dict[str, str]] = []
    wanted = {
        "who are you?": "I am Remy, a little guide to the sea and its animals.",
        "what do sharks eat?": "Sharks eat fish, seals and squid.",
        "and where do they live?": "Sharks live in every ocean, from the coast to the deep.",
        "thanks": "You are welcome! The sea has many more stories.",
    }
    for text, right in wanted.items():
        messages.append({"role": "user", "content": text})
        with model.disable_adapter():
            [said] = answer(model, tokenizer, [messages])
        assert said == right
        messages.append({"role": "assistant", "content": said})
