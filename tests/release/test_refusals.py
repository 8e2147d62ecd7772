"""What a server refused, on a share that can be written and on one that can't."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.hooked_share import HookedShare, read_only
from remora.errors import ShareDenied
from remora.release.directory_share import DirectoryShare
from remora.release.refusals import Refusal, Refusals, refusal, refuse

ROOT = Path(__file__).resolve().parents[2]
WHY = Refusal(reason="no effect", hint="Train it.")
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]
# Mounts a folder over itself, to be read only, for the process that follows.
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'

REFUSE_AND_FORGIVE = """
import sys
from pathlib import Path
from remora.release.directory_share import DirectoryShare
from remora.release.refusals import Refusal, Refusals
notes = Refusals(DirectoryShare(Path(sys.argv[1])), Path(sys.argv[2]))
assert notes.of(1) is not None and notes.of(2) is None
notes.refuse(2, Refusal(reason="no effect"))
notes.forgive(1)
assert notes.of(1) is None and notes.of(2) is not None
"""


def test_on_a_share_that_can_be_written_all_stands_there(tmp_path: Path) -> None:
    share = DirectoryShare(tmp_path)
    notes = Refusals(share, tmp_path / "own")
    notes.refuse(1, WHY)
    assert refusal(share, 1) == notes.of(1) == WHY
    notes.forgive(1)
    assert refusal(share, 1) is notes.of(1) is None
    assert not (tmp_path / "own").exists()


def test_on_one_to_read_only_it_is_kept_here_and_goes_before(tmp_path: Path) -> None:
    share = DirectoryShare(tmp_path)
    refuse(share, 1, WHY)
    mounted = HookedShare(share, read_only)
    notes = Refusals(mounted, tmp_path / "own")
    assert notes.of(1) == WHY
    notes.forgive(1)
    notes.refuse(2, WHY)
    assert (notes.of(1), notes.of(2)) == (None, WHY)
    assert (refusal(share, 1), refusal(share, 2)) == (WHY, None)
    assert Refusals(mounted, tmp_path / "own").of(2) == WHY, "another start finds it"
    with pytest.raises(ShareDenied):
        refuse(mounted, 3, WHY)


def test_what_was_noted_here_goes_when_the_share_can_be_written_again(tmp_path: Path) -> None:
    share = DirectoryShare(tmp_path)
    Refusals(HookedShare(share, read_only), tmp_path / "own").refuse(1, WHY)
    notes = Refusals(share, tmp_path / "own")
    notes.forgive(1)
    assert notes.of(1) is None


def test_a_real_mount_to_read_only(tmp_path: Path) -> None:
    try:
        can = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        can = False
    if not can:
        pytest.skip("this machine grants no mount namespace of one's own")
    (tmp_path / "share").mkdir()
    refuse(DirectoryShare(tmp_path / "share"), 1, WHY)
    program = [sys.executable, "-c", REFUSE_AND_FORGIVE]
    arguments = [str(tmp_path / "share"), str(tmp_path / "own")]
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", READ_ONLY, arguments[0], *program, *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "own").iterdir()) == [
        "00000001.json",
        "00000002.json",
    ]
    assert refusal(DirectoryShare(tmp_path / "share"), 1) == WHY
