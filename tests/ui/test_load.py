from __future__ import annotations

import pytest

from remora.ui.load import History

REMORA = """\
# HELP remora_running_requests Requests in the batch.
remora_running_requests 2.0
remora_waiting_requests 1.0
remora_engine_generated_tokens_total {tokens}
"""
VLLM = 'vllm:num_requests_running{{model_name="m"}} 3.0\nvllm:generation_tokens_total {tokens}\n'


@pytest.mark.parametrize(("form", "running"), [(REMORA, 2), (VLLM, 3)])
def test_speed_is_the_tokens_between_two_looks(form: str, running: int) -> None:
    history = History()
    for now, tokens in ((0.0, 100), (2.0, 150), (4.0, 10)):
        history.add(form.format(tokens=tokens), now)
    assert list(history.speed) == [25, 0]
    assert list(history.running) == [running] * 3


def test_an_endpoint_without_these_metrics_shows_nothing_running() -> None:
    history = History()
    history.add("up 1\n", 0.0)
    assert list(history.running) == [0]
