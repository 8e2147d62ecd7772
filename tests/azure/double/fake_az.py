"""A program ``az`` that is signed in: what `azure-identity` asks of Azure's command line."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from tests.azure.double.state import SUBSCRIPTION, TENANT

_ANSWER = """\
import json, sys, time
if sys.argv[1:3] != ["account", "get-access-token"]:
    sys.exit("az: only `az account get-access-token` is there")
later = time.time() + {seconds}
print(json.dumps({{**{token}, "expires_on": int(later), "expiresOn":
    time.strftime("%Y-%m-%d %H:%M:%S.000000", time.localtime(later))}}))
"""


def install(folder: Path, seconds: int = 3600) -> Path:
    """Writes the program into ``folder``, to be put before others on the PATH; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    answer = {"accessToken": "token", "subscription": SUBSCRIPTION, "tenant": TENANT,
              "tokenType": "Bearer"}  # fmt: skip
    script = folder / "az_double.py"
    script.write_text(_ANSWER.format(seconds=seconds, token=json.dumps(answer)), encoding="utf-8")
    if sys.platform == "win32":
        program = folder / "az.cmd"
        program.write_text(f'@"{sys.executable}" "{script}" %*\n', encoding="utf-8")
    else:
        program = folder / "az"
        command = shlex.join([sys.executable, "-S", "-E", str(script)])
        program.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    return folder
