"""How many files, and so connections, this process may have open."""

from __future__ import annotations

import sys

_WANTED = 65_536


def allow_many_open_files() -> None:
    """Raise the soft limit of open files as far as it goes; Windows has none.

    Many systems begin with 256 or 1,024, which would bound the streams of an endpoint.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
