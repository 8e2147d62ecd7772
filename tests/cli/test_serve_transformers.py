"""`remora serve` with models that transformers' code runs, in a process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Remora
from tests.cli.serving import Serving, named
from tests.engine.oracle import make_adapter, make_model
from tests.engine.other_families import ADAPTERS
from tests.engine.tiny import Tiny, prompt

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends processes with SIGINT")

CODE = """
from transformers import GPT2Config, GPT2LMHeadModel


class OwnConfig(GPT2Config):
    model_type = "own"


class OwnForCausalLM(GPT2LMHeadModel):
    config_class = OwnConfig
"""


@pytest.fixture
def model(tmp_path: Path) -> Tiny:
    base = make_model(tmp_path / "base", "gpt2")
    adapter = make_adapter(base, tmp_path / "tone", ADAPTERS["gpt2"]["some"])
    return Tiny(tmp_path, "gpt2", {"tone": adapter})


def test_check_warns_of_it_and_refuses_nothing(model: Tiny, remora: Remora) -> None:
    ran = remora("check", str(model.base), str(model.adapters["tone"]), "--json")
    assert ran.code == 0, ran.err
    found = [event for event in ran.events if event["event"] == "diagnostic"]
    assert [(e["code"], e["severity"]) for e in found if e["severity"] != "note"] == [
        ("base-architecture", "warning")
    ]


@pytest.mark.slow
def test_the_listing_the_table_and_the_log_say_who_computes(model: Tiny) -> None:
    options = ["--dtype", "float32", "--port", "0", "--no-ui"]
    adapter = f"tone={model.adapters['tone']}"
    with Serving("--base", str(model.base), "--adapter", adapter, *options, "--json") as process:
        events = process.until("ready")
        warned = [event for event in events if event["event"] == "diagnostic"]
        assert [(event["code"], event["severity"]) for event in warned if event["key"]] == [
            ("base-architecture", "warning")
        ]
        ready = named(events, "ready")
        assert [card["runtime"] for card in ready["models"]] == ["transformers"] * 2
        with httpx.Client(base_url=ready["url"], timeout=60) as client:
            listed = client.get("/v1/models").json()["data"]
            assert [card["runtime"] for card in listed] == ["transformers"] * 2
            body = {
                "prompt": prompt(20),
                "max_tokens": 8,
                "temperature": 0,
                "logit_bias": {"299": -100},
            }
            texts = set()
            for name in ("base", "tone"):
                answer = client.post("/v1/completions", json={"model": name, **body})
                assert answer.status_code == 200, answer.text
                assert answer.json()["usage"]["completion_tokens"] == 8
                texts.add(answer.json()["choices"][0]["text"])
            assert len(texts) == 2, "the adapter has no effect"
            assert client.get("/v1/models/tone").json()["probe"]["max_difference"] > 0
        assert "runs on transformers' modeling code" in process.log()
        assert process.stop() == 0


@pytest.mark.slow
def test_a_models_own_code_runs_only_if_the_user_says_so(model: Tiny, tmp_path: Path) -> None:
    file = model.base / "config.json"
    config = json.loads(file.read_text("utf-8"))
    config |= {
        "model_type": "own",
        "architectures": ["OwnForCausalLM"],
        "auto_map": {
            "AutoConfig": "modeling_own.OwnConfig",
            "AutoModelForCausalLM": "modeling_own.OwnForCausalLM",
        },
    }
    file.write_text(json.dumps(config), encoding="utf-8")
    mark = tmp_path / "ran"
    code = f"{CODE}\nopen({str(mark)!r}, 'w').close()\n"
    (model.base / "modeling_own.py").write_text(code, encoding="utf-8")
    options = ["--base", str(model.base), "--dtype", "float32", "--port", "0", "--no-ui"]
    env = {"HF_HOME": str(tmp_path / "hf")}
    with Serving(*options, env=env) as process:
        assert process.process.wait(60) == 3
        assert "--trust-remote-code" in process.log()
    assert not mark.exists()
    with Serving(*options, "--trust-remote-code", env=env) as process:
        lines = []
        for line in process.lines():
            lines.append(line)
            if "Ctrl-C" in line:
                break
        assert "on transformers: slower" in "\n".join(lines)
        assert process.stop() == 0
    assert mark.exists()
