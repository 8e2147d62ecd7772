from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from remora.engine.errands import Errands
from remora.errors import NotReady

SECONDS = 20


def test_a_call_runs_in_the_other_thread_and_its_outcome_comes_back() -> None:
    posted = threading.Event()
    errands = Errands(posted.set)
    assert not errands.run_one()
    with ThreadPoolExecutor(1) as pool:
        for outcome in (lambda: threading.get_ident(), lambda: 1 // 0):  # noqa: PLW0108
            posted.clear()
            waiting = pool.submit(errands.call, outcome)
            assert posted.wait(SECONDS)
            assert errands.run_one()
            if (error := waiting.exception(SECONDS)) is None:
                assert waiting.result() == threading.get_ident()
            else:
                assert isinstance(error, ZeroDivisionError)


def test_the_thread_stands_still_while_a_block_runs_and_not_after_it() -> None:
    posted, within, leave = threading.Event(), threading.Event(), threading.Event()
    errands = Errands(posted.set)

    def block() -> None:
        with errands.standstill(SECONDS):
            within.set()
            assert leave.wait(SECONDS)

    with ThreadPoolExecutor(2) as pool:
        blocked = pool.submit(block)
        assert posted.wait(SECONDS)
        assert not within.is_set(), "it begins once the thread stands still"
        standing = pool.submit(errands.run_one)
        assert within.wait(SECONDS)
        assert not standing.done()
        leave.set()
        assert standing.result(SECONDS)
        blocked.result(SECONDS)
    assert not errands.run_one()


def test_a_block_does_not_wait_for_a_thread_that_never_comes() -> None:
    errands = Errands(lambda: None)
    with errands.standstill(0.001):
        pass
    assert errands.run_one(), "too late, it stands still no longer"
    errands.close()
    with errands.standstill(SECONDS):
        pass


def test_closing_ends_those_who_wait_and_those_who_come() -> None:
    posted = threading.Event()
    errands = Errands(posted.set)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(errands.call, lambda: 1)
        assert posted.wait(SECONDS)
        errands.close()
        assert isinstance(waiting.exception(SECONDS), NotReady)
    with pytest.raises(NotReady):
        errands.call(lambda: 1)
