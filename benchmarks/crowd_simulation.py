"""The study docs/studies/crowd-simulation.md: what the thesis's rules do with simulated workers.

    python benchmarks/crowd_simulation.py --figure docs/studies/crowd-simulation.svg
    python benchmarks/crowd_simulation.py gates          # one part; the others stay as they were

Everything is simulated: the photographs, the workers, their faults. No server takes part; the rules of the
stages are those of `amidst.crowd.simulated_campaign`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from amidst.apps.report.crowd_figures import worker_figure
from amidst.apps.report.figure_style import save_figure
from amidst.coco.files import write_atomically
from amidst.crowd.bodies import CategoryRef, ImageRef, LabellingBody, LabellingTask, Panel
from amidst.crowd.config import CampaignConfig, SegmentationConfig, VerificationConfig
from amidst.crowd.quality import Labels, RejectionLine, reject_poor, union_curve
from amidst.crowd.simulated_answers import Memory, answer
from amidst.crowd.simulated_campaign import Campaign, passes_training, result, run_campaign
from amidst.crowd.simulated_grids import Candidate, fill_and_judge
from amidst.crowd.simulated_seeing import by_category, naming_chance
from amidst.crowd.simulated_workers import SPAM, CrowdModel, SimulatedWorker, make_workers
from amidst.crowd.world import World, generate_world
from amidst.crowd.world_score import score_against_world

EXPERTS = CrowdModel(
    skill=(0.88, 0.04), ease=(0.85, 1.0), confusion=(0.004, 0.002), false_alarm=(0.001, 0.0), spam=0.0
)
CARELESS = CrowdModel(outline=(0.06, 0.04), hand=(1.5, 0.5), coarse=0.6, spam=0.0)
LINE = RejectionLine(first=(0.55, 0.0), second=(0.35, 1.0))
BANDS = ((0.0, 0.2), (0.2, 0.4), (0.4, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 1.0))


def panels_of(world: World) -> tuple[Panel, ...]:
    groups: dict[str, list[CategoryRef]] = {}
    for category in world.categories:
        groups.setdefault(category.supercategory, []).append(CategoryRef(id=category.id, name=category.name))
    return tuple(Panel(super=name, categories=tuple(group)) for name, group in groups.items())


def label_images(
    world: World,
    workers: tuple[SimulatedWorker, ...],
    each: int,
    seed: int,
    activity: np.ndarray,
    images: int,
) -> Labels:
    """`each` different workers label each of the first images; busy workers come more often."""
    rng = np.random.default_rng([seed, 9])
    panels, photographs = panels_of(world), {image.record.id: image for image in world.images}
    jobs, positives, memory = [], [], {worker.index: Memory() for worker in workers}
    for image in world.images[:images]:
        ref = ImageRef(id=image.record.id, width=image.record.width, height=image.record.height)
        task = LabellingTask(image=ref, panels=panels)
        for k in rng.choice(len(workers), size=each, replace=False, p=activity / activity.sum()):
            worker = workers[k]
            body = answer(task, photographs, worker, rng, memory[worker.index]).body
            assert isinstance(body, LabellingBody)
            memory[worker.index] = Memory(memory[worker.index].done + 1, body)
            jobs.append((image.record.id, worker.index))
            icons = (icon for panel in body.panels for icon in panel.icons)
            positives += [(image.record.id, icon.category, worker.index) for icon in icons]
    return Labels.of(jobs, positives)


def missed(world: World, labels: Labels, workers: tuple[SimulatedWorker, ...], k: int = 8) -> dict[str, Any]:
    """Share of the true cells that the first k answers all miss, against (1 - p)^k."""
    crew: dict[int, list[int]] = {}
    for image_id, worker in labels.jobs.tolist():
        crew.setdefault(image_id, []).append(worker)
    named = set(map(tuple, labels.positives.tolist()))
    rng = np.random.default_rng(5)
    chance, lost = [], []
    for image in world.images:
        for category_id, things in by_category(image).items():
            chosen = [crew[image.record.id][n] for n in rng.permutation(len(crew[image.record.id]))[:k]]
            chance.append(
                np.mean([naming_chance(things, worker) for worker in workers if worker.habit == "honest"])
            )
            lost.append(not any((image.record.id, category_id, worker) in named for worker in chosen))
    p, out = np.array(chance), np.array(lost)
    bands = []
    for low, high in BANDS:
        inside = (p >= low) & (p < high)
        if inside.any():
            bands.append(
                {
                    "p": [low, high],
                    "cells": int(inside.sum()),
                    "missed": float(out[inside].mean()),
                    "predicted": float(((1 - p[inside]) ** k).mean()),
                }
            )
    return {
        "cells": len(p),
        "mean_p": float(p.mean()),
        "missed": float(out.mean()),
        "from_mean_p": float((1 - p.mean()) ** k),
        "from_each_p": float(((1 - p) ** k).mean()),
        "bands": bands,
    }


def gates(world: World, seed: int, grids: int) -> dict[str, dict[str, float]]:
    """Share of workers of each habit that pass the gates: training, the thesis's grid, ours."""
    thesis = VerificationConfig(known_good=0, max_marked=1.0, tries=1)
    ours = VerificationConfig()
    crew = make_workers(seed, 400, world.categories, CrowdModel(spam=0.5))
    rng = np.random.default_rng([seed, 11])
    photographs = {image.record.id: image for image in world.images}
    known = [(image, thing) for image in world.images for thing in image.objects if thing.area > 300]
    table: dict[str, dict[str, float]] = {}
    for habit in ("honest", *SPAM):
        own = [worker for worker in crew if worker.habit == habit][:grids]
        campaign = Campaign(world, own, CampaignConfig(), rng, photographs)
        category = CategoryRef(id=1, name=world.categories[0].name)
        passed = {"training": [passes_training(campaign, worker, category) for worker in own]}
        for name, rules in (("thesis's grid", thesis), ("grid with cap", ours)):
            passed[name] = []
            for worker in own:
                real = []
                for k in rng.permutation(len(known))[:56]:
                    image, thing = known[int(k)]
                    ref = CategoryRef(id=thing.category_id, name="")
                    real.append(Candidate(image, ref, thing.mask, -1, 1.0))
                passed[name].append(fill_and_judge(campaign.ask, worker, real, known, rules, rng) is not None)
        table[habit] = {name: float(np.mean(values)) for name, values in passed.items()}
    return table


