"""The backend that hands requests on to another server, and wakes it where it sleeps."""
