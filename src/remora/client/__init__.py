"""An OpenAI-compatible endpoint as its users see it: over HTTP, wherever it runs."""
