"""The bodies that clients send and get, as pydantic models at the border."""
