"""AI Toolkit's way: transformers, one adapter at most, a thread and a `generate` per request.

It is made from the description of that toolkit's template, and given what helps it: no 4-bit
weights (bitsandbytes needs CUDA), no Gradio to import, torch's own attention, which is the faster
one here, and no warm-up of the web page before it is ready.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from benchmarks.contender import Contender, Launch, module_command
from benchmarks.peers import serving

PEER = Contender(
    name="ai_toolkit",
    title="AI Toolkit's way",
    environment="transformers",
    requirements=serving.TRANSFORMERS,
    launches=(Launch(0, ("base",)), Launch(1, ("one",))),
    command=module_command(__name__),
    base_id=lambda model: "base",
    ready="/ready",
    notes=(
        "a thread and a `generate()` per request, as in the template; bf16 instead of 4 bits, "
        "and without importing Gradio (2.4-3.9 s), both in its favour"
    ),
)


def main() -> None:
    """Load the model and serve it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, TextIteratorStreamer

    options = serving.options()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model: Any = AutoModelForCausalLM.from_pretrained(
        options.model, dtype=torch.bfloat16, attn_implementation="sdpa"
    ).to(options.device)
    if options.adapters:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, options.adapters[0], autocast_adapter_dtype=False)
    model.eval().generation_config.eos_token_id = None

    def answer(body: dict[str, Any]) -> Iterator[str]:
        inputs = tokenizer.apply_chat_template(
            body["messages"], add_generation_prompt=True, return_tensors="pt", return_dict=True
        ).to(options.device)
        streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
        settings = {"max_new_tokens": body["max_tokens"], "do_sample": False}
        thread = threading.Thread(
            target=model.generate, kwargs={**inputs, **settings, "streamer": streamer}
        )
        thread.start()
        for text in streamer:
            yield serving.chunk(body["model"], text)
        thread.join()
        yield from serving.last_chunks(
            body["model"], inputs["input_ids"].shape[1], body["max_tokens"]
        )

    serving.serve(answer, options.port)


if __name__ == "__main__":
    main()
