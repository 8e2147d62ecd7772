from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.engine.chat_template import ChatTemplate
from remora.errors import RequestError
from remora.formats.prompt_template import (
    BrokenPrompt,
    PromptTemplate,
    parse_prompt,
    parse_training_text,
)

TONE = "### Text: {}\n### The tone is:\n"
ODD = ["", "{", "a {} b {}", "{0.__class__}", "{x[0]}", "{!r}", "{:>9}", "{} }", "no field"]


@pytest.mark.parametrize("text", [TONE, TONE.replace("{}", "{0}"), TONE.replace("{}", "{phrase}")])
def test_one_field_of_any_name(text: str) -> None:
    assert parse_prompt(text) == PromptTemplate("### Text: ", "\n### The tone is:\n")


@pytest.mark.parametrize("text", ODD)
def test_what_is_no_template(text: str) -> None:
    with pytest.raises(BrokenPrompt):
        parse_prompt(text)


def test_the_prompt_of_a_training_text_ends_before_the_answer() -> None:
    text = "<|user|>\n{phrase}<|end|>\n<|assistant|>\n{tone}<|end|>"
    assert parse_training_text(text) == PromptTemplate("<|user|>\n", "<|end|>\n<|assistant|>\n")
    for odd in (TONE, "{a}{b}{c}", "{a.b}{c}"):
        with pytest.raises(BrokenPrompt):
            parse_training_text(odd)


@given(st.text(), st.text(), st.text(), st.sampled_from(["", "<s>"]))
def test_it_writes_what_pythons_format_writes(
    before: str, after: str, said: str, begin: str
) -> None:
    prompt = PromptTemplate(before, after)
    assert parse_prompt(str(prompt)) == prompt
    template = ChatTemplate(prompt.chat_template(begin), {})
    messages = [{"role": "user", "content": said}]
    written = template.render(messages, add_generation_prompt=True, variables={})
    assert written == begin + str(prompt).format(said)


def test_nothing_of_a_conversation_is_left_out() -> None:
    template = ChatTemplate(parse_prompt("Q: {}\nA: ").chat_template("<s>"), {})
    roles = (("system", "Be kind."), ("user", "One?"), ("assistant", "1"), ("user", "Two?"))
    messages = [{"role": role, "content": content} for role, content in roles]
    written = template.render(messages, add_generation_prompt=True, variables={})
    assert written == "<s>Be kind.\nQ: One?\nA: 1\nQ: Two?\nA: "
    with pytest.raises(RequestError, match="no message of the user"):
        template.render(messages[:1], add_generation_prompt=True, variables={})
