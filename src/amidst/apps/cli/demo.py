"""`amidst demo`: the whole job on the bundled photographs, for real, in a few minutes.

The built-in detector of persons is scored on the sample's validation photographs, trained further on its
training photographs, and scored again; a report shows the result.
"""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from torch import nn

from amidst.apps.cli.console import duration, new_app, print_table, say
from amidst.apps.cli.experiments import find_recipe
from amidst.apps.cli.jobs import Job, Split, run_job
from amidst.apps.cli.opening import BUILT_IN, choose_device
from amidst.apps.cli.progress import step
from amidst.apps.cli.scores import comparison_rows
from amidst.apps.report.build import write_report
from amidst.coco.dataset import CocoDataset
from amidst.config import override
from amidst.data import sample_dir
from amidst.evaluation import Summary, evaluate
from amidst.inference.opening import open_model
from amidst.inference.predict import predict_dataset
from amidst.models.weights import ModelInfo, resolve_model
from amidst.training.config import Experiment

app = new_app()

RECIPE = "retinanet_lite_320"
CATEGORY = "person"
SETTINGS = (
    "name=demo",
    "schedule.epochs=null",
    "schedule.iterations=30",
    "schedule.warmup_iterations=5",
    "optim.lr=0.0001",
    "data.batch_size=16",
    "train.ema_decay=null",
    "train.log_every=2",
    "train.validate_every=10",
    "train.checkpoint_every=30",
    "data.workers=0",
)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for what the demo writes.")] = Path("amidst-demo"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Train, predict, score and show on the bundled photographs, in a few minutes.

    The built-in detector of persons is trained further on a few dozen photographs. Every demo gets a run
    folder of its own in --out.

    **Example**

      amidst demo --out demo-run
    """
    begun = time.monotonic()
    run = _free_run(out)
    train, val = (_split(name, run) for name in ("train", "val"))
    say(f"{len(train.dataset.images)} photographs to learn from, {len(val.dataset.images)} to score on")
    model, info = open_model(BUILT_IN, choose_device(device))
    before = _score(model, info, val)
    after = run_job(Job(_experiment(info), train, val, run, device))
    assert isinstance(after, Summary)
    with step("writing the report"):
        page = write_report(run, run / "report.html")
    columns = ("", "before", "after")
    print_table(
        f"Finding each {CATEGORY}: scores on {len(val.dataset.images)} photographs",
        columns,
        comparison_rows(before, after),
        right=columns[1:],
    )
    say(f"\ndone in {duration(time.monotonic() - begun)}. Open the report: {page}")
    say(f"Try it on a photograph of your own: amidst predict {run} PHOTO.jpg --draw {out / 'pictures'}")


def _free_run(out: Path) -> Path:
    """A run folder that does not exist yet."""
    return next(run for number in count(1) if not (run := out / f"run-{number}").exists())


def _split(name: str, run: Path) -> Split:
    """One part of the sample, with persons only, written into the run folder for the report to find."""
    dataset = CocoDataset.load(sample_dir() / "annotations" / f"{name}.json")
    ids = [category.id for category in dataset.categories if category.name == CATEGORY]
    file = run / "data" / f"{name}.json"
    persons = dataset.select(category_ids=ids)
    persons.save(file)
    return Split(persons, sample_dir() / "images", file)


def _experiment(info: ModelInfo) -> Experiment:
    """The light recipe, shortened, for the built-in network with its weights."""
    base = override(find_recipe(RECIPE).make(), SETTINGS)
    init = f"init.model={resolve_model(BUILT_IN)}"
    return override(msgspec.structs.replace(base, model=info.config), [init])


def _score(model: nn.Module, info: ModelInfo, val: Split) -> Summary:
    with step("scoring the built-in detector", len(val.dataset.images)) as bar:
        results = predict_dataset(model, info, val.dataset, val.images_dir, progress=bar.update)
    return evaluate(val.dataset, results)
