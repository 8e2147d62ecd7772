"""From a project and the options of the command line to what `remora serve` starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from remora.cli.keys import Keys, keys_for, read_keys
from remora.engine.options import EngineOptions
from remora.errors import ConfigError
from remora.gateway.settings import GatewaySettings
from remora.project.config import CONFIG_FILE, ServerSection, read_config
from remora.project.discovery import Finding, Kind
from remora.project.names import is_name
from remora.project.project import Project, check_adapter, find_project, plain_project

if TYPE_CHECKING:
    from remora.reconcile.choice import Start

Section = TypeVar("Section", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is decided before anything heavy is loaded. ``start`` is a share's release, and
    ``merge`` the folder of the one adapter that becomes a part of the base."""

    project: Project
    options: EngineOptions
    settings: GatewaySettings
    keys: Keys
    start: Start | None = None
    merge: Path | None = None

    @property
    def host(self) -> str:
        return self.project.server.host

    @property
    def port(self) -> int:
        return self.project.server.port


def make_plan(
    folder: Path | None,
    *,
    base: Path | None,
    adapters: Sequence[str],
    model: Mapping[str, Any],
    engine: Mapping[str, Any],
    server: Mapping[str, Any],
    merge: str | None = None,
    api_key_file: Path | None = None,
    admin_key_file: Path | None = None,
) -> Plan:
    """Find the project, let options win over its file, and read the keys.

    With ``base`` and without a folder no project is looked for. None stands for an option that
    was not given. Raises `ConfigError` for whatever the user must put right.
    """
    if folder is None and base is not None:
        project = plain_project(base)
    else:
        project = find_project(folder or Path.cwd(), base=base and base.absolute())
    project = _overridden(project, model, engine, server)
    project = _with_adapters(project, adapters)
    if merge is None:
        return _planned(project, api_key_file, admin_key_file)
    plan = _planned(_only(project, merge), api_key_file, admin_key_file)
    return replace(plan, merge=project.adapters[merge])


def make_release_plan(
    start: Start,
    folder: Path | None,
    *,
    server: Mapping[str, Any],
    api_key_file: Path | None = None,
    admin_key_file: Path | None = None,
) -> Plan:
    """Serve what a share's release says; ``folder`` may have a file with settings of the server."""
    content = start.choice.served.release.content
    file = folder / CONFIG_FILE if folder else None
    section = read_config(file).server if file and file.is_file() else ServerSection()
    project = Project(
        folder=start.share.root,
        base=start.checkout.base,
        name=content.base.name,
        adapters=start.checkout.adapters,
        model=content.model,
        engine=content.engine,
        server=_merged(section, server),
    )
    return replace(_planned(project, api_key_file, admin_key_file), start=start)


def _planned(project: Project, api_key_file: Path | None, admin_key_file: Path | None) -> Plan:
    options = EngineOptions(
        dtype=project.model.dtype,
        device=project.model.device,
        context_length=project.model.context_length,
        trust_remote_code=project.model.trust_remote_code,
        **project.engine.model_dump(),
    )
    keys = keys_for(
        project.server.host,
        read_keys(project.server.api_key_env, api_key_file),
        read_keys(project.server.admin_key_env, admin_key_file),
    )
    return Plan(project, options, _settings(project, keys), keys)


def _only(project: Project, name: str) -> Project:
    """The project with one adapter in the place of its base and of all adapters."""
    if name not in project.adapters:
        known = ", ".join(sorted(project.adapters)) or "none"
        raise ConfigError(f"--merge {name}: there is no such adapter", hint=f"There are: {known}.")
    findings = [f for f in project.findings if f.kind is not Kind.ADAPTER or f.name == name]
    return replace(project, name=name, adapters={}, findings=tuple(findings))


def _settings(project: Project, keys: Keys) -> GatewaySettings:
    server = project.server
    return GatewaySettings(
        api_keys=keys.api,
        admin_keys=keys.admin,
        allowed_hosts=server.allowed_hosts,
        cors_origins=server.cors_origins,
        max_body_bytes=server.max_body_bytes,
        request_timeout=server.request_timeout,
        drain_timeout=server.drain_timeout,
        adapter_root=project.folder / server.adapter_root if server.adapter_root else None,
    )


def _overridden(
    project: Project,
    model: Mapping[str, Any],
    engine: Mapping[str, Any],
    server: Mapping[str, Any],
) -> Project:
    section = _merged(project.model, model)
    project = replace(
        project,
        model=section,
        engine=_merged(project.engine, engine),
        server=_merged(project.server, server),
    )
    return _renamed(project, section.name) if model.get("name") and section.name else project


def _merged(section: Section, options: Mapping[str, Any]) -> Section:
    given = {key: value for key, value in options.items() if value is not None}
    try:
        return section.model_validate(section.model_dump() | given)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        option = f"--{detail['loc'][0]}".replace("_", "-")
        message = detail["msg"].removeprefix("Input ").replace("should be", "must be")
        raise ConfigError(f"{option}: {message}, not {detail['input']!r}") from error


def _renamed(project: Project, name: str) -> Project:
    if name in project.adapters:
        raise ConfigError(f"--name: {name!r} is an adapter's name", hint="Give it another.")
    findings = tuple(
        replace(finding, name=name) if finding.kind is Kind.BASE else finding
        for finding in project.findings
    )
    return replace(project, name=name, findings=findings)


def _with_adapters(project: Project, given: Sequence[str]) -> Project:
    adapters, findings = dict(project.adapters), list(project.findings)
    for text in given:
        name, equals, folder = text.partition("=")
        if not (equals and folder):
            raise ConfigError(f"--adapter {text}: NAME=DIR is expected")
        if not is_name(name):
            raise ConfigError(
                f"--adapter {text}: {name!r} is not a usable name",
                hint="Names begin with a letter or digit, and hold letters, digits, '.', '_', '-'.",
            )
        if name == project.name or name in adapters:
            raise ConfigError(f"--adapter {text}: the name {name!r} is taken")
        path = check_adapter(Path(folder).absolute(), f"--adapter {text}")
        adapters[name] = path
        findings.append(Finding(Kind.ADAPTER, path, "named by the user", name))
    return replace(project, adapters=adapters, findings=tuple(findings))
