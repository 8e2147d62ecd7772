"""Commands that end with their standard input."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.cli.serving import COMMAND

WAIT = """
import time
from remora.cli.stdin import interrupt, stop_with_stdin
stop_with_stdin(interrupt)
try:
    print("waiting", flush=True)
    time.sleep(3600)
except KeyboardInterrupt:
    print("interrupted")
"""


def pipes(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )


def test_the_end_of_standard_input_is_ctrl_c() -> None:
    with pipes([sys.executable, "-c", WAIT]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        assert process.communicate()[0] == "interrupted\n"


def test_a_command_ends_with_the_program_that_started_it() -> None:
    arguments = ["--until-stdin-ends", "ui", "--endpoint", "http://127.0.0.1:9", "--port", "0"]
    with pipes([*COMMAND, *arguments, "--json"]) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "listening"
        rest = process.communicate()[0]
    assert json.loads(rest.splitlines()[-1])["event"] == "stopped"
