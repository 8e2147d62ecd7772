"""AI Toolkit's prompt template is found in a project's files, which are read and never run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remora.project.project import find_project
from remora.project.toolkit_prompt import find_prompt
from remora.project.tree import LocalTree
from tests.cli.conftest import Remora
from tests.cli.conftest import remora as remora  # noqa: PLC0414  A fixture.
from tests.trees import make_adapter, make_base

PROMPT = "### Text: {}\n### The tone is:\n"
CODE = f"""
import sys
sys.exit("the project's code was run")

def run_generation(user_text):
    template = {PROMPT!r}
    return template.format(user_text)
"""
TRAINING = "### Text: {phrase}\n### The tone is:\n{tone}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_base(tmp_path / "model-cache" / "microsoft" / "phi-2")
    make_adapter(tmp_path / "models" / "qlora" / "qlora" / "gpu_model" / "adapter", "phi-2")
    (tmp_path / "inference").mkdir()
    (tmp_path / "finetuning").mkdir()
    return tmp_path


def code(folder: Path, text: str = CODE, name: str = "gradio_chat.py") -> None:
    (folder / "inference" / name).write_text(text, encoding="utf-8")


def train(folder: Path, text: str = TRAINING) -> None:
    parameters = {"text_cols": ["phrase", "tone"], "text_template": text}
    settings = {"data_configs": [{"pre_process_data_config": {"params": parameters}}]}
    (folder / "finetuning" / "olive-config.json").write_text(json.dumps(settings))


def test_that_of_the_inference_code_comes_first(folder: Path) -> None:
    code(folder)
    train(folder, "{a} -> {b}")
    project = find_project(folder)
    prompt = project.prompts["gpu_model"]
    assert str(prompt.template) == PROMPT
    assert prompt.source == "inference/gradio_chat.py, line 6"
    [why] = [finding.why for finding in project.findings if finding.name == "gpu_model"]
    assert why.endswith("; its prompt is that of inference/gradio_chat.py, line 6")


@pytest.mark.parametrize(
    "text",
    [
        "",
        'template = "<prompt_template>"',
        "torch_dtype = torch.<compute_dtype>\ntemplate = 'a {}'",
        "template = 'a {} b {}'",
        "other = 'a {}'",
        "template = make('a {}')",
        "\0",
        "(" * 5000,
    ],
)
def test_else_it_is_that_of_the_training(folder: Path, text: str) -> None:
    code(folder, text)
    train(folder)
    prompt = find_project(folder).prompts["gpu_model"]
    assert (str(prompt.template), prompt.source) == (
        PROMPT,
        "finetuning/olive-config.json, text_template",
    )


def test_without_one_the_base_models_template_holds(folder: Path) -> None:
    (folder / "finetuning" / "olive-config.json").write_text("{ <lora_r> }")
    code(folder, "x = 1", "utils.py")
    assert find_prompt(LocalTree(folder)) is None
    assert find_project(folder).prompts == {}


@pytest.mark.parametrize("name", ["utils.py", "chat.py", "console_chat.py"])
def test_other_files_of_the_inference_code(folder: Path, name: str) -> None:
    code(folder, CODE, name)
    assert find_project(folder).prompts["gpu_model"].source == f"inference/{name}, line 6"


def test_an_adapters_own_template_comes_before(folder: Path) -> None:
    code(folder)
    [adapter] = folder.glob("models/**/adapter")
    (adapter / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    assert find_project(folder).prompts == {}


def test_an_adapter_from_elsewhere_has_not_this_projects_prompt(folder: Path) -> None:
    code(folder)
    (folder / "models" / "qlora").rename(folder / "downloads")
    (folder / "models").rmdir()
    (folder / "model-cache" / "microsoft" / "phi-2").rename(folder / "phi-2")
    (folder / "model-cache" / "microsoft").rmdir()
    (folder / "model-cache").rmdir()
    project = find_project(folder)
    assert list(project.adapters) == ["gpu_model"]
    assert project.prompts == {}


def test_init_writes_it_down_and_the_file_overrides(folder: Path, remora: Remora) -> None:
    code(folder)
    assert remora("init", str(folder), "--yes").code == 0
    project = find_project(folder)
    assert str(project.prompts["gpu_model"].template) == PROMPT
    file = folder / "remora.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("### Text: ", "Say: "), encoding="utf-8")
    project = find_project(folder)
    assert str(project.prompts["gpu_model"].template) == PROMPT.replace("### Text: ", "Say: ")
    assert project.prompts["gpu_model"].source == "remora.toml"


def test_check_says_where_it_comes_from(folder: Path, remora: Remora) -> None:
    code(folder)
    events = remora("check", str(folder), "--json").events
    [found] = [event for event in events if event.get("code") == "prompt-template"]
    assert (found["model"], found["file"]) == ("gpu_model", "inference/gradio_chat.py, line 6")
    assert repr(PROMPT) in found["reason"]


def test_a_broken_one_in_the_file_is_named(folder: Path, remora: Remora) -> None:
    (folder / "remora.toml").write_text(
        '[model]\nbase = "model-cache/microsoft/phi-2"\n'
        '[adapters.tone]\npath = "x"\nprompt_template = "{} {}"\n'
    )
    ran = remora("check", str(folder))
    assert ran.code == 2
    assert "remora.toml:5: [adapters.tone] prompt_template" in ran.err
    assert "one {} is expected, there are 2" in ran.err
