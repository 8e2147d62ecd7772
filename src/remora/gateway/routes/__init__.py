"""One file for each group of routes; all are put together in `remora.gateway.app`."""