def campaign_row(
    world: World, workers: tuple[SimulatedWorker, ...], seed: int, config: CampaignConfig
) -> dict[str, Any]:
    start = time.perf_counter()
    campaign = run_campaign(world, workers, seed, config)
    score = score_against_world(world, result(campaign))
    trained = list(campaign.trained.values())
    return score.to_builtins() | {
        "cells": len(campaign.cells),
        "iou_drawn": float(np.mean(campaign.drawn)),
        "iou_kept": float(np.mean(campaign.kept)),
        "drawn": len(campaign.drawn),
        "kept": len(campaign.kept),
        "training_pass_rate": float(np.mean(trained)) if trained else None,
        "hours": {stage: seconds / 3600 for stage, seconds in campaign.seconds.items()},
        "grids_refused": campaign.gate_failures,
        "wall_s": time.perf_counter() - start,
    }


def _jobs_of(labels: Labels, workers: list[int]) -> list[tuple[int, int]]:
    counts = [(worker, int((labels.jobs[:, 1] == worker).sum())) for worker in workers]
    return [(worker, count) for worker, count in counts if count]


def labelling_part(seed: int, images: int, number: int, figure: Path | None) -> dict[str, Any]:
    """Fig. 2.4, and how often eight labellers miss a category."""
    world = generate_world(seed, images)
    workers = make_workers(seed, number, world.categories, CrowdModel(spam=0.1))
    experts = make_workers(seed + 1, 7, world.categories, EXPERTS)
    activity = np.random.default_rng([seed, 12]).pareto(1.5, len(workers)) + 0.2
    labels = label_images(world, workers, 13, seed, activity, images)
    expert_labels = label_images(world, experts, 7, seed + 1, np.ones(7), min(400, images))
    by_union, _ = reject_poor(labels, LINE)
    gone, agreement = reject_poor(labels, LINE, least_votes=2)
    spammers = {worker.index for worker in workers if worker.habit != "honest"}
    curves = {
        "all": union_curve(labels, expert_labels),
        "after rejection": union_curve(labels.without(gone), expert_labels),
    }
    if figure:
        save_figure(worker_figure(curves["after rejection"], agreement, LINE), figure)
    honest = make_workers(seed, number, world.categories, CrowdModel(spam=0.0))
    honest_labels = label_images(world, honest, 8, seed, np.ones(len(honest)), images)
    return {
        "images": images,
        "workers": number,
        "curves": {name: curve.to_builtins() for name, curve in curves.items()},
        "rejection": {
            "spammers who worked": len(spammers & {found.worker for found in agreement}),
            "union: spammers, honest": [len(spammers & set(by_union)), len(set(by_union) - spammers)],
            "two others: spammers, honest": [len(spammers & set(gone)), len(set(gone) - spammers)],
            "kept spammers": [
                [workers[k].habit, n] for k, n in _jobs_of(labels, sorted(spammers - set(gone)))
            ],
        },
        "missed": missed(world, honest_labels, honest),
    }


def campaigns_part(seed: int, images: int, number: int) -> dict[str, Any]:
    """Whole campaigns: default workers, and careless drawers behind the training gate and without it."""
    world, small = generate_world(seed, images), generate_world(seed, max(images // 4, 1))
    ungated = CampaignConfig(segmentation=SegmentationConfig(require_training=False))
    careless = make_workers(seed, number, world.categories, CARELESS)
    plain = CampaignConfig()
    return {
        "default": campaign_row(world, make_workers(seed, number, world.categories), seed, plain),
        "careless drawers, no training": campaign_row(small, careless, seed, ungated),
        "careless drawers, training": campaign_row(small, careless, seed, plain),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=["labelling", "gates", "campaigns"])
    parser.add_argument("--images", type=int, default=500, help="labelled by the first part")
    parser.add_argument("--campaign-images", type=int, default=150)
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/crowd_simulation.json"))
    args = parser.parse_args()
    report = msgspec.json.decode(args.output.read_bytes()) if args.output.exists() else {}
    for part in args.parts:
        if part == "labelling":
            report[part] = labelling_part(args.seed, args.images, args.workers, args.figure)
        elif part == "gates":
            report[part] = gates(generate_world(args.seed, 60), args.seed, 50)
        elif part == "campaigns":
            report[part] = campaigns_part(args.seed, args.campaign_images, args.workers)
        else:
            parser.error(f"unknown part {part!r}")
        text = msgspec.json.format(msgspec.json.encode(report), indent=1)
        write_atomically(args.output, text + b"\n")
        print(msgspec.json.format(msgspec.json.encode({part: report[part]}), indent=1).decode())


if __name__ == "__main__":
    main()
