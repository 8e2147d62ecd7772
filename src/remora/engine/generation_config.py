"""``generation_config.json``: how a model's makers would have its tokens chosen.

Source: https://huggingface.co/docs/transformers/main_classes/text_generation
"""

from __future__ import annotations

from pathlib import Path

from remora.engine.request import SamplingParams
from remora.errors import ModelError, RequestError
from remora.formats.folder import LocalFolder
from remora.formats.json_object import BrokenJson, json_object

FILE = "generation_config.json"
APPLIED = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")


def sampling_defaults(base: Path) -> SamplingParams:
    """What a request gets where it says nothing; without the file, what changes nothing.

    ``do_sample`` is not heeded: whoever wants greedy answers asks for the temperature 0. Raises
    `ModelError` for a value that nothing can be sampled with.
    """
    try:
        values = json_object(LocalFolder(base), FILE)
        given = {name: values[name] for name in APPLIED if values.get(name) is not None}
        for name, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise RequestError(f"{name} must be a number, not {value!r}.")
        return SamplingParams(**given)
    except (BrokenJson, RequestError) as error:
        raise ModelError(
            f"{base / FILE}: {error}",
            hint="Correct it, or leave it out with --no-generation-config.",
        ) from error
