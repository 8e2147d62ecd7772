"""What leads from one release to another, for any two."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from remora.project.config import EngineSection, ModelSection
from remora.reconcile.plan import Plan, plan
from remora.release.manifest import Adapter, Base, Content

DIGESTS = st.sampled_from(["a" * 64, "b" * 64, "c" * 64])


@st.composite
def contents(draw: st.DrawFn) -> Content:
    names = draw(st.dictionaries(st.sampled_from(["x", "y", "z"]), DIGESTS))
    return Content(
        base=Base(name=draw(st.sampled_from(["m", "n"])), digest=draw(DIGESTS), files=()),
        adapters={name: Adapter(digest=digest, files=()) for name, digest in names.items()},
        model=ModelSection(base="."),
        engine=EngineSection(max_batch_size=draw(st.sampled_from([1, 2]))),
    )


@given(contents(), contents())
def test_the_plan_makes_the_served_adapters_the_wanted_ones(
    served: Content, wanted: Content
) -> None:
    steps = plan(served, wanted)
    alike = (served.base, served.model, served.engine) == (
        wanted.base,
        wanted.model,
        wanted.engine,
    )
    assert bool(steps.restart) != alike
    if steps.restart:
        assert not steps.put
        assert not steps.remove
        return
    after = {name: a for name, a in served.adapters.items() if name not in steps.remove}
    after |= {name: wanted.adapters[name] for name in steps.put}
    assert after == wanted.adapters
    unchanged = [name for name, a in served.adapters.items() if a == wanted.adapters.get(name)]
    assert not set(unchanged) & set(steps.put)


@given(contents())
def test_there_is_nothing_to_do_for_what_is_served(content: Content) -> None:
    assert plan(content, content) == Plan()
