"""The model of `amidst crowd serve --assist`; without it the server needs no torch."""

from __future__ import annotations

from amidst.apps.server.crowd.assistance import Assistance
from amidst.errors import MissingExtra


def assistance(model: str) -> Assistance | None:
    """By a model file or run folder; None for "". Raises UsageError, WeightsError, MissingExtra."""
    if not model:
        return None
    try:
        from amidst.apps.server.crowd.model_assistance import open_assistance
    except ModuleNotFoundError as error:
        raise MissingExtra("torch", "train") from error
    return open_assistance(model)
