from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, models

from remora.engine.chat_template import ChatTemplate
from remora.errors import ModelError, RequestError

LLAMA3 = (
    "{{- bos_token }}"
    "{%- if messages[0]['role'] == 'system' %}"
    "{%- set system = messages[0]['content'] | trim %}{%- set messages = messages[1:] %}"
    "{%- else %}{%- set system = '' %}{%- endif %}"
    "{{- '<|system|>' + system + '<|eot|>' }}"
    "{%- for message in messages %}"
    "{{- '<|' + message['role'] + '|>\\n\\n' + message['content'] | trim + '<|eot|>' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|assistant|>\\n\\n' }}{%- endif %}"
)
ALTERNATING = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate user/assistant') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}"
)
LOOP_CONTROLS = """
{%- for message in messages %}
    {%- if message.role == "system" %}{% continue %}{% endif %}
    {%- if loop.index > 3 %}{% break %}{% endif %}
    {{- message.role }}: {{ message.content }}
{% endfor %}
"""
TO_JSON = "{% for m in messages %}{{ m | tojson }}|{{ m.content | tojson(indent=2) }}{% endfor %}"
PARTS = """
{%- for message in messages %}
    {%- if message.content is string %}
        {{- message.content }}
    {%- else %}
        {%- for part in message.content if part.type == "text" %}{{- part.text }}{%- endfor %}
    {%- endif %}
{%- endfor %}
"""
TOOLS = (
    "{% if tools is not none %}tools: {{ tools | tojson }}{% endif %}"
    "{% if documents %}documents{% endif %}{{ messages[0].content }}"
)
GENERATION = (
    "{% for m in messages %}{% if m.role == 'assistant' %}"
    "{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}"
    "{% else %}{{ m.content }}{% endif %}{% endfor %}"
)
THINKING = (
    "{{ messages[-1].content }}"
    "{% if enable_thinking is defined and not enable_thinking %} /no{% endif %}"
)
NAMESPACE = """
{%- set ns = namespace(last=-1) %}
{%- for m in messages if m.role == 'user' %}{% set ns.last = loop.index0 %}{%- endfor %}
{{- ns.last }} {{ messages[ns.last].content.split(' ') | join('_') }}
"""
TEMPLATES = {
    "llama3": LLAMA3,
    "alternating": ALTERNATING,
    "loop controls": LOOP_CONTROLS,
    "tojson": TO_JSON,
    "parts": PARTS,
    "tools": TOOLS,
    "generation": GENERATION,
    "thinking": THINKING,
    "namespace": NAMESPACE,
}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}


def message(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


CHATS = {
    "one": [message("user", "Hi <b>'you'</b> & ümläut 🙂")],
    "turns": [message("user", " a "), message("assistant", "b\n"), message("user", "c d")],
    "system": [message("system", "Be brief."), message("user", "Why?")],
    "empty": [message("user", "")],
}


def both(source: str, messages: list[dict[str, Any]], **variables: Any) -> tuple[str, str]:
    """What transformers renders, and what Remora does."""
    import transformers

    theirs = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE()), chat_template=source, **SPECIAL
    )
    prompt = variables.pop("add_generation_prompt", True)
    want = theirs.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=prompt, **variables
    )
    ours = ChatTemplate(source, SPECIAL)
    got = ours.render(messages, add_generation_prompt=prompt, variables=variables)
    return want, got


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("chat", CHATS)
def test_prompts_equal_those_of_transformers(template: str, chat: str) -> None:
    if (template, chat) == ("alternating", "system"):
        pytest.skip("the template refuses it")
    want, got = both(TEMPLATES[template], CHATS[chat])
    assert got == want


def test_content_in_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    want, got = both(PARTS, [message("user", parts)])
    assert got == want == "ab"


@pytest.mark.parametrize("variables", [{"enable_thinking": False}, {"enable_thinking": True}])
def test_variables_reach_the_template(variables: dict[str, bool]) -> None:
    want, got = both(THINKING, CHATS["one"], **variables)
    assert got == want


def test_no_generation_prompt() -> None:
    want, got = both(LLAMA3, CHATS["one"], add_generation_prompt=False)
    assert got == want
    assert not got.endswith("<|assistant|>\n\n")


def test_a_refusal_says_what_the_template_says() -> None:
    template = ChatTemplate(ALTERNATING, SPECIAL)
    with pytest.raises(RequestError, match="Roles must alternate user/assistant") as raised:
        template.render(CHATS["system"], add_generation_prompt=True, variables={})
    assert raised.value.param == "messages"


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages[5].content.nothing }}",
        "{{ messages[0]['content'] + 1 }}",
        "{{ 1 / 0 }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{% for n in range(1000000) %}{% endfor %}",
        "{{ no_such_function() }}",
        "{{ messages[0].content | no_such_filter }}",
    ],
)
def test_whatever_goes_wrong_is_an_error_with_a_name(source: str) -> None:
    with pytest.raises((RequestError, ModelError)):
        ChatTemplate(source, SPECIAL).render(CHATS["one"], add_generation_prompt=True, variables={})


def test_a_broken_template_names_its_line() -> None:
    with pytest.raises(ModelError, match="line 2"):
        ChatTemplate("{{ messages }}\n{% if %}", SPECIAL)
