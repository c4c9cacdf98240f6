"""The --int8 of `amidst export`: images that give the ranges, and images that tell what was lost."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from amidst.apps.cli.console import say
from amidst.apps.cli.progress import step
from amidst.apps.cli.scores import score, score_by_name, shown
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import write_atomically
from amidst.coco.results import Results
from amidst.errors import ImageError, UsageError
from amidst.inference.export import export_model
from amidst.inference.export_int8 import quantise_file
from amidst.inference.finding import expect_folder
from amidst.inference.predict import dataset_sources, predict_dataset
from amidst.inference.propose import propose_dataset
from amidst.inference.reading import Source, Unreadable, open_image, read_ahead
from amidst.inference.runtime import engine_class, open_exported
from amidst.models.config import FastRCNNConfig, MaskConfig
from amidst.models.weights import ModelInfo

SCORED = 500  # images at most that the loss is measured on
MUCH = 0.01  # AP
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
    scored = other.select(image_ids=left)
    if not left:
        raise UsageError(
            f"{validate or calibrate}: no images are left to measure the loss on: fewer --samples, or "
            "another file for --validate"
        )
    if all(annotation.iscrowd or annotation.ignore for annotation in scored.annotations):
        raise UsageError(
            f"{validate or calibrate}: no objects on the images that the loss is measured on; name a file "
            "that has some with --validate"
        )
    other_folder = folder if validate_images is None else expect_folder(validate_images)
    return Sets(dataset.select(image_ids=chosen), folder, scored, other_folder)


def spread(ids: Sequence[int], number: int) -> list[int]:
    """At most `number` of the ids, at equal distances."""
    if len(ids) <= number:
        return list(ids)
    return [ids[index * len(ids) // number] for index in range(number)]


def export_int8(
    network: nn.Module, info: ModelInfo, output: Path, sets: Sets, runtime: str
) -> dict[str, Any]:
    """Write the int8 file and tell what it loses. Whatever can be wrong is looked at before the export.

    Raises UsageError for a Fast R-CNN and a runtime that cannot run the network, and ImageError for an image
    that cannot be read.
    """
    engine_class(runtime, info)
    if isinstance(info.config, FastRCNNConfig):
        raise UsageError(
            "--int8 takes its ranges from images alone, and Fast R-CNN wants proposals with them"
        )
    sources = dataset_sources(sets.calibration, sets.images_dir)
    _check_images([*sources, *dataset_sources(sets.validation, sets.validation_dir)])
    with tempfile.TemporaryDirectory(prefix="amidst-export-") as folder:
        whole, eight = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        with step("exporting"):
            export_model(network, info, whole)
        with step("looking at the ranges", len(sources)) as bar:
            quantise_file(whole, eight, sources, bar.update, whole_outputs=runtime == "openvino")
        before = _score(whole, sets, runtime, "scoring float32")
        after = _score(eight, sets, runtime, "scoring int8")
        write_atomically(output, eight.read_bytes())
    images = len(sets.validation.images)
    for line in loss_lines(before, after, images):
        say(line)
    if runtime != "openvino" and before.get("ap", 0) - after.get("ap", 0) >= MUCH:
        say("a file made with --runtime openvino, for that runtime, loses less")
    if not integer_instructions():
        say("this processor has no instructions for 8-bit integers: the file will be no faster here")
    return {"images": images, "float32": before, "int8": after}


def loss_lines(before: Mapping[str, float], after: Mapping[str, float], images: int) -> list[str]:
    """What the scores in float32 and in int8 say, a line for each."""
    lines = []
    for name, label in HEADLINES.items():
        if name in before:
            points = 100 * (before[name] - after[name])
            values = f"{shown(before[name])} -> {shown(after[name])}"
            word = "lost" if points >= 0 else "gained"
            lines.append(f"{label} {values}: {abs(points):.2f} points {word}, on {images} images")
    return lines


def _check_images(sources: Sequence[Source]) -> None:
    """Seconds now instead of minutes before the first broken one is met. Raises ImageError for it."""
    with step("reading the photographs", len(sources)) as bar:
        for done, item in enumerate(read_ahead(sources, _problem, workers=2, ahead=8), start=1):
            if item is not None:
                raise item
            bar.update(done)


def _problem(source: Source) -> ImageError | None:
    opened = open_image(source)
    return opened.error if isinstance(opened, Unreadable) else None


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
