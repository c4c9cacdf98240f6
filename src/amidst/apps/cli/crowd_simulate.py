"""`amidst crowd simulate`: a whole campaign with a generated world and simulated workers, over real HTTP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from amidst.apps.cli.console import duration, print_json, print_table, say
from amidst.apps.cli.crowd_campaigns import campaign_folder
from amidst.apps.cli.crowd_collection import score_captions, score_filter, score_vote
from amidst.apps.cli.crowd_driver import Tally
from amidst.apps.cli.crowd_simulation import Finished, Simulation
from amidst.apps.cli.progress import step
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Category
from amidst.config import override
from amidst.crowd.config import CampaignConfig, VotesConfig
from amidst.crowd.simulated_workers import CrowdModel
from amidst.crowd.world import World
from amidst.crowd.world_score import WorldScore, score_against_world
from amidst.crowd.world_shapes import world_categories

SMALL = 16**2  # pixels; objects below are not asked for


def simulate(
    images: Annotated[int, typer.Option(help="Photographs of the generated world.", min=1)] = 100,
    workers: Annotated[int, typer.Option(help="Simulated workers.", min=1, max=1000)] = 50,
    seed: Annotated[int, typer.Option(help="Decides everything.", min=0)] = 0,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="COCO file to write.", show_default=False),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Keep the campaign here, to look at.", show_default=False),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--crowd", metavar="KEY=VALUE", help="Change the workers: spam=0.1.", show_default=False
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the campaign.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Run all stages with simulated workers against a real server, and score the result.

    The world is generated, so the truth is known to the pixel: recall, precision and overlap are printed.
    The same seed gives the same file, byte for byte.

    **Examples**

      amidst crowd simulate --images 20 --workers 20 --seed 7 -o annotations.json

      amidst crowd simulate --crowd spam=0.2 --set labelling.workers=5
    """
    config = override(_campaign(seed), settings or [])
    crowd = override(CrowdModel(), model or [])
    with campaign_folder(folder) as place:
        with step("photographs", images) as progress:
            simulation = Simulation.make(seed, images, workers, config, crowd, place, progress.update)
        simulation.create()
        with step("answers") as progress:
            finished = simulation.run(lambda t: progress.update(t.answers.total(), note=_time(t)))
    if output is not None:
        finished.dataset.save(output)
    found = report(simulation.world, finished, config)
    if as_json:
        print_json(found)
        return
    _show(found)
    if output is not None:
        say(f"{len(finished.dataset.annotations):,} annotations written to {output}")


def _campaign(seed: int) -> CampaignConfig:
    """All nine stages; as many categories are chosen as the world has."""
    return CampaignConfig(
        name=f"simulation {seed}", category_votes=VotesConfig(target=len(world_categories()))
    )


def report(world: World, finished: Finished, config: CampaignConfig) -> dict[str, Any]:
    """Scores against the truth and what the work was; objects of at least 16 x 16 pixels are asked for."""
    dataset, tally = finished.dataset, finished.tally
    by_class = score_against_world(world, dataset, least_area=SMALL)
    return {
        "images": len(dataset.images),
        "annotations": len(dataset.annotations),
        "per_class": by_class.to_builtins(),
        "class_agnostic": _agnostic(world, dataset).to_builtins(),
        "categories": score_vote(world, finished.taken),
        "filter": score_filter(world, dataset),
        "captions": score_captions(finished.captions, len(dataset.images), config.captions.workers),
        "answers": dict(sorted(tally.answers.items())),
        "hours": {stage: round(ms / 3.6e6, 2) for stage, ms in sorted(tally.milliseconds.items())},
        "abandoned": tally.left,
        "late": tally.late,
        "refused": tally.refused,
        "requests": tally.requests,
    }


def _agnostic(world: World, dataset: CocoDataset) -> WorldScore:
    """The score when a mask is right whatever its category."""
    one = Category(1, "object", "object")
    images = tuple(
        replace(image, objects=tuple(replace(thing, category_id=1) for thing in image.objects))
        for image in world.images
    )
    annotations = tuple(replace(annotation, category_id=1) for annotation in dataset.annotations)
    merged = replace(dataset, categories=(one,), annotations=annotations)
    return score_against_world(replace(world, categories=(one,), images=images), merged, least_area=SMALL)


def _show(found: dict[str, Any]) -> None:
    columns = ("", "recall", "precision", "mean IoU", "objects", "instances")
    rows = []
    for name, key in (("same category", "per_class"), ("any category", "class_agnostic")):
        score = found[key]
        figures = [_ratio(score[part]) for part in ("recall", "precision", "mean_iou")]
        rows.append((name, *figures, f"{score['objects']:,}", f"{score['instances']:,}"))
    print_table("against the truth", columns, rows, right=columns[1:])
    before = [
        (name, _ratio(found[name]["recall"]), _ratio(found[name]["precision"]), f"{found[name]['found']:,}")
        for name in ("categories", "filter")
    ]
    print_table("chosen and removed", ("", "recall", "precision", "number"), before, right=columns[1:])
    stages = [
        (stage, f"{number:,}", f"{found['hours'][stage]:,.1f}") for stage, number in found["answers"].items()
    ]
    print_table("work", ("stage", "answers", "hours"), stages, right=("answers", "hours"))


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _time(tally: Tally) -> str:
    return f"{duration(tally.elapsed_s)} simulated"
