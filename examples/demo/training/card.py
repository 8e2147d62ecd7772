"""The model card: the figures, and what the models really answer."""

from collections.abc import Sequence
from pathlib import Path

from peft import PeftModel
from transformers import PreTrainedTokenizerFast

from .adapters import RECIPES
from .chat import Message
from .evaluate import Score, answer, load

SAME = (
    "What do sharks eat?",
    "At dawn, Mia saw three dolphins near the reef.",
    "I cried all night because my friend moved away.",
)
CONVERSATION = (
    "hi",
    "who are you?",
    "what is a remora?",
    "and where do they live?",
    "are sharks dangerous?",
    "what about dolphins?",
    "tell me something fun",
    "who won the football game?",
    "thanks, bye",
)


def figures(scores: Sequence[Score]) -> str:
    """The table of the figures."""
    lines = [
        "| model | what it does | rank | targets | held-out prompts right | the base |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    about = {
        recipe.name: (recipe.does, str(recipe.rank), ", ".join(recipe.targets))
        for recipe in RECIPES
    }
    for score in scores:
        does, rank, targets = about.get(score.name, ("chats about the sea", "", ""))
        right = f"{score.right} of {score.total} ({score.percent:.1f} %)"
        base = "" if score.base is None else f"{100 * score.base / score.total:.1f} %"
        lines.append(f"| `{score.name}` | {does} | {rank} | {targets} | {right} | {base} |")
    return "\n".join(lines)


def samples(model: PeftModel, tokenizer: PreTrainedTokenizerFast) -> str:
    """What the base and every adapter answer to the same prompts."""
    prompts: list[list[Message]] = [[{"role": "user", "content": text}] for text in SAME]
    with model.disable_adapter():
        said = {"base": answer(model, tokenizer, prompts)}
    for recipe in RECIPES:
        model.set_adapter(recipe.name)
        said[recipe.name] = answer(model, tokenizer, prompts)
    blocks = []
    for index, text in enumerate(SAME):
        lines = [f"> {text}", ""]
        lines += [f"- `{name}`: {answers[index]}" for name, answers in said.items()]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def conversation(model: PeftModel, tokenizer: PreTrainedTokenizerFast) -> str:
    """A conversation with the base, turn after turn."""
    messages: list[Message] = []
    lines = []
    for text in CONVERSATION:
        messages.append({"role": "user", "content": text})
        with model.disable_adapter():
            [said] = answer(model, tokenizer, [messages])
        messages.append({"role": "assistant", "content": said})
        lines.append(f"> {text}\n\n{said}")
    return "\n\n".join(lines)


def write_card(out: Path, scores: Sequence[Score], tokenizer: PreTrainedTokenizerFast) -> None:
    """Fill the card in and write it beside the weights."""
    template = Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    model = load(out / "base", out / "adapters")
    frozen = [p for name, p in model.named_parameters() if "lora_" not in name]
    weights = sum(path.stat().st_size for path in out.rglob("*.safetensors")) / 1e6
    text = template.format(
        parameters=sum(p.numel() for p in frozen) / 1e6,
        megabytes=weights,
        figures=figures(scores),
        samples=samples(model, tokenizer),
        conversation=conversation(model, tokenizer),
    )
    (out / "README.md").write_text(text, encoding="utf-8")
