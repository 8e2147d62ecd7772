"""Finds imports that a bundle can't satisfy; runs alone, in an interpreter without packages.

    python -I -S import_check.py SITE PROVIDED < FILES

``PROVIDED`` names the modules that the server brings itself, with commas between. Each line of
its input is a file. Each line that it prints is one import that fails: the file, the module, and
why.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path


def imported(tree: ast.Module) -> Iterator[str]:
    """The top-level modules that a file needs to be imported; those in a `try` may be missing."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def failures(code: list[Path], provided: set[str]) -> Iterator[str]:
    """One line for each file that is no Python, and each import that fails."""
    own = {path.stem for path in code} | {part for path in code for part in path.parts[:-1]}
    tried: dict[str, str] = {}
    for path in code:
        try:
            names = set(imported(ast.parse(path.read_bytes(), str(path))))
        except (SyntaxError, ValueError) as error:
            yield f"{path}: {error}"
            continue
        for name in sorted(names - own - provided - sys.stdlib_module_names):
            if name not in tried:
                tried[name] = failure(name)
            if tried[name]:
                yield f"{path}: import {name}: {tried[name]}"


def failure(name: str) -> str:
    """Why a module can't be imported, or nothing."""
    try:
        importlib.import_module(name)
    except (Exception, SystemExit) as error:  # noqa: BLE001  Whatever it is, nothing is imported.
        return str(error) or type(error).__name__
    return ""


def main(site: str, provided: str) -> int:
    """Print what fails; returns the exit status."""
    sys.path.insert(0, site)
    files = [Path(line) for line in sys.stdin.read().splitlines()]
    found = list(failures(files, set(provided.split(","))))
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
