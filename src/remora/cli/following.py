"""Following a deployment on Azure to its end, or until the user lets go of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from remora.cli.output import INTERRUPTED, Output

if TYPE_CHECKING:
    from remora.azure.deployment import Deployment


def follow(output: Output, deployment: Deployment, project: Path) -> None:
    """Show how it goes on; in the end write the six keys of inference.config.json."""
    from remora.azure.config_file import (
        INFERENCE_CONFIG,
        InferenceConfig,
        write_inference_config,
    )
    from remora.cli.deployment_view import DeploymentView

    started = time.perf_counter()
    output.say("phase", phase="deploy", seconds=None)
    output.say("portal", f"Azure shows it at {deployment.portal}", url=deployment.portal)
    with DeploymentView(output) as view:
        config = InferenceConfig.from_outputs(deployment.follow(view))
    write_inference_config(project, config)
    seconds = time.perf_counter() - started
    output.say("phase", phase="deploy", seconds=round(seconds, 2))
    output.say(
        "provisioned",
        f"Provisioned in {seconds:.0f} s; {INFERENCE_CONFIG.as_posix()} is written."
        " `remora deploy` brings your models there.",
        config=config.model_dump(by_alias=True),
    )
    url = f"https://{config.aca_app_endpoint}"
    output.say("endpoint", url, url=url)


@contextmanager
def interruptible(output: Output, deployment: Deployment) -> Iterator[None]:
    """Ctrl-C ends the command; the user says whether the deployment goes on without it."""
    try:
        yield
    except KeyboardInterrupt:
        if deployment.is_running():
            _interrupted(output, deployment)
        sys.exit(INTERRUPTED)


def _interrupted(output: Output, deployment: Deployment) -> None:
    from remora.cli.choose import is_asked

    asked = not output.as_json and is_asked()
    if asked and not typer.confirm("\nLeave the deployment running?", default=True):
        deployment.cancel()
        output.say("cancelled", "Cancelled; what was made stays.")
        return
    output.say(
        "left_running",
        "It goes on without us. `remora provision` follows it again.",
        portal=deployment.portal,
    )
