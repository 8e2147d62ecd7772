"""Files as others write them, read without torch."""
