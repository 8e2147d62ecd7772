"""The content of a release, from the files that are on the share and the project's settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from remora.formats.adapter_config import version_digest
from remora.project.config import EngineSection, ModelSection
from remora.release.blobs import blob
from remora.release.manifest import Adapter, Base, Code, Content, File, tree_digest
from remora.release.on_share import is_sampled
from remora.release.sources import Source, Sources


def assemble(
    sources: Sources,
    digests: Mapping[Source, str],
    *,
    model: ModelSection,
    engine: EngineSection,
) -> Content:
    """What is to be served. ``digests`` holds every file's, as `sync` returns them."""
    base = _files(sources.base, digests)
    return Content(
        base=Base(
            name=sources.name,
            digest=tree_digest({file.name: file.digest for file in base}),
            files=base,
        ),
        adapters={
            name: _adapter(_files(files, digests)) for name, files in sources.adapters.items()
        },
        # The release itself says where the base is, on any machine.
        model=model.model_copy(update={"base": ".", "name": sources.name}),
        engine=engine,
        code=_code(sources, digests),
    )


def _code(sources: Sources, digests: Mapping[Source, str]) -> Code | None:
    if sources.code is None or sources.runtime is None:
        return None
    digest = digests[sources.code]
    return Code(
        digest=digest,
        size=sources.code.size,
        path=str(blob(digest)),
        python=sources.runtime.python,
        platform=sources.runtime.platform,
    )


def _adapter(files: tuple[File, ...]) -> Adapter:
    return Adapter(digest=version_digest({file.name: file.digest for file in files}), files=files)


def _files(sources: Iterable[Source], digests: Mapping[Source, str]) -> tuple[File, ...]:
    return tuple(
        File(
            name=source.name,
            size=source.size,
            digest=digests[source],
            path=str(source.place if source.stays and source.place else blob(digests[source])),
            sampled=is_sampled(source),
        )
        for source in sorted(sources, key=lambda source: source.name)
    )
