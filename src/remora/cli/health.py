"""The checks of ``remora doctor``, each a function that never raises."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from remora.errors import RemoraError

GIB = 1 << 30
SERVE_MODULES = (
    "torch",
    "numpy",
    "safetensors",
    "tokenizers",
    "jinja2",
    "llguidance",
    "starlette",
    "uvicorn",
    "httptools",
    "prometheus_client",
)

# PyTorch is asked in a process of its own: a broken installation may end the one that imports it.
TORCH_PROBE = """
import json, torch
ops = torch.ops.mkldnn
print(json.dumps({
    "version": torch.__version__,
    "threads": torch.get_num_threads(),
    "cpu": torch.backends.cpu.get_cpu_capability(),
    "bf16": torch.backends.mkldnn.is_available() and ops._is_mkldnn_bf16_supported(),
    "built_for_cuda": torch.version.cuda,
    "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
}))
"""


class Health(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One result; ``hint`` is what to do where it is not ok."""

    name: str
    health: Health
    detail: str
    hint: str | None = None


def all_checks(host: str, port: int) -> Iterator[Check]:
    """Every check, as it is done; the slow ones come last."""
    yield check_python(sys.version_info[:3])
    yield check_packages([name for name in SERVE_MODULES if not importlib.util.find_spec(name)])
    yield check_memory(memory())
    yield check_disk(Path.cwd())
    yield check_port(host, port)
    facts = torch_facts()
    yield check_torch(facts)
    if "error" not in facts:
        yield check_cpu(facts)
        yield check_gpu(facts, nvidia=shutil.which("nvidia-smi") is not None)
    if importlib.util.find_spec("azure") and importlib.util.find_spec("azure.identity"):
        yield check_azure(azure_sign_in())


def check_python(version: tuple[int, int, int]) -> Check:
    """3.11 or later."""
    detail = f"{'.'.join(map(str, version))} on {platform.system()} {platform.machine()}"
    if version >= (3, 11):
        return Check("python", Health.OK, detail)
    return Check("python", Health.FAIL, detail, "Remora needs Python 3.11 or later.")


def check_packages(missing: list[str]) -> Check:
    """The packages of the extra `serve`."""
    if not missing:
        return Check("packages", Health.OK, "all that `remora serve` needs")
    return Check(
        "packages",
        Health.FAIL,
        f"missing: {', '.join(missing)}",
        "Install them with `pip install 'remora-serve[serve]'`.",
    )


def memory() -> tuple[int, int] | None:
    """Bytes in all and bytes available, where the system tells (Linux; macOS only the first)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        table = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
        return table["MemTotal"], table["MemAvailable"]
    except (OSError, ValueError, KeyError, IndexError):
        pass
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    return total, total


def check_memory(found: tuple[int, int] | None) -> Check:
    """A small model needs 1 GiB; most of what people fine-tune, 4 GiB or more."""
    if found is None:
        return Check("memory", Health.OK, "not told by this system")
    total, available = found
    detail = f"{available / GIB:.1f} of {total / GIB:.1f} GiB available"
    if available < GIB:
        return Check("memory", Health.FAIL, detail, "Close other programs: 1 GiB is the least.")
    if available < 4 * GIB:
        return Check("memory", Health.WARN, detail, "Enough for models below 1B parameters.")
    return Check("memory", Health.OK, detail)


def check_disk(folder: Path) -> Check:
    """Room for logs and a model's download."""
    free = shutil.disk_usage(folder).free
    detail = f"{free / GIB:.1f} GiB free in {folder}"
    if free < GIB:
        return Check("disk", Health.WARN, detail, "A model's download may not fit.")
    return Check("disk", Health.OK, detail)


def check_port(host: str, port: int) -> Check:
    """Whether `remora serve` could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as server:
            if os.name == "posix":
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((host, port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Check(
            "port",
            Health.WARN,
            f"{host}:{port} can't be used: {reason}",
            "Perhaps an endpoint runs there already; `remora serve --port` takes another.",
        )
    return Check("port", Health.OK, f"{host}:{port} is free")


def torch_facts() -> Mapping[str, Any]:
    """What PyTorch says of itself and the machine, or its ``error``."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", TORCH_PROBE],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        facts = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        return {"error": str(error)}
    if isinstance(facts, dict):
        return facts
    last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
    return {"error": last[0]}


def check_torch(facts: Mapping[str, Any]) -> Check:
    """Whether it can be imported."""
    if "error" in facts:
        hint = "Install it with `pip install 'remora-serve[serve]'`."
        return Check("torch", Health.FAIL, f"can't be imported: {facts['error']}", hint)
    return Check("torch", Health.OK, f"{facts['version']}, {facts['threads']} threads")


def check_cpu(facts: Mapping[str, Any]) -> Check:
    """Whether bfloat16 is computed in hardware."""
    if facts["bf16"]:
        return Check("cpu", Health.OK, f"{facts['cpu']} with bfloat16")
    hint = "Weights are served as float32: twice the memory, and slower."
    return Check("cpu", Health.WARN, f"{facts['cpu']} without bfloat16", hint)


def check_gpu(facts: Mapping[str, Any], *, nvidia: bool) -> Check:
    """A GPU is used if PyTorch sees it; a driver without it is a mistake."""
    if facts["gpus"]:
        return Check("gpu", Health.OK, ", ".join(facts["gpus"]))
    if not nvidia:
        return Check("gpu", Health.OK, "none; the CPU serves")
    built = facts["built_for_cuda"]
    return Check(
        "gpu",
        Health.WARN,
        f"there is an NVIDIA driver, but PyTorch sees no GPU (built for CUDA: {built or 'no'})",
        "Install a build of PyTorch for the driver: https://pytorch.org/get-started/locally.",
    )


def azure_sign_in() -> RemoraError | None:
    """Why nobody is signed in to Azure; None if somebody is."""
    from remora.azure.clients import arm_endpoint, azure_clients

    try:
        with azure_clients() as clients:
            clients.credential.get_token_info(f"{arm_endpoint()}/.default")
    except RemoraError as error:
        return error
    return None


def check_azure(wrong: RemoraError | None) -> Check:
    """Whether `remora provision` could ask Azure; serving here needs no Azure."""
    if wrong is None:
        return Check("azure", Health.OK, "signed in")
    return Check("azure", Health.WARN, f"not signed in: {wrong}", wrong.hint or "Run `az login`.")
