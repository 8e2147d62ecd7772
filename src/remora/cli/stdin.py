"""The end of standard input: a program that started this one has ended, or wants it to.

It works alike on all systems, also where there are no signals.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable


def stop_with_stdin(stop: Callable[[], None]) -> None:
    """Stop when nobody can write to standard input any more: when the parent has ended."""

    def wait() -> None:
        while os.read(0, 1024):
            pass
        stop()

    threading.Thread(target=wait, name="remora-stdin", daemon=True).start()


def interrupt() -> None:
    """What Ctrl-C does, from any thread."""
    main = threading.main_thread().ident
    if os.name == "posix" and main is not None:
        signal.pthread_kill(main, signal.SIGINT)  # Also ends what the main thread waits for.
    else:
        signal.raise_signal(signal.SIGINT)
