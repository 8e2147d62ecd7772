"""The pages in a real browser, over an endpoint that does what it is told."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.fake_endpoint import MODELS, FakeEndpoint
from tests.ui.browser import LIMIT, tab, violations

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
expect.set_options(timeout=LIMIT)
TABS = ("Chat", "Compare", "Data set", "Endpoint")


def ask(page: Page, text: str) -> None:
    field = page.get_by_label("Your message")
    field.fill(text)
    field.press("Enter")


def answered(page: Page, count: int = 1) -> None:
    expect(page.get_by_role("button", name="Retry")).to_have_count(count)


def go_to(page: Page, name: str) -> None:
    tab_of_page = page.get_by_role("tab", name=name)
    if not tab_of_page.is_visible():  # On a phone Gradio puts what does not fit behind a menu.
        page.locator(".overflow-menu > button").click()
        page.locator(".overflow-dropdown button", has_text=name).click()
    else:
        tab_of_page.click()


def downloaded(page: Page, button: str) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return Path(download.value.path()).read_text("utf-8")


def compare(page: Page, text: str) -> None:
    go_to(page, "Compare")
    expect(page.locator("#compare-models")).to_contain_text("tone")
    page.get_by_label("Prompt for all of them").fill(text)
    page.get_by_role("button", name="Compare").click()


def test_a_page_that_waits_goes_on_by_itself(
    chrome: Browser, fake: FakeEndpoint, pages_url: str
) -> None:
    fake.ready = False
    with tab(chrome) as page:
        page.goto(pages_url)
        expect(page.get_by_role("status")).to_have_text("reading layer 3 of 4")
        expect(page.locator("#elapsed")).to_have_text(re.compile("[1-9] s"))
        assert not violations(page)
        fake.ready = True
        page.get_by_label("Your message").wait_for()


def test_a_chat_with_history_system_prompt_and_parameters(page: Page, fake: FakeEndpoint) -> None:
    page.get_by_label("System prompt").first.fill("Be brief.")
    page.get_by_role("button", name="Generation parameters").first.click()
    page.get_by_label("Temperature").fill("0.5")
    page.get_by_label("Max new tokens").fill("33")
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Stop at").fill("END")
    ask(page, "One")
    answered(page)
    expect(page.locator("#history")).to_contain_text("tone says One")
    expect(page.locator(".figures")).to_contain_text(re.compile(r"2 tokens · .* tokens/s"))
    ask(page, "Two")
    answered(page, 2)
    first, second = fake.requests
    assert first["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One"},
    ]
    assert [message["content"] for message in second["messages"]] == [
        *("Be brief.", "One", "tone says One", "Two"),
    ]
    assert (first["temperature"], first["max_tokens"], first["seed"]) == (0.5, 33, 7)
    assert first["stop"] == ["END"]
    assert "top_p" not in first
    conversation = json.loads(downloaded(page, "Export as JSONL"))
    assert [message["role"] for message in conversation["messages"]] == [
        *("system", "user", "assistant", "user", "assistant"),
    ]
    page.get_by_label("Temperature").fill("warm")
    ask(page, "Three")
    expect(page.get_by_role("alert")).to_contain_text("Temperature must be a number from 0 to 2")


def test_the_model_s_defaults_are_shown_where_nothing_is_written(page: Page) -> None:
    page.get_by_role("button", name="Generation parameters").first.click()
    for label, hint in (("Temperature", "0.6"), ("Top-k", "0"), ("Top-p", "default")):
        expect(page.get_by_label(label).first).to_have_attribute("placeholder", hint)


@pytest.mark.parametrize("name", ["Compare", "Data set"])
def test_defaults_that_the_chosen_models_share_are_shown(
    page: Page, fake: FakeEndpoint, name: str
) -> None:
    base, tone, _ = MODELS
    fake.models = [{**base, "defaults": {"temperature": 0.6, "top_k": 5, "min_p": 0.1}}, tone]
    go_to(page, name)
    page.get_by_role("button", name="Generation parameters").locator("visible=true").click()
    for label, hint in (("Temperature", "0.6"), ("Top-k", "varies"), ("Min-p", "default")):
        field = page.get_by_label(label).locator("visible=true")
        expect(field).to_have_attribute("placeholder", hint)
    page.get_by_role("combobox", name="Models").locator("visible=true").press("Backspace")
    field = page.get_by_label("Top-k").locator("visible=true")
    expect(field).to_have_attribute("placeholder", "5")


def test_stop_ends_the_generation_on_the_server(page: Page, fake: FakeEndpoint) -> None:
    fake.answer = fake.endless
    ask(page, "Talk")
    expect(page.locator("#current")).to_contain_text("on and on and")
    page.get_by_role("button", name="Stop").click()
    assert fake.gone.wait(30)
    answered(page)
    expect(page.locator(".figures")).to_contain_text("stopped")
    expect(page.locator("#history")).to_contain_text("on and on and")


def test_a_tab_that_is_closed_ends_its_generation(
    chrome: Browser, fake: FakeEndpoint, pages_url: str
) -> None:
    fake.answer = fake.endless
    with tab(chrome) as page:
        page.goto(pages_url)
        ask(page, "Talk")
        expect(page.locator("#current")).to_contain_text("on and on and")
        page.goto("about:blank")
    assert fake.gone.wait(30)


def test_retry_edit_copy_and_the_rendered_prompt(page: Page, fake: FakeEndpoint) -> None:
    ask(page, "First")
    answered(page)
    fake.answer = lambda _: ["Another answer"]
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("#history")).to_contain_text("Another answer")
    answered(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "Another answer"
    page.get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Your message")).to_have_value("First")
    ask(page, "Rewritten")
    expect(page.locator("#history")).to_contain_text("Rewritten")
    answered(page)
    assert [len(request["messages"]) for request in fake.requests] == [1, 1, 1]
    page.get_by_role("button", name="The prompt as the model sees it").click()
    expect(page.locator("#rendered")).to_contain_text("<|user|>What the template <made>")
    expect(page.locator("#rendered")).to_contain_text("12 tokens")


def test_states_of_models_are_shown(page: Page) -> None:
    page.locator("#chat-model input").click()
    options = page.get_by_role("option")
    expect(options).to_have_text([re.compile(name) for name in ("base", "tone", "broken")])
    options.nth(2).click()
    expect(page.locator("#model-state")).to_contain_text("adapter_model is missing")


def test_what_a_model_writes_neither_runs_nor_loads(page: Page, fake: FakeEndpoint) -> None:
    hostile = "**bold** <img src=x onerror=alert(1)> ![x](http://192.0.2.1/x.png) `code`"
    fake.answer = lambda _: [hostile]
    ask(page, "<b>Hi</b>")
    answered(page)
    expect(page.locator("#history strong")).to_have_text("bold")
    expect(page.locator("#history .said")).to_have_text("<b>Hi</b>")
    assert page.locator("#history img").count() == 0


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ((429, "Too many requests are waiting."), "Try again in a moment"),
        ((404, "The model 'tone' does not exist."), "Choose another model"),
        ((401, "That is not an API key of this server."), "sign in"),
    ],
)
def test_errors_are_told_in_words(
    page: Page, fake: FakeEndpoint, failure: tuple[int, str], words: str
) -> None:
    fake.failure = failure
    ask(page, "Hello")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(failure[1].rstrip("."))
    expect(alert).to_contain_text(words)


def test_a_lost_connection_is_said_and_what_came_is_kept(page: Page, fake: FakeEndpoint) -> None:
    fake.cut_off = True
    ask(page, "Hello")
    expect(page.get_by_role("alert")).to_contain_text("ended the answer in the middle")
    expect(page.locator("#history")).to_contain_text("tone says Hello")


def test_a_question_waits_for_an_endpoint_that_wakes(page: Page, fake: FakeEndpoint) -> None:
    fake.ready = False
    ask(page, "Hello")
    waiting = page.locator("#current").get_by_role("status")
    expect(waiting).to_contain_text(re.compile(r"loading.*reading layer 3 of 4 [1-9]\d* s"))
    fake.ready = True
    expect(page.locator("#history")).to_contain_text("tone says Hello")


def test_models_side_by_side_with_one_seed_and_a_vote(page: Page, fake: FakeEndpoint) -> None:
    answers = {"base": ["The sea is blue"], "tone": ["The sea is lovely"]}
    fake.answer = lambda body: answers[body["model"]]
    compare(page, "Say")
    expect(page.locator("#columns h2")).to_have_text(["base", "tone"])
    expect(page.locator("#columns mark")).to_have_text("lovely")
    assert len({request["seed"] for request in fake.requests}) == 1
    page.get_by_role("button", name="tone is best").click()
    expect(page.locator("#tally")).to_contain_text("Votes so far")
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("button", name="About the same").click()
    expect(page.locator("#columns .same")).to_have_count(2)
    first, second = (
        json.loads(line) for line in downloaded(page, "Download the votes").splitlines()
    )
    assert [(each["model"], each["vote"]) for each in first["answers"]] == [
        ("base", "worse"),
        ("tone", "better"),
    ]
    assert first["answers"][1]["digest"] == "sha256:1111222233334444"
    assert {each["vote"] for each in second["answers"]} == {"same"}


def test_a_choice_that_was_cleared_is_left_to_who_picks(page: Page, fake: FakeEndpoint) -> None:
    go_to(page, "Compare")
    picked = page.locator("#compare-models .token")
    expect(picked).to_have_count(2)
    page.locator("#compare-models .token-remove.remove-all").click()
    expect(picked).to_have_count(0)
    fake.models = [*MODELS, {"id": "new", "parent": "base"}]
    page.locator("#compare-models input").click()
    page.get_by_role("option", name="new").click()
    expect(picked).to_have_text([re.compile("^new")])


def test_three_and_four_models_side_by_side_and_no_fifth(page: Page, fake: FakeEndpoint) -> None:
    versions = [{"id": f"tone-v{number}", "parent": "base"} for number in (1, 2, 3, 4)]
    fake.models = [MODELS[0], *versions]
    picker = page.locator("#compare-models input")

    def choose(name: str) -> None:
        picker.click()
        page.get_by_role("option", name=name).click()
        picker.press("Escape")

    def asked() -> list[str]:
        models = sorted(request["model"] for request in fake.requests)
        assert len({request["seed"] for request in fake.requests}) == 1
        fake.requests.clear()
        return models

    go_to(page, "Compare")
    expect(page.locator("#compare-models")).to_contain_text("tone-v1")
    choose("tone-v2")
    compare(page, "Three")
    page.get_by_role("button", name="tone-v2 is best").click()
    verdicts = ["base worse", "tone-v1 worse", "tone-v2 better"]
    expect(page.locator("#columns h2")).to_have_text(verdicts)
    assert asked() == ["base", "tone-v1", "tone-v2"]

    choose("tone-v3")
    page.get_by_label("Blind").check()
    compare(page, "Four")
    page.get_by_role("button", name="D is best").click()
    expect(page.locator("#columns h2").last).to_have_text(re.compile("D · .* better"))
    tops = page.locator("#columns section").evaluate_all("all => all.map(e => e.offsetTop)")
    assert len(tops) == 4
    assert len(set(tops)) == 1, "the columns are not side by side"
    assert asked() == ["base", "tone-v1", "tone-v2", "tone-v3"]
    assert not violations(page)

    choose("tone-v4")
    compare(page, "Five")
    page.get_by_role("button", name="D is best").wait_for()
    assert asked() == ["base", "tone-v1", "tone-v2", "tone-v3"]


def test_a_blind_comparison_hides_names_until_the_vote(page: Page, fake: FakeEndpoint) -> None:
    fake.answer = lambda _: ["The same"]
    go_to(page, "Compare")
    page.get_by_label("Blind").check()
    compare(page, "Say")
    best = page.get_by_role("button", name="A is best")
    best.wait_for()
    assert not re.search("base|tone", page.locator("#columns").inner_html())
    best.click()
    expect(page.locator("#columns h2").first).to_have_text(re.compile("A · (base|tone) better"))


def test_stop_ends_all_columns(page: Page, fake: FakeEndpoint) -> None:
    fake.answer = fake.endless
    compare(page, "Talk")
    expect(page.locator("#columns .text").nth(1)).to_contain_text("on and")
    page.get_by_role("button", name="Stop").click()
    assert fake.gone.wait(30)
    page.get_by_role("button", name="About the same").wait_for()


def upload(page: Page, path: Path) -> None:
    go_to(page, "Data set")
    expect(page.locator("#dataset-models")).to_contain_text("tone")
    page.locator("input[type=file]").set_input_files(path)
    expect(page.get_by_text(path.name.removesuffix(path.suffix))).to_be_visible()
    page.get_by_role("button", name="Run").click()


def test_a_data_set_is_run_summed_up_and_downloaded(
    page: Page, fake: FakeEndpoint, tmp_path: Path
) -> None:
    rows = [{"prompt": "Hi", "expected": "tone says Hi"}, {"prompt": "Yo"}]
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    upload(page, path)
    expect(page.locator("#dataset-status")).to_contain_text("All done. 4 answers")
    summary = page.locator("#dataset-summary tbody tr")
    expect(summary.nth(0)).to_contain_text("base20")
    expect(summary.nth(1)).to_contain_text("100%")
    expect(page.locator("#dataset-summary svg")).to_have_count(4)
    table = list(csv.DictReader(downloaded(page, "Download as CSV").lstrip("\ufeff").splitlines()))
    assert len(table) == 4
    assert {row["answer"] for row in table if row["prompt"] == "Yo"} == {
        *("base says Yo", "tone says Yo"),
    }
    assert not violations(page)


def test_a_run_can_be_cancelled_and_a_bad_file_is_named(
    page: Page, fake: FakeEndpoint, tmp_path: Path
) -> None:
    fake.answer = fake.endless
    path = tmp_path / "long.csv"
    path.write_text("prompt,expected\n" + "Hello,there\n" * 9, "utf-8")
    upload(page, path)
    expect(page.get_by_text("0 of 18 answers")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    assert fake.gone.wait(30)
    expect(page.locator("#dataset-status")).to_contain_text("Cancelled")


def test_the_endpoint_page(page: Page, fake: FakeEndpoint) -> None:
    go_to(page, "Endpoint")
    table = page.locator("#endpoint-models")
    for text in ("1111222233", "adapter, rank 8", "failed: adapter_model is missing", "differs"):
        expect(table).to_contain_text(text)
    expect(page.locator("#endpoint-release")).to_contain_text("5eed5eed5eed")
    snippet = page.locator("#endpoint-snippet")
    expect(snippet).to_contain_text(f"curl {fake.url}/v1/chat/completions")
    for name, words in (
        ("Python", "from openai import OpenAI"),
        ("JavaScript", "import OpenAI"),
        ("LangChain", "ChatOpenAI"),
        ("AI Toolkit playground", "Endpoint URL"),
    ):
        page.get_by_label(name).check()
        expect(snippet).to_contain_text(words)
        expect(snippet).to_contain_text(fake.url)
        expect(snippet).to_contain_text("tone")
    load = page.locator("#endpoint-load")
    expect(load).to_contain_text("3 requests running")
    expect(load).to_contain_text("1 requests waiting")
    expect(load.locator("svg")).to_have_count(3)


@pytest.mark.parametrize(
    "look",
    [
        {"viewport": {"width": 1200, "height": 850}, "color_scheme": "light"},
        {"viewport": {"width": 1200, "height": 850}, "color_scheme": "dark"},
        {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True},
    ],
    ids=["light", "dark", "phone"],
)
def test_every_page_can_be_used_by_everyone(
    chrome: Browser, fake: FakeEndpoint, pages_url: str, look: dict[str, Any]
) -> None:
    fake.answer = lambda _: ["Some **text**, `code` and\n\n```\na block\n```"]
    with tab(chrome, **look) as page:
        page.goto(pages_url)
        ask(page, "Hello")
        answered(page)
        for accordion in ("Generation parameters", "The prompt as the model sees it"):
            page.get_by_role("button", name=accordion).first.click()
        expect(page.locator("#rendered pre")).to_be_visible()
        for name in TABS:
            if name == "Compare":
                compare(page, "Say")
                page.get_by_role("button", name="About the same").wait_for()
            else:
                go_to(page, name)
            assert not violations(page), name
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{name} scrolls sideways by {wide} px"


def test_the_keyboard_alone_is_enough(page: Page, fake: FakeEndpoint) -> None:
    def tab_to(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "(e => (e.ariaLabel || e.labels?.[0]?.innerText || e.innerText || '').trim())"
                "(document.activeElement)"
            )
            if focused.startswith(name):
                return
        raise AssertionError(f"{name} can't be reached")

    tab_to("Your message")
    page.keyboard.type("Hello")
    page.keyboard.press("Enter")
    answered(page)
    page.keyboard.press("Shift+Tab")
    tab_to("Retry")
    fake.answer = lambda _: ["Once more"]
    page.keyboard.press("Enter")
    expect(page.locator("#history")).to_contain_text("Once more")
    page.get_by_role("tab", name="Chat").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Prompt for all of them")).to_be_visible()
