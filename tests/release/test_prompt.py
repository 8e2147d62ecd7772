"""The prompt template of a project travels with its adapter, and is part of its version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from remora.formats.prompt_template import parse_prompt
from remora.project.toolkit_prompt import FoundPrompt
from remora.release.checkout import check_out
from remora.release.directory_share import DirectoryShare
from tests.release.projects import make_project, upload


def test_a_prompt_template_is_a_file_of_the_released_adapter(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    share = DirectoryShare(tmp_path / "share")
    project = make_project(tmp_path / "project", "plain", "tone")
    without = upload(project, share)
    text = "### Text: {}\n### The tone is:\n"
    prompts = {"tone": FoundPrompt(parse_prompt(text), "remora.toml")}
    content = upload(replace(project, prompts=prompts), share)
    assert content.adapters["plain"] == without.adapters["plain"]
    assert content.adapters["tone"].digest != without.adapters["tone"].digest
    folders = check_out(content, share, tmp_path / "served").adapters
    assert (folders["tone"] / "prompt_template.txt").read_bytes().decode() == text
    assert not (folders["plain"] / "prompt_template.txt").exists()
    project_file = project.adapters["tone"] / "prompt_template.txt"
    assert not project_file.exists(), "the user's own folder is left as it is"
    project_file.write_text("Say: {}", encoding="utf-8")
    again = upload(replace(project, prompts=prompts), share)
    assert again.adapters["tone"].digest == content.adapters["tone"].digest
