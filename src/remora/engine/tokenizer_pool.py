"""The tokenizers of a base model and of its adapters; those with equal files share one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from weakref import WeakValueDictionary

from remora.engine.tokenizer import Tokenizer
from remora.errors import AdapterBroken, ModelError
from remora.formats.adapter_config import text_files
from remora.formats.prompt_template import (
    PROMPT_FILE,
    BrokenPrompt,
    PromptTemplate,
    parse_prompt,
)

_FILE = "tokenizer.json"


class TokenizerPool:
    """``base`` is the base model's, whose answers the tokens ``endings`` end. ``prompts`` are the
    prompt templates of adapters' folders that hold none, or another."""

    def __init__(
        self,
        folder: Path,
        endings: Sequence[int],
        prompts: Mapping[Path, PromptTemplate] | None = None,
    ) -> None:
        self.base = Tokenizer(folder, endings)
        self._folder = folder
        self._prompts = prompts or {}
        self._base_digest = _digest(folder / _FILE)
        self._known: WeakValueDictionary[tuple[str, ...], Tokenizer] = WeakValueDictionary()

    def of(self, folder: Path) -> Tokenizer:
        """An adapter's tokenizer: the base model's, but for what its folder says otherwise.

        Raises `AdapterBroken` if one of its files can't be used.
        """
        try:
            digests = {name: _digest(folder / name) for name in text_files(folder)}
            own = digests.get(_FILE, self._base_digest) != self._base_digest
            if not own:
                digests.pop(_FILE, None)
            prompt = self._prompts.get(folder) or _prompt_in(folder)
            if not digests and prompt is None:
                return self.base
            key = (str(prompt), *(f"{name} {digest}" for name, digest in digests.items()))
            found = self._known.get(key)
            if found is None:
                vocabulary = Tokenizer(folder) if own else self.base
                found = vocabulary.with_files_of(folder, self.base, self._folder)
                if prompt is not None:
                    found = found.with_prompt_template(prompt)
                self._known[key] = found
        except ModelError as error:
            raise AdapterBroken(str(error), hint=error.hint) from error
        except OSError as error:
            raise AdapterBroken(f"{folder} can't be read: {error.strerror}") from error
        return found


def _prompt_in(folder: Path) -> PromptTemplate | None:
    path = folder / PROMPT_FILE
    try:
        return parse_prompt(path.read_bytes().decode()) if path.exists() else None
    except (BrokenPrompt, UnicodeDecodeError) as error:
        raise AdapterBroken(
            f"{path} is no prompt template: {error}", hint="It is text with one {} in it."
        ) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
