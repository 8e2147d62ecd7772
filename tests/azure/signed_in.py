"""Commands that reach the double as a signed-in user does: through the Azure command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.azure.double import fake_az
from tests.azure.double.server import AzureDouble


def variables(double: AzureDouble, folder: Path) -> dict[str, str]:
    """What a process needs. Without the last one it would look for a virtual machine's identity."""
    programs = fake_az.install(folder / "bin")
    return {
        **double.environment,
        "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
        "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential",
    }


def sign_in(double: AzureDouble, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Lets commands of this process reach the double."""
    for name, value in variables(double, folder).items():
        patch.setenv(name, value)
