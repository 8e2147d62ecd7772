"""Which format a model writes its calls in, by the text of its chat template."""

from __future__ import annotations

from remora.tools.format import ToolFormat
from remora.tools.hermes import HERMES
from remora.tools.llama import LLAMA
from remora.tools.mistral import MISTRAL
from remora.tools.mistral_args import MISTRAL_ARGS
from remora.tools.qwen_coder import QWEN_CODER

# What a template holds, what it may not hold (a later format with the same markers), the format.
_SIGNS = (
    ("<tool_call>", "<function=", HERMES),
    ("<parameter=", "", QWEN_CODER),
    ("[TOOL_CALLS]", "[ARGS]", MISTRAL),
    ("[ARGS]", "", MISTRAL_ARGS),
    ("<|python_tag|>", "", LLAMA),
    ("Environment: ipython", "", LLAMA),
)


def format_of(template: str) -> ToolFormat | None:
    """The format of a template's text; None if it is not one of those that can be read."""
    for sign, foreign, tool_format in _SIGNS:
        if sign in template and not (foreign and foreign in template):
            return tool_format
    return None
