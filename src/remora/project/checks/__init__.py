"""Whether a base model and its adapters fit together, told from headers alone."""
