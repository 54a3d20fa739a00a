"""One session of a target, by whatever way, and what it shows."""
