"""``remora down`` on Azure: what inference created is shown, confirmed and deleted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from remora.cli.output import Output

if TYPE_CHECKING:
    from remora.azure.down import Removal


def down_on_azure(
    output: Output,
    project: Path,
    *,
    subscription: str | None,
    resource_group: str | None,
    with_data: bool,
    yes: bool,
) -> None:
    """Run again it finds nothing to do. The config file forgets the endpoint."""
    from remora.azure.clients import azure_clients
    from remora.azure.config_file import read_inference_config, write_inference_config
    from remora.azure.down import delete, plan_removal
    from remora.cli.azure_place import choose_subscription, known_group
    from remora.cli.choose import confirm

    config = read_inference_config(project)
    with azure_clients() as signed_in:
        chosen = choose_subscription(output, signed_in, project, subscription)
        clients = signed_in.of(chosen.id)
        group = known_group(clients, project, resource_group)
        app = config.aca_app_name if config else None
        removal = plan_removal(clients, group.name, app=app, with_data=with_data) if group else None
        if removal is not None and removal.deleted:
            _tell(output, removal)
            if not confirm(output, "Delete these?", yes=yes):
                output.say("declined", "Nothing was deleted.")
                return
            for one in removal.deleted:
                output.say("deleting", f"Deleting {one.name}", type=one.type, name=one.name)
                delete(clients, removal.group, one)
    if config is not None and config.aca_app_endpoint:
        write_inference_config(project, config.model_copy(update={"aca_app_endpoint": None}))
    deleted = removal.deleted if removal else ()
    text = f"Deleted {len(deleted)} resources." if deleted else "Nothing of inference is there."
    output.say("down", text, ended=bool(deleted), deleted=[one.name for one in deleted])


def _tell(output: Output, removal: Removal) -> None:
    from remora.azure.change import Action, Change
    from remora.cli.plan_table import tell_plan

    created = "was created for inference"
    deleted = [Change(Action.DELETE, one.type, one.name, created) for one in removal.deleted]
    kept = [
        Change(Action.NONE, one.resource.type, one.resource.name, f"stays: {one.reason}")
        for one in removal.kept
    ]
    tell_plan(output, [*deleted, *kept], None)
