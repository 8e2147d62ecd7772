from __future__ import annotations

from itertools import islice
from pathlib import Path

from remora.targets.follow import lines


def test_what_is_there_and_what_comes(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    assert list(lines(log, follow=False)) == []
    log.write_text("one\ntwo\nhal", encoding="utf-8")
    assert list(lines(log, follow=False)) == ["one", "two", "hal"]
    later = iter(["f\n", "", "renewed"])

    def wait(_: float) -> None:
        piece = next(later)
        if piece == "renewed":
            log.write_text("new\n", encoding="utf-8")
        else:
            with log.open("a", encoding="utf-8") as file:
                file.write(piece)

    assert list(islice(lines(log, follow=True, wait=wait), 4)) == ["one", "two", "half", "new"]
