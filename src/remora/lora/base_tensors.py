"""The base model's own tensors, for adapters that depend on them."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from remora.lora.sites import Site


class BaseTensors(Protocol):
    """The base model's tensors, by their names in its files."""

    def __contains__(self, name: str) -> bool: ...

    def read(self, name: str) -> Tensor:
        """One tensor, in the dtype in which it was saved. Raises `ModelError`."""
        ...


class BaseSite:
    """One site's weight and bias in float32, read when they are first asked for."""

    def __init__(self, base: BaseTensors, site: Site) -> None:
        self._base = base
        self._site = site

    def weight_rows(self, rows: slice) -> Tensor:
        """Some outputs' weights [out, in]."""
        return self._weight[rows]

    def bias_rows(self, rows: slice) -> Tensor | None:
        """Some outputs' biases [out], or None if the layer has none."""
        return None if self._bias is None else self._bias[rows]

    @cached_property
    def _weight(self) -> Tensor:
        modules = self._site.modules
        return torch.cat([self._base.read(f"{module}.weight").float() for module in modules])

    @cached_property
    def _bias(self) -> Tensor | None:
        names = [f"{module}.bias" for module in self._site.modules]
        if not all(name in self._base for name in names):
            return None
        return torch.cat([self._base.read(name).float() for name in names])
