"""The extension's own tests, which Node's test runner runs."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from vsix import EXTENSION

from tests.editors.workbench import installed, why_not

NODE = shutil.which("node")
OLDEST = 20


def version() -> int:
    """Node's major version; 0 without Node."""
    if NODE is None:
        return 0
    told = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    return int(told.removeprefix("v").partition(".")[0])


@pytest.mark.skipif(version() < OLDEST, reason=f"Node {OLDEST} or later is not on the PATH")
def test_the_extension_does_what_its_tests_say() -> None:
    assert NODE is not None
    tests = sorted(str(path) for path in (EXTENSION / "test").glob("*.test.js"))
    done = subprocess.run(
        [NODE, "--test", "--test-timeout=60000", *tests],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert tests


@pytest.mark.slow
@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_the_types_in_the_comments_hold() -> None:
    here = installed()
    types = here.modules / "@types"
    done = subprocess.run(
        [here.node, here.tsc, "--project", EXTENSION, "--typeRoots", types],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout
