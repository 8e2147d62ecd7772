"""Fast operations of this machine, probed before they are used."""
