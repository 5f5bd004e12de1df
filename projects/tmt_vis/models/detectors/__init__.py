"""Detectors."""

from .tmt_vis import TMTVIS

__all__ = ["TMTVIS"]
