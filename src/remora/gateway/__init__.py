"""OpenAI-compatible HTTP over a backend."""
