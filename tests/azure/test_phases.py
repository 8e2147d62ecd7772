from __future__ import annotations

import datetime as dt

import pytest

from remora.azure.app import App, Replica
from remora.azure.phases import GRACE, Failure, Phase, Sight, Watch, sight, with_log
from remora.azure.streams import Event


def app(*replicas: Replica, error: str = "") -> App:
    return App("group", "app", "app--1", "Processing", error, replicas, "https://events")


def replica(state: str = "Waiting", detail: str = "", *, restarts: int = 0) -> Replica:
    return Replica("app--1-a", "server", dt.datetime.now(dt.UTC), state, detail, False, restarts)


def event(reason: str, message: str = "", *, count: int = 1, of: str = "app--1-a") -> Event:
    return Event("", reason, message, "app--1", of, is_warning=False, count=count)


@pytest.mark.parametrize(
    ("seen", "events", "phase"),
    [
        (app(), [], Phase.SCHEDULING),
        (app(replica()), [event("AssigningReplica", "scheduled")], Phase.SCHEDULING),
        (app(replica()), [event("AssigningReplica"), event("PullingImage")], Phase.PULLING),
        (app(replica()), [event("PullingImage"), event("ImagePulled")], Phase.STARTING),
        (app(replica("Running")), [], Phase.STARTING),
        (app(replica()), [event("PullingImage", of="app--1-older")], Phase.SCHEDULING),
        (app(replica()), [event("SomethingNew")], Phase.SCHEDULING),
    ],
)
def test_what_an_app_does_is_seen_in_its_replicas_and_events(
    seen: App, events: list[Event], phase: Phase
) -> None:
    assert sight(seen, events).phase is phase


@pytest.mark.parametrize(
    ("seen", "events", "reason"),
    [
        (
            app(replica()),
            [event("PullingImage"), event("ErrImagePull", "manifest unknown", count=3)],
            "image can't be pulled",
        ),
        (
            app(replica(detail="ImagePullBackOff")),
            [],
            "image can't be pulled: ImagePullBackOff",
        ),
        (
            app(replica()),
            [event("ContainerTerminated", "terminated with reason 'VolumeMountFailure'")],
            "share can't be mounted",
        ),
        (
            app(replica("Terminated", "exit code '137', OOMKilled", restarts=2)),
            [event("ContainerBackOff", "Persistent Failure to start container")],
            "out of memory",
        ),
        (
            app(replica(restarts=4)),
            [event("ContainerBackOff", "Persistent Failure to start container", count=9)],
            "ends again and again",
        ),
        (
            app(replica("Running")),
            [event("ReplicaUnhealthy", "Startup probe failed: connection refused", count=12)],
            "does not answer its probes",
        ),
        (app(error="GPU quota exceeded in westus3"), [], "there is no GPU for it"),
    ],
)
def test_each_failure_is_explained(seen: App, events: list[Event], reason: str) -> None:
    found = sight(seen, events).failure
    assert found is not None
    assert reason in found.reason
    assert found.hint


@pytest.mark.parametrize(
    "events",
    [
        [event("ErrImagePull", "a registry that was busy for a moment")],
        [event("ReplicaUnhealthy", "Startup probe failed: connection refused", count=3)],
        [event("ProbeFailed", "Probe of Readiness failed with status code 503", count=99)],
    ],
)
def test_what_may_pass_is_no_failure_yet(events: list[Event]) -> None:
    assert sight(app(replica()), events).failure is None


@pytest.mark.parametrize(
    ("lines", "phase"),
    [
        (["not JSON", '"text"'], Phase.STARTING),
        (['{"event": "phase", "phase": "unpack", "seconds": null}'], Phase.STARTING),
        (['{"event": "phase", "phase": "read", "seconds": null}'], Phase.LOADING),
        (
            [
                '{"event": "phase", "phase": "prove", "seconds": null}',
                '{"event": "phase", "phase": "read", "seconds": 12.5}',
            ],
            Phase.PROVING,
        ),
        (
            [
                '{"event": "phase", "phase": "prove", "seconds": null}',
                '{"event": "phase", "phase": "release", "seconds": null}',
            ],
            Phase.STARTING,
        ),
    ],
)
def test_the_log_tells_how_far_a_server_is(lines: list[str], phase: Phase) -> None:
    assert with_log(Sight(Phase.STARTING), lines).phase is phase


def test_a_failure_must_last() -> None:
    watch, bad = Watch(), Sight(Phase.STARTING, failure=Failure("it ends", "look"))
    assert watch.saw(bad, 0) is None
    assert watch.saw(Sight(Phase.STARTING), GRACE) is None
    assert watch.saw(bad, GRACE + 1) is None
    assert watch.saw(bad, 2 * GRACE) is None
    assert watch.saw(bad, 2 * GRACE + 1) == bad.failure


def test_a_phase_that_takes_too_long_says_what_that_means() -> None:
    watch = Watch()
    assert watch.saw(Sight(Phase.SCHEDULING), 0) is None
    assert watch.saw(Sight(Phase.SCHEDULING), 899) is None
    stuck = watch.saw(Sight(Phase.SCHEDULING, "AssigningReplica"), 900)
    assert stuck is not None
    assert stuck.reason == "Azure has assigned no GPU to it in 15 minutes (AssigningReplica)"
    assert watch.saw(Sight(Phase.PULLING), 901) is None, "another phase, another limit"
