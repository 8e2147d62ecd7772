"""Remora for a container that has Python and PyTorch alone: its archive, and what starts it."""
