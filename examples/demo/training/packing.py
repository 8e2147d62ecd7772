"""From dialogues to batches of token ids and labels."""

from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from .tokenizer import ASSISTANT, END, PAD

Batch = tuple[Tensor, Tensor]
IGNORE = -100


class Packer:
    """Lays texts into rows; of a dialogue, only what the assistant says is learnt."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, texts: Iterator[str]) -> None:
        self.tokenizer = tokenizer
        self.texts = texts
        self.pad, self.end, self.assistant = tokenizer.convert_tokens_to_ids([PAD, END, ASSISTANT])
        self.ready: list[tuple[list[int], list[int]]] = []

    def example(self) -> tuple[list[int], list[int]]:
        """The next text as ids and labels."""
        if not self.ready:
            texts = list(islice(self.texts, 256))
            encoded = self.tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
            self.ready = [self._label(item.ids) for item in reversed(encoded)]
        return self.ready.pop()

    def _label(self, ids: list[int]) -> tuple[list[int], list[int]]:
        plain = self.assistant not in ids
        labels, speaking = [], plain
        for index, token in enumerate(ids):
            labels.append(token if speaking and index > 0 else IGNORE)
            if token == self.assistant:
                speaking = True
            elif token == self.end:
                speaking = plain
        return ids, labels

    def single(self, rows: int) -> Batch:
        """A batch with one text in each row."""
        pairs = [self.example() for _ in range(rows)]
        length = max(len(ids) for ids, _ in pairs)
        ids = [ids + [self.pad] * (length - len(ids)) for ids, _ in pairs]
        labels = [labels + [IGNORE] * (length - len(labels)) for _, labels in pairs]
        return torch.tensor(ids), torch.tensor(labels)

    def packed(self, rows: int, length: int) -> Batch:
        """A batch of full rows; every row begins with the begin of a text."""
        ids, labels = [], []
        for _ in range(rows):
            row: list[int] = []
            row_labels: list[int] = []
            while len(row) < length:
                more, more_labels = self.example()
                row += more
                row_labels += more_labels
            ids.append(row[:length])
            labels.append(row_labels[:length])
        return torch.tensor(ids), torch.tensor(labels)
