"""The functions of each stage, by name."""

from __future__ import annotations

from amidst.crowd import labelling, spotting
from amidst.crowd.config import Stage
from amidst.crowd.plans import StageWork

WORK: dict[Stage, StageWork] = {
    "labelling": labelling.WORK,
    "spotting": spotting.WORK,
}
