"""Tool calling: how models of a family write their calls, and how to read and to enforce them."""
