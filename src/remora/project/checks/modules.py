"""The layers of a base model that an adapter's names may mean.

Some checkpoints fuse layers that others keep apart; PEFT's names follow the model that was trained.
"""

from __future__ import annotations

from collections.abc import Mapping

from remora.formats.safetensors_header import TensorEntry

_FUSED = {
    "qkv_proj": ("q_proj", "k_proj", "v_proj"),
    "gate_up_proj": ("gate_proj", "up_proj"),
}
_FLOATS = ("F64", "F32", "F16", "BF16")
_WEIGHTS = (".weight", ".qweight")


class Modules:
    """Linear layers and embeddings by path, with their sizes ``(out, in)`` where they are known.

    The sizes of quantized layers are not: their weights are packed.
    """

    def __init__(self, tensors: Mapping[str, TensorEntry]) -> None:
        self._sizes: dict[str, tuple[int, int] | None] = {}
        for key, entry in tensors.items():
            module, dot, kind = key.rpartition(".")
            if f"{dot}{kind}" in _WEIGHTS:
                plain = entry.dtype in _FLOATS and len(entry.shape) == 2
                self._sizes[module] = (entry.shape[0], entry.shape[1]) if plain else None
        self._add_tied_head()
        self._add_fused()

    def find(self, module: str) -> str | None:
        """The path in the base model that an adapter's path means."""
        if module in self._sizes:
            return module
        shorter = module.removeprefix("model.")
        candidates = (f"model.{module}", shorter, f"model.language_model.{shorter}")
        return next((path for path in candidates if path in self._sizes), None)

    def size(self, path: str) -> tuple[int, int] | None:
        return self._sizes[path]

    def linear(self) -> list[str]:
        """Paths of all layers with a matrix."""
        return [path for path, size in self._sizes.items() if size is not None]

    def _add_tied_head(self) -> None:
        embeddings = next((p for p in self._sizes if p.endswith("embed_tokens")), None)
        if embeddings is not None:
            self._sizes.setdefault("lm_head", self._sizes[embeddings])

    def _add_fused(self) -> None:
        """Either way of naming leads to a size; a part of a fused layer has none of its own."""
        for path in list(self._sizes):
            parent, _, last = path.rpartition(".")
            for whole, parts in _FUSED.items():
                if last == parts[0]:
                    sizes = [self._sizes.get(f"{parent}.{part}") for part in parts]
                    known = [size for size in sizes if size is not None]
                    rows = sum(size[0] for size in known)
                    joined = (rows, known[0][1]) if len(known) == len(parts) else None
                    self._sizes.setdefault(f"{parent}.{whole}", joined)
                elif last == whole:
                    for part in parts:
                        self._sizes.setdefault(f"{parent}.{part}", None)
