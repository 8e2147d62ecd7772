"""`remora check` against what PEFT writes, and against what goes wrong with it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from remora.cli.inspection import Inspection
from remora.cli.output import Output
from remora.errors import AdapterBroken, ModelError
from remora.project.project import plain_project
from tests.cli.conftest import Ran, Remora
from tests.engine.tiny import FAMILIES, Tiny
from tests.engine.tiny import tiny as tiny  # noqa: PLC0414  A fixture.

DEMO = Path(__file__).parent.parent.parent / "examples" / "demo"
WEIGHTS = "adapter_model.safetensors"
Q = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"
Tensors = dict[str, torch.Tensor]


class Files:
    """A base model and one adapter, to be damaged by a test."""

    def __init__(self, folder: Path, model: Tiny, adapter: str) -> None:
        self.base = Path(shutil.copytree(model.base, folder / "Tiny-1B"))
        self.adapter = Path(shutil.copytree(model.adapters[adapter], folder / "out" / "tone"))
        self.set(self.adapter / "adapter_config.json", base_model_name_or_path="me/Tiny-1B")

    def set(self, file: Path, **values: Any) -> None:
        raw = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        file.write_text(json.dumps({**raw, **values}), encoding="utf-8")

    def configure(self, **values: Any) -> None:
        self.set(self.adapter / "adapter_config.json", **values)

    def change(self, edit: Callable[[Tensors], object]) -> None:
        path = self.adapter / WEIGHTS
        tensors = load_file(path)
        edit(tensors)
        path.unlink()
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


@pytest.fixture
def files(tiny: Callable[[str], Tiny], tmp_path: Path) -> Files:
    return Files(tmp_path, tiny("llama2"), "attention")


def found(ran: Ran) -> list[tuple[str, str]]:
    return [(e["severity"], e["code"]) for e in ran.events if e["event"] == "diagnostic"]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_peft_writes_is_sound(
    family: str, tiny: Callable[[str], Tiny], remora: Remora
) -> None:
    model = tiny(family)
    ran = remora("check", str(model.base), *map(str, model.adapters.values()), "--json")
    assert found(ran) == []
    assert ran.code == 0
    assert ran.events == [
        {
            "event": "checked",
            "models": ["base", *sorted(model.adapters)],
            "folders": {
                "base": str(model.base),
                **{name: str(model.adapters[name]) for name in sorted(model.adapters)},
            },
            "errors": 0,
            "warnings": 0,
            "notes": 0,
        }
    ]


def test_the_demo_is_sound(remora: Remora) -> None:
    ran = remora("check", str(DEMO))
    assert (ran.code, ran.out) == (0, "4 models: 0 errors, 0 warnings, 0 notes.\n")


def test_no_model_library_is_loaded() -> None:
    heavy = {"torch", "numpy", "safetensors", "tokenizers", "starlette"}
    code = f"""
