"""`amidst analyse loss`: who carries the focal loss of a trained RetinaNet (Figs. 5.1 and 5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from amidst.apps.cli.console import new_app, print_json, print_table, say
from amidst.apps.cli.jobs import Split, expect_images
from amidst.apps.cli.opening import choose_device
from amidst.apps.cli.progress import step
from amidst.apps.report.figure_style import save_figure
from amidst.apps.report.loss_figures import loss_figure
from amidst.coco.dataset import CocoDataset
from amidst.errors import UsageError
from amidst.inference.finding import expect_folder
from amidst.inference.opening import open_model
from amidst.inference.predict import dataset_category_ids, resize_rule
from amidst.models.retinanet import RetinaNet
from amidst.ops.loss_distribution import cumulative_loss, hardest_share, interpolate
from amidst.training.truth_logits import TruthLogits, truth_logits

app = new_app()

GAMMAS = (0.0, 0.5, 1.0, 2.0)  # of Fig. 5.3
HARDEST = (0.2, 0.1, 0.01)
CURVE_AT = tuple(np.linspace(0, 1, 101).round(2).tolist())  # fractions at which JSON has the curves


@app.command()
def loss(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A trained RetinaNet: run folder, file or built-in name.")
    ],
    ann: Annotated[Path, typer.Option(help="COCO file with the truth.")],
    images: Annotated[Path, typer.Option(help="Folder of its images.")],
    limit: Annotated[
        int | None,
        typer.Option(help="Look at so many images only, drawn at random.", min=1, show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the drawing of --limit.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write loss.svg and .png into this folder.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Share of the focal loss that the hardest positives and negatives carry, for four gammas.

    Every pair of an anchor and a class is a sample, matched as in training. The weight alpha plays no part.

    **Example**

      amidst analyse loss person --ann val.json --images images/ -o loss/
    """
    network, info = open_model(model, choose_device(device))
    if not isinstance(network, RetinaNet):
        raise UsageError(f"{model}: expected a RetinaNet, found another kind of network")
    dataset = CocoDataset.load(ann)
    if limit is not None:
        dataset = _some(dataset, limit, seed)
    expect_images(Split(dataset, expect_folder(images), ann))
    class_index = {int(c): k for k, c in enumerate(dataset_category_ids(info, dataset))}
    if not any(category.id in class_index for category in dataset.categories):
        raise UsageError(f"{ann}: none of its categories is one of the model's")
    with step("looking at images", len(dataset.images)) as bar:
        found = truth_logits(network, dataset, images, class_index, resize_rule(info), progress=bar.update)
    if as_json:
        print_json(_document(found))
    else:
        _print(found)
    if output is not None:
        sheet = loss_figure(found.positive, found.negative, GAMMAS)
        for ending in ("svg", "png"):
            save_figure(sheet, output / f"loss.{ending}")
        say(f"figures written to {output}")


def _some(dataset: CocoDataset, limit: int, seed: int) -> CocoDataset:
    ids = [image.id for image in dataset.images]
    chosen = np.random.default_rng(seed).permutation(len(ids))[:limit]
    return dataset.select(image_ids=[ids[index] for index in chosen.tolist()])


def _groups(found: TruthLogits) -> dict[str, torch.Tensor]:
    return {"positives": found.positive, "negatives": found.negative}


def _document(found: TruthLogits) -> dict[str, Any]:
    """Numbers of samples, shares of the hardest (-1: no samples) and curves at hundredths."""
    at = torch.tensor(CURVE_AT, dtype=torch.float64)
    tree: dict[str, Any] = {"images": found.images, "fractions": list(CURVE_AT), "groups": {}}
    for name, counts in _groups(found).items():
        tree["groups"][name] = {
            "samples": int(counts.sum()),
            "gammas": [
                {
                    "gamma": gamma,
                    "hardest": {
                        f"{fraction:g}": hardest_share(counts, gamma, fraction) for fraction in HARDEST
                    },
                    "cumulative": interpolate(*cumulative_loss(counts, gamma), at).tolist(),
                }
                for gamma in GAMMAS
            ],
        }
    return tree


def _print(found: TruthLogits) -> None:
    columns = ("samples", "gamma", *(f"hardest {100 * fraction:g} %" for fraction in HARDEST))
    rows = [
        (f"{int(counts.sum()):,} {name}", f"{gamma:g}", *_shares(counts, gamma))
        for name, counts in _groups(found).items()
        for gamma in GAMMAS
    ]
    print_table(f"Share of the loss, {found.images:,} images", columns, rows, right=columns[1:])


def _shares(counts: torch.Tensor, gamma: float) -> Sequence[str]:
    shares = [hardest_share(counts, gamma, fraction) for fraction in HARDEST]
    return ["-" if share < 0 else f"{100 * share:.1f} %" for share in shares]
