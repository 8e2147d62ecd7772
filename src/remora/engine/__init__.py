"""Tokens in, tokens out: continuous batching over one base model and many adapters."""
