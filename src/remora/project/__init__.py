"""What the user has: ``remora.toml``, AI Toolkit's files, folders of models and adapters."""
