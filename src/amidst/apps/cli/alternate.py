"""`amidst alternate`: RPN and Fast R-CNN in steps, joined to a Faster R-CNN."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from amidst.apps.cli.alternate_run import Alternation, alternate
from amidst.apps.cli.console import new_app, say
from amidst.apps.cli.experiments import make_experiment
from amidst.apps.cli.scores import print_score
from amidst.apps.cli.train import open_split
from amidst.errors import UsageError

app = new_app()

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of both recipes; repeatable."),
]
RPNSettings = Annotated[
    list[str] | None, typer.Option("--set-rpn", metavar="KEY=VALUE", help="Of the RPN's recipe alone.")
]
FastSettings = Annotated[
    list[str] | None, typer.Option("--set-fast", metavar="KEY=VALUE", help="Of Fast R-CNN's recipe alone.")
]


@app.command("alternate")
def main(
    ann: Annotated[Path, typer.Option("--train", help="COCO file to learn from.")],
    images: Annotated[Path, typer.Option(help="Folder of the training images.")],
    val: Annotated[Path, typer.Option(help="COCO file to score the result on.")],
    run: Annotated[Path, typer.Option(help="Folder for everything the steps write.")],
    val_images: Annotated[
        Path | None, typer.Option(help="Folder of the images of --val, if another one.", show_default=False)
    ] = None,
    rpn: Annotated[str, typer.Option(help="Recipe of the RPN.")] = "rpn_r50_fpn",
    fast: Annotated[str, typer.Option(help="Recipe of Fast R-CNN.")] = "fast_rcnn_r50_fpn",
    settings: Settings = None,
    rpn_settings: RPNSettings = None,
    fast_settings: FastSettings = None,
    separate: Annotated[
        bool, typer.Option("--separate", help="Two networks that share nothing: stop after step 2.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    seed: Annotated[int | None, typer.Option(help="Seed of all randomness.", show_default=False)] = None,
) -> None:
    """Train Faster R-CNN in four steps with shared features, as the thesis does.

    1 RPN; 2 Fast R-CNN on its proposals; 3 RPN again and 4 Fast R-CNN again, each with a head of its own on
    the backbone and pyramid of 2, which no longer change. The result is one Faster R-CNN. Called again, it
    goes on where it stopped.

    **Examples**

      amidst alternate --rpn rpn_lite --fast fast_rcnn_lite --train train.json --val val.json --images images/
      --run runs/steps
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("amidst alternate runs in one process; under torchrun, train the steps one by one")
    found = alternate(
        Alternation(
            rpn=make_experiment(rpn, [*(settings or []), *(rpn_settings or [])], seed),
            fast=make_experiment(fast, [*(settings or []), *(fast_settings or [])], seed),
            train=open_split(ann, images),
            val=open_split(val, val_images or images),
            run_dir=run,
            separate=separate,
            device=device,
        )
    )
    print_score(found)
    if separate:
        say(f"\nthe networks are {run / '1-rpn'} and {run / '2-fast'}")
    else:
        say(f"\nthe model is {run / 'model.safetensors'}. Next:")
        say(f"  amidst predict {run} PHOTO... --draw out/")
