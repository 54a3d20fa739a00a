"""Riddles, as `openenv import` wraps what others wrote: tool actions in a plain step, and tasks."""
