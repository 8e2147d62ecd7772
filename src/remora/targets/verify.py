"""What lies here, against what an endpoint says that it serves."""

from __future__ import annotations

from dataclasses import dataclass

from remora.formats.adapter_config import version_digest
from remora.project.project import Project
from remora.release.digests import DigestCache
from remora.release.manifest import short, tree_digest
from remora.release.report import Report
from remora.release.share import Share
from remora.release.sources import Source, local_sources
from remora.release.sync import survey


@dataclass(frozen=True, slots=True)
class Compared:
    """A model's digests; None where it is not there, or is known to be another without reading."""

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


def compare(project: Project, share: Share, report: Report) -> list[Compared]:
    """The base first, then all adapters that are here or served."""
    found = survey(
        local_sources(project, share),
        share,
        DigestCache(project.folder / ".remora" / "digests.json"),
    )

    def digests(files: tuple[Source, ...]) -> dict[str, str] | None:
        known = {file.name: found.digests[file] for file in files if file in found.digests}
        return known if len(known) == len(files) else None

    base = digests(found.sources.base)
    here = {project.name: tree_digest(base) if base else None}
    for name, files in found.sources.adapters.items():
        known = digests(files)
        here[name] = version_digest(known) if known else None
    there = {model.name: model.digest for model in report.models}
    return [Compared(name, here.get(name), there.get(name)) for name in {**here, **there}]
