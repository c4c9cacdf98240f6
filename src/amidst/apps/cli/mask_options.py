"""Options of networks that propose masks, in `amidst propose` and `amidst export`."""

from __future__ import annotations

from typing import Annotated

import typer

from amidst.errors import UsageError
from amidst.inference.propose_settings import ProposalSettings

Number = Annotated[
    int | None,
    typer.Option(
        "-n",
        "--number",
        help="Masks: most proposals of an image, best first; may be more than the model was trained for, of "
        "an exported one only fewer. Default: as the model says, mostly 1,000.",
        min=1,
        show_default=False,
    ),
]
Zoom = Annotated[
    int | None,
    typer.Option(
        help="Finer scales to look at besides, for small objects (DeepMask and SharpMask): 1 takes up to "
        "twice, 2 up to four times as long. Default: as the model says, mostly 0.",
        min=0,
        max=2,
        show_default=False,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="Masks: probability above which a pixel is on the object, between 0 and 1: lower gives larger "
        "masks. Default: as the model says, mostly 0.2 (FPN masks: 0.5).",
        show_default=False,
    ),
]
Coarse = Annotated[
    bool,
    typer.Option("--coarse", help="SharpMask: the masks of the DeepMask within, not refined; faster."),
]


def mask_settings(
    number: int | None, zoom: int | None, threshold: float | None, coarse: bool
) -> ProposalSettings:
    """What these options ask for. Raises UsageError for a threshold that is no probability."""
    if threshold is not None and not 0 < threshold < 1:
        raise UsageError(f"--threshold {threshold:g}: expected a probability between 0 and 1")
    return ProposalSettings(number, threshold, zoom, coarse)
