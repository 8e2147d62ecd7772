"""Remora: a base model and many LoRA adapters behind one OpenAI-compatible endpoint."""

__version__ = "0.1.0"
