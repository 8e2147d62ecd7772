"""start.py as a container runs it: by a Python that knows no packages, over a share's folder."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.hooked_share import HookedShare, read_only
from remora.container import start
from remora.release.archive import pack
from remora.release.manifest import Role, RuntimeArchive
from remora.release.refusals import Refusal, Refusals, refuse
from remora.release.runtime import this_runtime
from tests.reconcile.conftest import Shelf

PROGRAM = Path(start.__file__)
PYTHON = getattr(sys, "_base_executable", sys.executable)
SECONDS = 60

# What an archive holds in place of Remora: it says how it was started, and does what it is told.
ECHO = """
import json, os, sys
said = {"event": "server", "words": WORDS, "arguments": sys.argv[1:]}
print(json.dumps(said | {"state": os.environ["REMORA_STATE"]}), flush=True)
"""


@dataclass
class Image:
    """A container image, what its variables say, and the share that is mounted."""

    shelf: Shelf
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def install(self, name: str, text: str = "") -> None:
        package = self.folder / "site" / name
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(text)

    def archive(self, words: str, program: str = "", **changed: Any) -> RuntimeArchive:
        """On the share: a package `remora` that says some words and then runs a program."""
        main = self.folder / f"{words}.py"
        main.write_text(f"WORDS = {words!r}{ECHO}{textwrap.dedent(program)}")
        packed = self.folder / "packed.zip"
        pack(
            {
                "remora/__init__.py": self.folder / "empty",
                "remora/__main__.py": main,
            },
            packed,
        )
        data = packed.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        place = self.shelf.share.root / ".remora" / "blobs" / digest
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        here = this_runtime()
        facts = {
            "digest": digest, "size": len(data), "path": f".remora/blobs/{digest}",
            "recipe": digest, "python": here.python, "platform": here.platform,
        }  # fmt: skip
        return RuntimeArchive(**{**facts, **changed})

    def release(self, words: str, program: str = "", **changed: Any) -> str:
        """A release of both roles with such an archive, made current; its id."""
        archive = self.archive(words, program, **changed)
        content = self.shelf.content({}).model_copy(
            update={"runtime": dict.fromkeys(Role, archive)}
        )
        return self.shelf.publish(content).id

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(self.folder / "site"),
            "REMORA_SHARE": str(self.shelf.share.root), "TMPDIR": str(self.folder),
            "REMORA_STATE": str(self.state), "PYTHONNOUSERSITE": "1",
        }  # fmt: skip
        return subprocess.Popen(
            [PYTHON, str(PROGRAM), *arguments],
            env=environment | self.variables, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        process = self.start(*arguments)
        out, _ = process.communicate(timeout=SECONDS)
        return process.returncode, [json.loads(line) for line in out.splitlines()]

    @property
    def state(self) -> Path:
        return self.folder / "state"


@pytest.fixture
def image(shelf: Shelf, tmp_path: Path) -> Image:
    """An image with PyTorch, as far as one can see without importing it."""
    made = Image(shelf, tmp_path / "image")
    made.folder.mkdir()
    (made.folder / "empty").touch()
    made.install("torch")
    return made


def words(events: list[dict[str, Any]]) -> list[str]:
    """What the servers said that ran."""
    return [event["words"] for event in events if event["event"] == "server"]


def test_what_the_release_names_is_unpacked_and_run(image: Image) -> None:
    release = image.release("one", "sys.exit(4)")
    code, events = image.run("serve", "--max-queue", "9")
    assert code == 4
    (server,) = [event for event in events if event["event"] == "server"]
    assert server["state"] == str(image.state)
    assert server["arguments"][0] == "serve"
    assert server["arguments"][-2:] == ["--max-queue", "9"]
    assert {"--json", "--no-ui", "7860"} <= set(server["arguments"])
    phases = [
        (event["phase"], event["seconds"] is None) for event in events if event["event"] == "phase"
    ]
    assert phases == [("release", True), ("release", False), ("unpack", True), ("unpack", False)]
    (told,) = [event for event in events if event["event"] == "start"]
    assert told == {
        "event": "start", "role": "serve", "release": release, "python": platform.python_version(),
    }  # fmt: skip


def test_the_front_needs_no_pytorch(image: Image) -> None:
    image.variables["PYTHONPATH"] = ""
    image.release("one")
    code, events = image.run("front")
    assert (code, words(events)) == (0, ["one"])


RESTART_ONCE = """
from pathlib import Path
mark = Path(os.environ["REMORA_STATE"], "mark")
first = not mark.exists()
mark.touch()
sys.exit(75 if first else 9)
"""


def test_a_server_that_asks_for_it_is_started_anew(image: Image) -> None:
    image.release("one", RESTART_ONCE)
    code, events = image.run("serve")
    assert (code, words(events)) == (9, ["one", "one"])


def test_a_restart_takes_what_the_share_says_by_then(image: Image) -> None:
    second = image.archive("two")
    manifest = image.shelf.content({}, base="two").model_copy(
        update={"runtime": {Role.SERVE: second}}
    )
    publish = """
    from pathlib import Path
    root = Path(os.environ["REMORA_SHARE"], ".remora")
    Path(os.environ["REMORA_STATE"], "next.json").replace(root / "log" / "00000002.json")
    sys.exit(75)
    """
    image.release("one", publish)
    image.shelf.publish(manifest)
    image.state.mkdir(parents=True)
    (image.shelf.share.root / ".remora" / "log" / "00000002.json").rename(image.state / "next.json")
    code, events = image.run("serve")
    assert (code, words(events)) == (0, ["one", "two"])
    assert [path.name for path in (image.state / "runtime").iterdir()] == [second.digest]


def test_what_was_refused_is_not_started_unless_it_was_forgiven(image: Image) -> None:
    image.release("one")
    image.release("two")
    refuse(image.shelf.share, 2, Refusal(reason="no effect"))
    assert words(image.run("serve")[1]) == ["one"]
    (image.state / "refused").mkdir()
    (image.state / "refused" / "00000002.json").write_text("null")
    assert words(image.run("serve")[1]) == ["two"]
    (image.state / "refused" / "00000001.json").write_text('{"reason": "x"}')
    (image.state / "refused" / "00000002.json").write_text('{"reason": "no effect"}')
    code, events = image.run("serve")
    assert code == 6
    assert "was refused" in events[-1]["message"]


def test_a_release_that_lost_something_gives_way_to_the_one_before(image: Image) -> None:
    image.release("one")
    lost = image.archive("two")
    (image.shelf.share.root / lost.path).unlink()
    image.shelf.publish(image.shelf.content({}).model_copy(update={"runtime": {Role.SERVE: lost}}))
    damaged = image.release("three")
    (image.shelf.share.root / ".remora" / "releases" / f"{damaged}.json").write_text("{}")
    (image.shelf.share.root / ".remora" / "log" / "00000004.json").write_text("{")
    assert words(image.run("serve")[1]) == ["one"]


def test_before_the_first_deployment_it_says_so_and_ends(image: Image) -> None:
    code, events = image.run("serve")
    assert (code, events[-1]["event"]) == (0, "waiting")
    (image.shelf.share.root / ".remora" / "log").mkdir(parents=True)
    assert image.run("serve")[0] == 0


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        ({"python": "3.2"}, 2, r"what was deployed is for Python 3.2"),
        ({"platform": "linux_riscv64"}, 2, r"is for Python \S+ on linux_riscv64"),
        ({"digest": "0" * 64}, 6, r"on the share is damaged"),
        ({"size": 3}, 6, r"no release of the share can be started: the share lacks"),
    ],
)
def test_what_does_not_fit_is_told(
    image: Image, changed: Mapping[str, Any], code: int, message: str
) -> None:
    image.release("one", **changed)
    got, events = image.run("serve")
    assert got == events[-1]["exit_code"] == code
    assert words(events) == []
    assert events[-1]["hint"]
    assert re.search(message, events[-1]["message"])


def test_an_image_without_pytorch_can_t_serve(image: Image) -> None:
    image.variables["PYTHONPATH"] = ""
    image.release("one")
    code, events = image.run("serve")
    assert (code, words(events)) == (2, [])
    assert "no PyTorch" in events[-1]["message"]


def test_a_share_that_is_not_mounted_is_told(image: Image) -> None:
    image.variables["REMORA_SHARE"] = str(image.folder / "nowhere")
    code, events = image.run("serve")
    assert code == 5
    assert "nowhere" in events[-1]["message"]


def test_an_archive_that_can_t_be_read_is_told(image: Image) -> None:
    image.release("one")
    image.state.mkdir()
    (image.state / "runtime").touch()  # A disk that takes nothing, as far as this can be played.
    code, events = image.run("serve")
    assert (code, words(events)) == (5, [])
    assert events[-1]["hint"]


def test_an_image_with_remora_in_it_needs_no_archive(image: Image) -> None:
    image.shelf.publish(image.shelf.content({}))
    code, events = image.run("serve")
    assert code == 6
    assert "has no Remora in it" in events[-1]["message"]
    image.install("remora", f"WORDS = 'own'{ECHO}")
    code, events = image.run("serve")
    assert (code, words(events)) == (0, ["own"])
    assert not (image.state / "runtime").exists()


def test_the_wrong_role_is_told(image: Image) -> None:
    assert image.run("server")[0] == 2
    assert image.run()[0] == 2


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_a_signal_reaches_the_server_and_ends_all(image: Image) -> None:
    waiting = """
    import signal
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
    print('{"event": "ready"}', flush=True)
    signal.pause()
    """
    image.release("one", waiting)
    process = image.start("serve")
    assert process.stdout is not None
    while json.loads(process.stdout.readline())["event"] != "ready":
        pass
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 75  # It is not started anew.
    process.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_a_server_that_is_killed_is_told_by_the_exit_code(image: Image) -> None:
    image.release("one", "os.kill(os.getpid(), 9)")
    assert image.run("serve")[0] == 137


def test_notes_are_read_as_a_server_on_a_read_only_share_writes_them(image: Image) -> None:
    image.release("one")
    image.release("two")
    notes = Refusals(HookedShare(image.shelf.share, read_only), image.state / "refused")
    notes.refuse(2, Refusal(reason="no effect"))
    assert words(image.run("serve")[1]) == ["one"]
    notes.forgive(2)
    assert words(image.run("serve")[1]) == ["two"]