import sys
from remora.cli.main import app
app(["check", {str(DEMO)!r}], standalone_mode=False)
print(sorted({heavy!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def nan(tensors: Tensors) -> None:
    tensors[Q.format("A")][1, 2] = torch.nan


def half_nan(tensors: Tensors) -> None:
    for name in tensors:
        tensors[name] = tensors[name].half()
    tensors[Q.format("B")][0, 0] = torch.inf


def zero(tensors: Tensors) -> None:
    for name in tensors:
        if "lora_B" in name:
            tensors[name].zero_()


def other_model(tensors: Tensors) -> None:
    for name in list(tensors):
        wide = torch.zeros(4, 96) if "lora_A" in name else torch.ones(128, 4)
        tensors[name] = wide


def add_tokens(files: Files, *tokens: str) -> None:
    raw = json.loads((files.base / "tokenizer.json").read_text(encoding="utf-8"))
    first = len(raw["model"]["vocab"])
    raw["added_tokens"] += [
        {**raw["added_tokens"][0], "id": first + n, "content": token}
        for n, token in enumerate(("[PAD]", *tokens))
    ]
    (files.adapter / "tokenizer.json").write_text(json.dumps(raw), encoding="utf-8")
    files.set(files.adapter / "tokenizer_config.json", pad_token="[PAD]")


def forget_endings(files: Files) -> None:
    files.set(files.base / "config.json", eos_token_id=None)
    files.set(files.base / "generation_config.json", eos_token_id=None)
    (files.base / "tokenizer_config.json").unlink()


FAULTS: dict[str, tuple[Callable[[Files], object], list[tuple[str, str]], str]] = {
    "not an adapter of LoRA": (
        lambda f: f.configure(peft_type="LOHA"),
        [("error", "peft-type")],
        "LOHA",
    ),
    "configuration is broken": (
        lambda f: (f.adapter / "adapter_config.json").write_text("{"),
        [("error", "adapter-config")],
        "adapter_config.json",
    ),
    "weights are missing": (
        lambda f: (f.adapter / WEIGHTS).unlink(),
        [("error", "adapter-weights")],
        WEIGHTS,
    ),
    "weights are truncated": (
        lambda f: (f.adapter / WEIGHTS).write_bytes((f.adapter / WEIGHTS).read_bytes()[:-9]),
        [("error", "adapter-weights")],
        "truncated",
    ),
    "no weights": (
        lambda f: f.change(lambda t: t.clear()),
        [("error", "adapter-weights")],
        "no LoRA weights",
    ),
    "other shapes": (
        lambda f: f.change(other_model),
        [("error", "shape")],
        "takes 96 numbers and gives 128 in the adapter, 64 and 64 in the base model (and 5 more)",
    ),
    "other architecture": (
        lambda f: f.configure(auto_mapping={"base_model_class": "Qwen2ForCausalLM"}),
        [("warning", "architecture")],
        "Qwen2ForCausalLM",
    ),
    "other base by name": (
        lambda f: f.configure(base_model_name_or_path="/home/me/Other-7B"),
        [("warning", "base-name")],
        "Other-7B",
    ),
    "quantized base": (
        lambda f: f.configure(base_model_name_or_path="me/tiny-1b-bnb-4bit"),
        [("note", "quantized-base")],
        "bnb-4bit",
    ),
    "layers that are not there": (
        lambda f: f.change(
            lambda t: t.update(
                {Q.format(s).replace(".0.", ".9."): t[Q.format(s)].clone() for s in "AB"}
            )
        ),
        [("error", "layers")],
        "layer 9, and the base model has 3 layers",
    ),
    "tensor of nothing": (
        lambda f: f.change(lambda t: t.update({"transformer.blocks.0.weight": torch.ones(1)})),
        [("error", "unexpected-key")],
        "transformer.blocks.0.weight",
    ),
    "B is missing": (
        lambda f: f.change(lambda t: t.pop(Q.format("B"))),
        [("error", "missing-key")],
        "no lora_B",
    ),
    "a module is missing": (
        lambda f: f.change(lambda t: (t.pop(Q.format("A")), t.pop(Q.format("B")))),
        [("warning", "missing-module")],
        "layers.0.self_attn.q_proj",
    ),
    "rank of the configuration": (
        lambda f: f.configure(r=8),
        [("error", "rank")],
        "the configuration says 8 (and 5 more)",
    ),
    "NaN": (lambda f: f.change(nan), [("error", "not-finite")], Q.format("A")),
    "infinity in float16": (lambda f: f.change(half_nan), [("error", "not-finite")], Q.format("B")),
    "no effect": (lambda f: f.change(zero), [("error", "no-effect")], "all 6"),
    "no effect in one place": (
        lambda f: f.change(lambda t: t[Q.format("B")].zero_()),
        [("warning", "zero-b")],
        "there are 6",
    ),
    "own template": (
        lambda f: (f.adapter / "chat_template.jinja").write_text("{{ messages }}"),
        [("note", "own-template")],
        "chat_template.jinja",
    ),
    "own template with foreign tokens": (
        lambda f: (f.adapter / "chat_template.jinja").write_text("<|im_start|>{{ messages }}"),
        [("note", "own-template"), ("warning", "missing-tokens")],
        "<|im_start|>",
    ),
    "tokens without a tokenizer": (
        lambda f: f.set(f.adapter / "tokenizer_config.json", eos_token="<|done|>"),
        [("warning", "missing-tokens")],
        "<|done|>",
    ),
    "tokens without embeddings": (
        lambda f: add_tokens(f, "<|more|>"),
        [("note", "own-tokenizer"), ("error", "vocabulary")],
        "<|more|>",
    ),
    "tokenizer config is broken": (
        lambda f: (f.adapter / "tokenizer_config.json").write_text("[]"),
        [("error", "adapter-config")],
        "a JSON object is expected",
    ),
    "base of an unknown architecture": (
        lambda f: f.set(f.base / "config.json", architectures=["MambaForCausalLM"]),
        [("warning", "base-architecture"), ("warning", "architecture")],
        "MambaForCausalLM",
    ),
    "base with other layers": (
        lambda f: f.set(f.base / "config.json", num_hidden_layers=4),
        [("error", "base-layers")],
        "hold 3 layers",
    ),
    "base lacks a shard": (
        lambda f: next(f.base.glob("model-0*.safetensors")).unlink(),
        [("error", "base-weights")],
        "it is not there",
    ),
    "base with a damaged shard": (
        lambda f: next(f.base.glob("model-0*.safetensors")).write_bytes(b"\xff" * 99),
        [("error", "base-weights")],
        "header",
    ),
    "base without tokenizer": (
        lambda f: (f.base / "tokenizer.json").unlink(),
        [("error", "base-tokenizer")],
        "tokenizer.json",
    ),
    "base without template and ending": (
        forget_endings,
        [("warning", "base-ending"), ("note", "base-template")],
        "end of sequence",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(fault: str, files: Files, remora: Remora) -> None:
    spoil, expected, words = FAULTS[fault]
    spoil(files)
    ran = remora("check", str(files.base), str(files.adapter), "--json")
    assert found(ran) == expected
    events = [event for event in ran.events if event["event"] == "diagnostic"]
    assert any(words in f"{event['key']} {event['reason']} {event['file']}" for event in events)
    failed = any(severity == "error" for severity, _ in expected)
    assert ran.code == (3 if failed else 0)
    strict = remora("check", str(files.base), str(files.adapter), "--strict")
    assert strict.code == (3 if {s for s, _ in expected} & {"error", "warning"} else 0)


def test_a_padding_token_of_the_training_is_no_fault(files: Files, remora: Remora) -> None:
    add_tokens(files)
    ran = remora("check", str(files.base), str(files.adapter), "--json")
    assert found(ran) == [("note", "own-tokenizer")]


def test_settings_of_the_project_count(files: Files, remora: Remora, tmp_path: Path) -> None:
    (tmp_path / "remora.toml").write_text(
        '[model]\nbase = "Tiny-1B"\ndtype = "bfloat16"\n'
        '[adapters]\ntone = "out/tone"\n[engine]\nmax_lora_rank = 2\n',
        encoding="utf-8",
    )
    ran = remora("check", str(tmp_path), "--json")
    assert found(ran) == [("error", "rank-limit"), ("note", "precision")]
    assert all(event["model"] == "tone" for event in ran.events[:-1])


def test_a_type_that_the_machine_chooses_is_not_foretold(files: Files, remora: Remora) -> None:
    for shard in files.base.glob("*.safetensors"):
        halves = {name: tensor.bfloat16() for name, tensor in load_file(shard).items()}
        shard.unlink()
        save_file(halves, shard)
    ran = remora("check", str(files.base), str(files.adapter), "--json")
    assert found(ran) == [("note", "precision")]
    reason = "it was saved as F32, and is rounded to BF16 on a machine that is fast in that"
    assert ran.events[0]["reason"] == reason


def test_float16_is_warned_of(files: Files, remora: Remora, tmp_path: Path) -> None:
    (tmp_path / "remora.toml").write_text(
        '[model]\nbase = "Tiny-1B"\ndtype = "float16"\n[adapters]\ntone = "out/tone"\n',
        encoding="utf-8",
    )
    assert found(remora("check", str(tmp_path), "--json")) == [("warning", "precision-range")]


def test_what_a_folder_leaves_out_is_told(files: Files, remora: Remora, tmp_path: Path) -> None:
    broken = tmp_path / "out" / "broken"
    shutil.copytree(files.adapter, broken)
    (broken / "adapter_config.json").write_text("{")
    shutil.copytree(files.adapter, files.adapter / "checkpoint-10")
    ran = remora("check", str(tmp_path), "--json")
    assert sorted(found(ran)) == [("error", "adapter-config"), ("note", "left-out")]
    assert ran.code == 3


def test_a_person_reads_what_and_what_to_do(files: Files, remora: Remora) -> None:
    files.configure(r=8)
    ran = remora("check", str(files.base), str(files.adapter))
    assert "error   tone: adapter_model.safetensors: " in ran.out
    assert "Restore `r` and `rank_pattern` in adapter_config.json" in ran.out
    assert ran.out.endswith("2 models: 1 error, 0 warnings, 0 notes.\n")


def test_a_folder_that_is_not_there(remora: Remora, tmp_path: Path) -> None:
    ran = remora("check", str(tmp_path / "no"), str(tmp_path))
    assert ran.code == 2
    assert "does not exist" in ran.err


def test_what_serve_finds_waits_for_the_spinner(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    files.configure(r=8)
    project = replace(plain_project(files.base), adapters={"tone": files.adapter})
    inspection = Inspection(project, Output(as_json=False))
    inspection.base()
    with pytest.raises(AdapterBroken, match="the configuration says 8"):
        inspection.adapter(files.adapter)
    assert capsys.readouterr().out == ""
    inspection.tell()
    assert capsys.readouterr().out.startswith("error   tone: ")
    with pytest.raises(AdapterBroken):
        inspection.adapter(files.adapter)
    assert capsys.readouterr().out.startswith("error   tone: ")


def test_serve_refuses_a_base_that_has_lost_a_shard(files: Files) -> None:
    next(files.base.glob("model-0*.safetensors")).unlink()
    with pytest.raises(ModelError, match="it is not there"):
        Inspection(plain_project(files.base), Output(as_json=True)).base()
