"""`amidst train`: a recipe, a dataset, a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from amidst.apps.cli.console import new_app, say
from amidst.apps.cli.experiments import make_experiment
from amidst.apps.cli.jobs import Job, Split, is_first_process, run_job
from amidst.apps.cli.scores import print_score
from amidst.coco.dataset import CocoDataset
from amidst.coco.proposals import Proposals
from amidst.inference.finding import expect_folder
from amidst.models.config import MaskConfig
from amidst.models.weights import resolve_model
from amidst.training.config import Experiment

app = new_app()

TrainProposals = Annotated[
    Path | None,
    typer.Option(help="Fast R-CNN: proposals for --train, as COCO results.", show_default=False),
]
ValProposals = Annotated[
    Path | None,
    typer.Option(help="Fast R-CNN: proposals for --val, as COCO results.", show_default=False),
]


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe; amidst recipes lists them.")],
    ann: Annotated[Path, typer.Option("--train", help="COCO file to learn from.")],
    images: Annotated[Path, typer.Option(help="Folder of the training images.")],
    val: Annotated[Path, typer.Option(help="COCO file to score the result on.")],
    run: Annotated[Path, typer.Option(help="Folder for everything the run writes.")],
    val_images: Annotated[
        Path | None, typer.Option(help="Folder of the images of --val, if another one.", show_default=False)
    ] = None,
    proposals: TrainProposals = None,
    val_proposals: ValProposals = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a setting of the recipe; repeatable. amidst recipes NAME lists the keys.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of all randomness; short for --set train.seed=...", show_default=False),
    ] = None,
) -> None:
    """Train a detector on a COCO-format dataset and score it on another.

    The run folder then holds the model, its detections and scores on the validation images, and the log.
    Ctrl-C stops after the update under way and writes a checkpoint that --resume continues from, bit for bit.
    On several GPUs or machines: torchrun --nproc-per-node N -- -m amidst train ...

    **Examples**

      amidst train retinanet_lite_320 --train train.json --val val.json --images images/ --run runs/mine

      amidst train smoke --train train.json --val val.json --images images/ --run runs/try
      --set schedule.iterations=50 --set data.resize.short=160
    """
    experiment = with_model_file(make_experiment(recipe, settings or [], seed))
    job = Job(
        experiment=experiment,
        train=open_split(ann, images, proposals),
        val=open_split(val, val_images or images, val_proposals),
        run_dir=run,
        device=device,
        resume=resume,
    )
    summary = run_job(job)
    if is_first_process():
        if summary is None:
            say("nothing was left to do")
        else:
            print_score(summary)
        say(f"\nthe model is {run / 'model.safetensors'}. Next:")
        say(f"  amidst report {run}")
        command = "propose" if isinstance(experiment.model, MaskConfig) else "predict"
        say(f"  amidst {command} {run} PHOTO... --draw out/")


def open_split(ann: Path, images: Path, proposals: Path | None = None) -> Split:
    """A dataset with the folder of its images and, for Fast R-CNN, proposals."""
    dataset = CocoDataset.load(ann)
    found = None if proposals is None else Proposals.load(proposals, dataset)
    return Split(dataset, expect_folder(images), ann, found)


def with_model_file(experiment: Experiment) -> Experiment:
    """With the file of a built-in model to start from in place of its name."""
    if experiment.init.model is None:
        return experiment
    init = msgspec.structs.replace(experiment.init, model=str(resolve_model(experiment.init.model)))
    return msgspec.structs.replace(experiment, init=init)
