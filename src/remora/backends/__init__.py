"""Who answers a request: the engine in this process, or another server."""
