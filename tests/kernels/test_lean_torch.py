"""PyTorch without its compiler's part: the engine needs no more, and more can be had later."""

from __future__ import annotations

import subprocess
import sys

import pytest

LEFT_OUT = "torch._meta_registrations"


def run(code: str) -> str:
    """What a Python of its own prints: in this one PyTorch may be imported already."""
    program = "import sys\n" + code
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=True, capture_output=True, text=True
    ).stdout


def test_the_engine_needs_no_more() -> None:
    code = f"""
from remora.kernels.lean_torch import import_torch
import_torch()
import remora.engine.loader
import torch
q = torch.ones(1, 1, 4, 8)
attended = torch.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True)
print({LEFT_OUT!r} in sys.modules, tuple(attended.shape))
"""
    assert run(code) == "False (1, 1, 4, 8)\n"


@pytest.mark.parametrize("lean", [True, False])
def test_the_rest_can_be_had_later(lean: bool) -> None:
    code = f"""
from remora.kernels.lean_torch import complete_torch, import_torch
if {lean}:
    import_torch()
complete_torch()
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
with FakeTensorMode():
    q = torch.empty(1, 1, 4, 8)
    print(tuple(torch.nn.functional.scaled_dot_product_attention(q, q, q).shape))
print({LEFT_OUT!r} in sys.modules, torch.Generator().manual_seed(0).initial_seed())
"""
    assert run(code) == "(1, 1, 4, 8)\nTrue 0\n"


def test_a_version_that_was_not_tried_is_imported_whole() -> None:
    code = f"""
from remora.kernels import lean_torch
lean_torch._TRIED = ()
lean_torch.import_torch()
print({LEFT_OUT!r} in sys.modules)
"""
    assert run(code) == "True\n"
