"""An environment written for OpenEnv, with a page of its own."""

from .models import PaintAction, PaintObservation

__all__ = ["PaintAction", "PaintObservation"]
