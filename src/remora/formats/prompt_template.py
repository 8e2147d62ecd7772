"""A Python format string around what the user says, as AI Toolkit's own serving code has one.

It is taken apart, and never formatted by Python: a field could reach into objects.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

PROMPT_FILE = "prompt_template.txt"
"""A template in an adapter's folder, taken as it is to its last character."""


class BrokenPrompt(ValueError):
    """The text is no prompt template; the message says why."""


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """What stands before a user's message and after it."""

    before: str
    after: str

    def __str__(self) -> str:
        return f"{_escaped(self.before)}{{}}{_escaped(self.after)}"

    def chat_template(self, begin: str) -> str:
        """A chat template (Jinja) that does the same; ``begin`` stands before all.

        Of a conversation nothing is left out: each of the user's messages is put into the
        template, and what others say stands in a line of its own between them.
        """
        return "".join(
            (
                "{%- if messages | selectattr('role', 'equalto', 'user') | list | length == 0 -%}",
                "{{- raise_exception('There is no message of the user.') -}}",
                "{%- endif -%}",
                f"{{{{- {begin!a} -}}}}",
                "{%- for message in messages -%}",
                "{%- if message.role == 'user' -%}",
                f"{{{{- {self.before!a} + message.content + {self.after!a} -}}}}",
                "{%- else -%}",
                "{{- message.content + '\\n' -}}",
                "{%- endif -%}",
                "{%- endfor -%}",
            )
        )


def parse_prompt(text: str) -> PromptTemplate:
    """A template with one place for the user's message: ``### Text: {}``. Raises `BrokenPrompt`."""
    literals = _literals(text)
    if len(literals) != 2:
        raise BrokenPrompt(f"one {{}} is expected, there are {len(literals) - 1}")
    return PromptTemplate(*literals)


def parse_training_text(text: str) -> PromptTemplate:
    """The prompt in a text of the training, which is that up to the answer's field, the last one.

    Raises `BrokenPrompt` unless there is one field before it.
    """
    literals = _literals(text)
    if len(literals) != 3:
        raise BrokenPrompt(f"two fields are expected, there are {len(literals) - 1}")
    return PromptTemplate(literals[0], literals[1])


def _literals(text: str) -> list[str]:
    """What stands between the fields of a format string."""
    literals = [""]
    try:
        for literal, name, form, conversion in string.Formatter().parse(text):
            literals[-1] += literal
            if name is None:
                continue
            if form or conversion or not (name == "" or name.isdigit() or name.isidentifier()):
                raise BrokenPrompt(f"the field {{{name}}} is more than a name")
            literals.append("")
    except ValueError as error:
        raise BrokenPrompt(str(error)) from error
    return literals


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
