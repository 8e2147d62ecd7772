"""Writes the compiled template beside its source: ``python -m tests.azure.bicep``.

This is not the official compiler; it knows the subset of Bicep that Remora's template uses.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.azure.bicep.compiler import compile_file

INFRA = Path(__file__).resolve().parents[3] / "src" / "remora" / "azure" / "infra"
SOURCE = INFRA / "inference.bicep"
COMPILED = INFRA / "inference.json"


def rendered() -> str:
    """The text of the compiled file."""
    return json.dumps(compile_file(SOURCE), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    COMPILED.write_text(rendered(), encoding="utf-8", newline="\n")
