"""States that snapshots can be taken of with no code of the author's."""
