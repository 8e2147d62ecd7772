"""PEFT's mixed batch: transformers' static batch with an adapter name per row.

A collector takes what arrives within a moment into one batch, up to its size, and runs one
`generate` for it; what comes meanwhile waits for the next batch. Every row's text is streamed.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.contender import Contender, Launch, module_command
from benchmarks.peers import serving

GATHER = 0.02  # [s] what arrives within this time after a batch's first request joins it
LARGEST = 32

PEER = Contender(
    name="peft_batch",
    title="PEFT `adapter_names`, static batch",
    environment="transformers",
    requirements=serving.TRANSFORMERS,
    launches=(Launch(8, ("each",)),),
    command=module_command(__name__),
    base_id=lambda model: "__base__",
    ready="/ready",
    notes=(
        "requests that arrive within 20 ms make one static batch; all rows are equally long, "
        "so it loses nothing by padding or by waiting for the longest, in its favour"
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A request that waits for its place in a batch; ``texts`` ends with None."""

    messages: list[dict[str, str]]
    adapter: str
    max_tokens: int
    texts: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)


def gather(waiting: queue.SimpleQueue[Row]) -> list[Row]:
    """The next batch: the first that waits, and all that follow within a moment."""
    rows = [waiting.get()]
    end = time.perf_counter() + GATHER
    while len(rows) < LARGEST:
        try:
            rows.append(waiting.get(timeout=max(0.0, end - time.perf_counter())))
        except queue.Empty:
            break
    return rows


class RowStreamer:
    """What `generate` tells its tokens; hands each row its own, decoded."""

    def __init__(self, tokenizer: Any, rows: list[Row]) -> None:
        self.tokenizer = tokenizer
        self.rows = rows
        self.prompt_seen = False

    def put(self, tokens: Any) -> None:
        """Take one token per row; the first call brings the prompts."""
        if not self.prompt_seen:
            self.prompt_seen = True
            return
        texts = self.tokenizer.batch_decode(tokens.reshape(-1, 1))
        for row, text in zip(self.rows, texts, strict=True):
            row.texts.put(text)

    def end(self) -> None:
        """Tell every row that its text is complete."""
        for row in self.rows:
            row.texts.put(None)


def main() -> None:
    """Load the base and all adapters, and serve them."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options = serving.options()
    tokenizer = AutoTokenizer.from_pretrained(options.model, padding_side="left")
    base = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.bfloat16)
    first, *others = options.adapters
    settings = {"autocast_adapter_dtype": False}
    model: Any = PeftModel.from_pretrained(base, first, adapter_name=first.name, **settings)
    for path in others:
        model.load_adapter(path, adapter_name=path.name, **settings)
    model.to(options.device).eval()
    model.generation_config.eos_token_id = None
    waiting: queue.SimpleQueue[Row] = queue.SimpleQueue()

    def work() -> None:
        while True:
            rows = gather(waiting)
            inputs = tokenizer.apply_chat_template(
                [row.messages for row in rows],
                add_generation_prompt=True,
                padding=True,
                return_tensors="pt",
                return_dict=True,
            ).to(options.device)
            longest = max(row.max_tokens for row in rows)
            with torch.inference_mode():
                model.generate(
                    **inputs,
                    adapter_names=[row.adapter for row in rows],
                    max_new_tokens=longest,
                    do_sample=False,
                    streamer=RowStreamer(tokenizer, rows),
                )

    def answer(body: dict[str, Any]) -> Iterator[str]:
        row = Row(body["messages"], body["model"], body["max_tokens"])
        waiting.put(row)
        while (text := row.texts.get()) is not None:
            yield serving.chunk(body["model"], text)
        prompt = tokenizer.apply_chat_template(row.messages, add_generation_prompt=True)
        yield from serving.last_chunks(body["model"], len(prompt["input_ids"]), row.max_tokens)

    threading.Thread(target=work, daemon=True).start()
    serving.serve(answer, options.port)


if __name__ == "__main__":
    main()
