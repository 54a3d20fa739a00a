"""Plays under two circumstances, held against each other."""
