"""Dice, as a package of OpenEnv's: rubrics, a transform, seeds, options of reset, tasks."""

from .models import Dice, Throw

__all__ = ["Dice", "Throw"]
