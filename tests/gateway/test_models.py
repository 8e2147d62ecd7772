"""`/v1/models`."""

from __future__ import annotations

import openai
import pytest

from remora.backends.backend import Phase
from remora.engine.request import SamplingParams
from tests.gateway.conftest import Endpoint, Serve
from tests.gateway.scripted_backend import ScriptedBackend


def test_list(endpoint: Endpoint) -> None:
    models = endpoint.openai.models.list().data
    assert [m.id for m in models] == ["base", "support", "idle", "bad", "org/nested@1"]
    assert (
        models[1].model_dump().items()
        >= {
            "id": "support",
            "object": "model",
            "created": 1_700_000_000,
            "owned_by": "remora",
            "root": "base",
            "parent": "base",
            "max_model_len": 4096,
            "state": "ready",
            "loaded": True,
            "reason": None,
            "digest": "digest-support",
            "rank": 16,
            "probe": {
                "prompt": "5eed",
                "max_difference": 3.5,
                "kl_divergence": 0.25,
                "replay": None,
                "warnings": [],
            },
            "defaults": {
                "temperature": 1.0,
                "top_p": 1.0,
                "top_k": 0,
                "min_p": 0.0,
                "repetition_penalty": 1.0,
                "presence_penalty": 0.0,
                "frequency_penalty": 0.0,
            },
        }.items()
    )
    assert models[0].model_dump()["parent"] is None
    assert models[2].model_dump()["loaded"] is False
    assert models[3].model_dump()["reason"] == "NaN in lora_B"


@pytest.mark.parametrize("name", ["base", "support", "org/nested@1"])
def test_retrieve(endpoint: Endpoint, name: str) -> None:
    assert endpoint.openai.models.retrieve(name).id == name


def test_retrieve_unknown(endpoint: Endpoint) -> None:
    with pytest.raises(openai.NotFoundError, match="Did you mean 'support'"):
        endpoint.openai.models.retrieve("suport")


def test_the_defaults_are_the_backend_s(serve: Serve) -> None:
    backend = ScriptedBackend()
    backend.sampling = SamplingParams(temperature=0.6, top_k=20)
    client = serve(backend).openai
    for name in ("base", "support"):
        defaults = client.models.retrieve(name).model_dump()["defaults"]
        assert (defaults["temperature"], defaults["top_k"], defaults["top_p"]) == (0.6, 20, 1.0)


def test_answered_while_loading(serve: Serve) -> None:
    assert len(serve(ScriptedBackend(Phase.LOADING)).openai.models.list().data) == 5
