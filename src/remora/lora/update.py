"""What an adapter changes at one linear layer, and how PEFT's tensors come to it.

LoRA (https://arxiv.org/abs/2106.09685) adds ``scale * B @ A @ x`` to a layer's output. DoRA
(https://arxiv.org/abs/2402.09353) also gives each output a trained magnitude, and a trained bias
shifts it. With the base's own output ``y`` all of them are ``gain * y + shift + up @ down @ x``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from remora.formats.peft_keys import Role


@dataclass(frozen=True, slots=True)
class Update:
    """The change at one layer.

    ``down`` [rank, in] and ``up`` [out, rank], with the scale in it; rank may be 0. ``gain`` and
    ``shift`` [out] are None where they would be one and zero throughout.
    """

    down: Tensor
    up: Tensor
    gain: Tensor | None = None
    shift: Tensor | None = None

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    def to(self, dtype: torch.dtype, device: str) -> Update:
        """The same for a model's dtype and device."""
        return Update(
            self.down.to(device, dtype),
            self.up.to(device, dtype),
            None if self.gain is None else self.gain.to(device, dtype),
            None if self.shift is None else self.shift.to(device, dtype),
        )


def update_of(
    tensors: Mapping[Role, Tensor],
    scale: float,
    inputs: int,
    weight: Callable[[], Tensor],
    bias: Callable[[], Tensor | None],
) -> Update:
    """The update of a module's tensors, in float32.

    ``weight`` [out, in] and ``bias`` [out] give the base's, where they are needed. The tensors are
    used up: what is multiplied in place need not be written to new memory.
    """
    gain = None
    if Role.DOWN in tensors:
        down, up = tensors[Role.DOWN], tensors[Role.UP].mul_(scale)
    else:
        down = torch.zeros(0, inputs)
        up = torch.zeros(len(tensors[Role.BIAS]), 0)
    shift = tensors.get(Role.UP_BIAS)
    if shift is not None:
        shift = shift * scale
    if Role.MAGNITUDE in tensors:
        gain = tensors[Role.MAGNITUDE] / torch.linalg.norm(weight() + up @ down, dim=1)
        up = up * gain[:, None]
    own_bias = tensors.get(Role.BIAS)
    if own_bias is not None or gain is not None:
        # PEFT multiplies the product alone, and ``y`` has the base's bias in it.
        base = bias()
        wanted = base if own_bias is None else own_bias
        if wanted is not None:
            scaled = 0 if base is None else base if gain is None else gain * base
            shift = wanted - scaled + (0 if shift is None else shift)
    return Update(down, up, gain, shift)


def fuse(members: Sequence[tuple[slice, Update]], outputs: int, dtype: torch.dtype) -> Update:
    """One update of a site from those of its parts, given with their rows of the site's outputs.

    Its matrices share no memory with theirs.
    """
    if len(members) == 1 and len(members[0][1].up) == outputs:
        only = members[0][1]
        return replace(only, down=only.down.to(dtype, copy=True), up=only.up.to(dtype, copy=True))
    rank, inputs = sum(update.rank for _, update in members), members[0][1].down.shape[1]
    down = torch.empty(rank, inputs, dtype=dtype)
    up = torch.zeros(outputs, rank, dtype=dtype)
    gain = torch.ones(outputs) if any(u.gain is not None for _, u in members) else None
    shift = torch.zeros(outputs) if any(u.shift is not None for _, u in members) else None
    column = 0
    for rows, update in members:
        own = slice(column, column + update.rank)
        down[own] = update.down
        up[rows, own] = update.up
        column += update.rank
        if gain is not None and update.gain is not None:
            gain[rows] = update.gain
        if shift is not None and update.shift is not None:
            shift[rows] = update.shift
    return Update(down, up, gain, shift)
