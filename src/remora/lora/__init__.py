"""Many adapters on one base: loading, keeping them in memory, and computing them in one batch."""
