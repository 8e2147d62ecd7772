"""What can be compared, and what can not."""

from __future__ import annotations

import pytest

from remora.errors import ConfigError
from remora.ui.comparison import check_asked


@pytest.mark.parametrize(
    ("prompt", "count", "told"),
    [
        ("Say", 1, "Choose two to four models, not 1."),
        ("Say", 5, "Choose two to four models, not 5."),
        ("", 5, "Choose two to four models, not 5."),
        (" \n", 2, "Write a prompt."),
    ],
)
def test_what_cannot_be_compared_is_told(prompt: str, count: int, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_asked(prompt, ["model"] * count)
    assert str(refused.value) == told


@pytest.mark.parametrize("count", [2, 3, 4])
def test_two_to_four_models_are_compared(count: int) -> None:
    check_asked("Say", ["model"] * count)
