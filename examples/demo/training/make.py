"""The command that makes the parts of the demo."""

import argparse
import time
from itertools import chain, islice
from pathlib import Path

import torch

from . import adapters, base, card, evaluate
from .tokenizer import load_tokenizer, save_tokenizer, train_tokenizer

HERE = Path(__file__).parents[1]
PARTS = ("base", *(recipe.name for recipe in adapters.RECIPES), "evaluate")


def make(part: str, out: Path) -> None:
    """Make one part of the demo under `out`."""
    if part == "base":
        spoken = chain.from_iterable(islice(adapters.texts(r, 0), 2000) for r in adapters.RECIPES)
        tokenizer = train_tokenizer(chain(islice(base.texts(seed=0), 20_000), spoken))
        base.save_base(base.train_base(tokenizer), out / "base")
        save_tokenizer(tokenizer, out / "base")
    elif part == "evaluate":
        tokenizer = load_tokenizer(out / "base")
        scores = evaluate.evaluate(out / "base", out / "adapters", tokenizer)
        for score in scores:
            print(f"{score.name}: {score.right} of {score.total} right, {score.percent:.1f} %")
        card.write_card(out, scores, tokenizer)
    else:
        recipe = next(recipe for recipe in adapters.RECIPES if recipe.name == part)
        tokenizer = load_tokenizer(out / "base")
        trained = adapters.train_adapter(recipe, out / "base", tokenizer)
        adapters.save_adapter(trained, out / "adapters" / part)


def main() -> None:
    """Read the command line and make the parts it names."""
    parser = argparse.ArgumentParser(description="Make the demo from nothing.")
    parser.add_argument("--only", choices=PARTS, action="append", help="make only this part")
    parser.add_argument("--out", type=Path, default=HERE, help="where the weights go")
    parser.add_argument("--threads", type=int, default=2, help="threads to train with")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    start = time.perf_counter()
    for part in arguments.only or PARTS:
        make(part, arguments.out)
    print(f"done in {(time.perf_counter() - start) / 60:.1f} minutes")
