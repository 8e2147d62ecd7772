"""The tiny models that tests of the engine share."""

from tests.engine.tiny import serve, tiny

__all__ = ["serve", "tiny"]
