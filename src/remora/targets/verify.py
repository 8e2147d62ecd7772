"""What lies here, against what an endpoint says that it serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from remora.formats.adapter_config import version_digest
from remora.project.project import Project
from remora.release.bundle import project_bundle
from remora.release.digests import DigestCache
from remora.release.manifest import short, tree_digest
from remora.release.publish import load
from remora.release.report import Report
from remora.release.share import Share
from remora.release.sources import Source, project_sources
from remora.release.sync import survey
from remora.targets.target import Target


@dataclass(frozen=True, slots=True)
class Compared:
    """The digests of a model, or of the code; None where there is none, or where it is known to be
    another without reading."""

    part: Literal["model", "code"]
    name: str
    here: str | None
    there: str | None

    @property
    def same(self) -> bool:
        return self.here is not None and self.here == self.there

    @property
    def told(self) -> str:
        """For a person."""
        here = short(self.here) if self.here else "not here, or not yet uploaded"
        if self.same:
            return here
        return f"here {here}, served {short(self.there) if self.there else 'not at all'}"


def compare(project: Project, target: Target, report: Report) -> list[Compared]:
    """The base first, then all adapters that are here or served, and code if there is any.

    Raises as `project_bundle`: code is packed to be compared.
    """
    state, share = project.folder / ".remora", target.share
    cache = DigestCache(state / "digests.json")
    found = survey(project_sources(project, share), share, cache)

    def digests(files: tuple[Source, ...]) -> dict[str, str] | None:
        known = {file.name: found.digests[file] for file in files if file in found.digests}
        return known if len(known) == len(files) else None

    base = digests(found.sources.base)
    here = {project.name: tree_digest(base) if base else None}
    for name, files in found.sources.adapters.items():
        known = digests(files)
        here[name] = version_digest(known) if known else None
    there = {model.name: model.digest for model in report.models}
    models = [
        Compared("model", name, here.get(name), there.get(name)) for name in {**here, **there}
    ]
    bundle = project_bundle(project, state, target.runtime, cache)
    code = Compared(
        "code", "code", cache.of(bundle.archive) if bundle else None, _code(share, report)
    )
    cache.save()
    return [*models, code] if code.here or code.there else models


def _code(share: Share, report: Report) -> str | None:
    """The digest of the code of the release that is served."""
    if report.served is None:
        return None
    code = load(share, report.served.release).content.code
    return code.digest if code else None
