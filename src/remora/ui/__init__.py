"""Pages in the browser: a client of the endpoint like any other."""
