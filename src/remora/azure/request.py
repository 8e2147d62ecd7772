"""What the user asks for, and the parameters that follow from it and from what is there."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remora.azure.cost import Prices
from remora.azure.existing import Existing, follows, look
from remora.azure.names import check_name, default_names
from remora.azure.parameters import Origin, Parameter, Source, resolve, sources_of
from remora.azure.places import Group
from remora.azure.project_files import ProjectFiles, read_files
from remora.azure.template import Template
from remora.azure.toolkit_commands import KEPT, REPLACED, starts_gradio_chat
from remora.errors import ConfigError

if TYPE_CHECKING:
    from remora.azure.clients import Clients

_OTHER_GROUPS = (
    "storageAccountResourceGroup",
    "acaEnvironmentResourceGroup",
    "acaLogAnalyticsResourceGroup",
)


@dataclass(frozen=True, slots=True)
class Request:
    """A project's inference in a resource group."""

    project: Path
    group: Group
    template: Template
    options: Source
    prices: Prices
    hf_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Every parameter with its origin, the files that were read, and what is there."""

    request: Request
    parameters: Mapping[str, Parameter]
    files: ProjectFiles
    existing: Existing

    @property
    def values(self) -> dict[str, Any]:
        """All values of Remora's own parameters, those included that a template of the user's does
        not declare."""
        return _values(self.request, self.parameters)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of how they were found."""
        notes, values = list(self.files.notes), self.values
        for key, name in self.files.provisioned.items():
            if name and name != values.get(key):
                notes.append(
                    f"infra/inference.config.json says {key} {name}, and this plan is for"
                    f" {values.get(key)}: the parameters file can name it"
                )
        if values.get("keepCommands"):
            notes.append(KEPT)
        elif starts_gradio_chat(values.get("defaultCommands")):
            notes.append(REPLACED)
        return tuple(notes)


def resolve_request(clients: Clients, request: Request) -> Resolved:
    """Read the project's files, and ask Azure what is there. Raises `ConfigError`."""
    files = read_files(request.project, clients.subscription, request.group)
    _check_known(files, request.template)
    said = _values(request, _resolve(request, files, None))
    existing = look(clients, request.group, said)
    decided = follows(existing, gpu=str(said["gpuProfile"]), most=int(said["maximumInstanceCount"]))
    parameters = _resolve(request, files, decided)
    for parameter in parameters.values():
        _check(request.template, parameter)
    if parameters.get("keepCommands") and parameters["keepCommands"].value:
        _check_commands(parameters)
    return Resolved(request, parameters, files, existing)


def _resolve(request: Request, files: ProjectFiles, decided: Source | None) -> dict[str, Parameter]:
    names = [name for name, one in request.template.parameters.items() if not one.is_secret]

    def resolved(defaults: Mapping[str, Any]) -> dict[str, Parameter]:
        sources = sources_of(
            options=request.options,
            inference=files.inference,
            finetuning=files.finetuning,
            config=files.config,
            existing=decided or Source(Origin.EXISTING, {}),
            defaults=defaults,
        )
        return resolve(names, sources)

    # Names that are not given follow from those that are.
    given = {name: one.value for name, one in resolved({}).items()}
    return resolved(_defaults(request, given))


def _values(request: Request, parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    known = {name: one.value for name, one in parameters.items()}
    decided_by_template = {"gpuProfile": "", "maximumInstanceCount": 1, "keepCommands": False}
    return decided_by_template | _defaults(request, known) | known


def _defaults(request: Request, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the template takes where nothing is given, as far as it can be told beforehand."""
    plain = {
        name: one.default
        for name, one in request.template.parameters.items()
        if one.default is not None and not str(one.default).startswith("[")
    }
    return {
        **plain,
        **dict.fromkeys(_OTHER_GROUPS, request.group.name),
        "location": request.group.location,
        **default_names(request.group.id, given),
    }


def _check_known(files: ProjectFiles, template: Template) -> None:
    """The inference step's own file may name nothing that the template does not have."""
    if files.inference is None:
        return
    known = template.parameters
    for name, place in files.inference.places.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            also = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{place}: the template has no such parameter.{also}")
        if known[name].is_secret and name in files.inference.values:
            raise ConfigError(
                f"{place}: a secret does not belong into this file",
                hint="Leave it out: keys are made, and HF_TOKEN is taken from the environment.",
            )


_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "int": (int,),
    "bool": (bool,),
    "array": (list,),
    "object": (dict,),
}


def _check(template: Template, parameter: Parameter) -> None:
    """Raises `ConfigError` where Azure would refuse a value."""
    definition = template.parameters[parameter.name]
    wanted = _TYPES.get(definition.type.lower())
    value, place = parameter.value, parameter.place
    is_number = bool in (wanted or ()) or not isinstance(value, bool)  # True is an int to Python.
    if wanted is not None and not (isinstance(value, wanted) and is_number):
        raise ConfigError(f"{place}: {definition.type} is expected, not {value!r}")
    if definition.allowed and value not in definition.allowed:
        some = ", ".join(map(str, definition.allowed))
        raise ConfigError(f"{place}: {value!r} is none of {some}")
    if isinstance(value, str):
        check_name(parameter.name, value, place)


def _check_commands(parameters: Mapping[str, Parameter]) -> None:
    commands = parameters.get("defaultCommands")
    if commands is None or not commands.value:
        raise ConfigError(
            f"{parameters['keepCommands'].place}: defaultCommands are empty",
            hint="They are in infra/provision/inference.parameters.json of an AI Toolkit project.",
        )
