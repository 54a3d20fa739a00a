"""Environments written for OpenEnv, as ours: nothing of theirs is imported, nor changed."""

from openenv_lite.originals.adoption import Adopted, adopted, is_original

__all__ = ["Adopted", "adopted", "is_original"]
