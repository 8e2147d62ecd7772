"""Make the demo's base model and its three adapters from nothing.

python examples/demo/train.py                  # everything, in minutes
python examples/demo/train.py --only pirate    # one part, on the saved base
python examples/demo/train.py --only evaluate  # only the figures and the card
"""

from training.make import main  # type: ignore[import-not-found]

if __name__ == "__main__":
    main()
