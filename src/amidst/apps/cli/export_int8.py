"""The --int8 of `amidst export`: images that give the ranges, and images that tell what was lost."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from amidst.apps.cli.console import say
from amidst.apps.cli.progress import step
from amidst.apps.cli.scores import score, score_by_name, shown
from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.errors import UsageError
from amidst.inference.export import export_model
from amidst.inference.export_int8 import quantise_file
from amidst.inference.finding import expect_folder
from amidst.inference.predict import dataset_sources, predict_dataset
from amidst.inference.propose import propose_dataset
from amidst.inference.runtime import check_runtime, open_exported
from amidst.models.config import FastRCNNConfig, MaskConfig
from amidst.models.weights import ModelInfo

SCORED = 500  # images at most that the loss is measured on
HEADLINES = {"ap": "AP", "ap50": "AP50", "ar@100": "AR@100", "ar@1000": "AR@1000"}


@dataclass(frozen=True)
class Sets:
    """What gives the ranges, and what tells the loss."""

    calibration: CocoDataset
    images_dir: Path
    validation: CocoDataset
    validation_dir: Path


def image_sets(
    calibrate: Path | None,
    images: Path | None,
    samples: int,
    validate: Path | None,
    validate_images: Path | None,
) -> Sets:
    """The images of --int8. Raises UsageError for options that do not go together, or leave none."""
    if calibrate is None or images is None:
        raise UsageError(
            "--int8 needs --calibrate ANN.json and --images DIR: photographs as the model will see"
        )
    if validate is None and validate_images is not None:
        raise UsageError("--validate-images is the folder of --validate; found none")
    dataset, folder = CocoDataset.load(calibrate), expect_folder(images)
    ids = [image.id for image in dataset.images]
    chosen = spread(ids, samples)
    if not chosen:
        raise UsageError(f"{calibrate}: no images to calibrate on")
    other = dataset if validate is None else CocoDataset.load(validate)
    taken = set(chosen) if validate is None else set()
    left = spread([image.id for image in other.images if image.id not in taken], SCORED)
    if not left:
        raise UsageError(
            f"{validate or calibrate}: no images are left to measure the loss on: fewer --samples, or "
            "another file for --validate"
        )
    other_folder = folder if validate_images is None else expect_folder(validate_images)
    return Sets(dataset.select(image_ids=chosen), folder, other.select(image_ids=left), other_folder)


def spread(ids: Sequence[int], number: int) -> list[int]:
    """At most `number` of the ids, at equal distances."""
    if len(ids) <= number:
        return list(ids)
    return [ids[index * len(ids) // number] for index in range(number)]


def export_int8(
    network: nn.Module, info: ModelInfo, output: Path, sets: Sets, runtime: str
) -> dict[str, Any]:
    """Write the int8 file and tell what it loses. Raises UsageError for a Fast R-CNN."""
    check_runtime(runtime)
    if isinstance(info.config, FastRCNNConfig):
        raise UsageError(
            "--int8 takes its ranges from images alone, and Fast R-CNN wants proposals with them"
        )
    with tempfile.TemporaryDirectory(prefix="amidst-export-") as folder:
        whole = Path(folder) / "float32.onnx"
        with step("exporting"):
            export_model(network, info, whole)
        sources = dataset_sources(sets.calibration, sets.images_dir)
        with step("looking at the ranges", len(sources)) as bar:
            quantise_file(whole, output, sources, bar.update, whole_outputs=runtime == "openvino")
        before = _score(whole, sets, runtime, "scoring float32")
    after = _score(output, sets, runtime, "scoring int8")
    images = len(sets.validation.images)
    for name, label in HEADLINES.items():
        if name in before:
            loss = 100 * (before[name] - after[name])
            values = f"{shown(before[name])} -> {shown(after[name])}"
            say(f"{label} {values}: {loss:.2f} points lost, on {images} images")
    if not integer_instructions():
        say("this processor has no instructions for 8-bit integers: the file will be no faster here")
    return {"images": images, "float32": before, "int8": after}


def integer_instructions() -> bool:
    """Whether this processor multiplies 8-bit integers faster than others (VNNI, AMX; Arm's dot product)."""
    capabilities = torch.cpu.get_capabilities()
    names = ("avx512_vnni", "avx_vnni", "avx10_2", "amx_int8", "dotprod", "i8mm")
    return any(bool(capabilities.get(name)) for name in names)


def _score(file: Path, sets: Sets, runtime: str, title: str) -> dict[str, float]:
    model, info = open_exported(file, runtime)
    run = propose_dataset if isinstance(info.config, MaskConfig) else predict_dataset
    with step(title, len(sets.validation.images)) as bar:
        results: Results = run(model, info, sets.validation, sets.validation_dir, progress=bar.update)
    return score_by_name(score(info.config, sets.validation, results))
