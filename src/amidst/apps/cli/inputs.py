"""What a model looks at: photographs, folders of them, or the images of a dataset (predict, propose)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from amidst.apps.cli.opening import is_model
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import check_writable, image_path, write_atomically
from amidst.coco.proposals import Proposals
from amidst.coco.results import Results
from amidst.errors import UsageError
from amidst.inference.finding import expect_folder, find_images, is_image_name, is_video_name
from amidst.inference.predict import dataset_sources
from amidst.inference.reading import Source


@dataclass(frozen=True)
class Inputs:
    """Images to look at. `names` is the name that the picture of each photograph is drawn under.

    `dataset` is that of --ann, or None for photographs, whose image ids are then their places in the list.
    """

    sources: Sequence[Source]
    names: dict[Path, PurePath]
    dataset: CocoDataset | None = None

    def write(self, results: Results, output: Path) -> None:
        """COCO results; for photographs without a dataset each record also names its file."""
        if self.dataset is not None:
            results.save(output)
            return
        records = [
            record | {"file_name": str(self.sources[record["image_id"]].path)}
            for record in results.to_builtins()
        ]
        write_atomically(output, json.dumps(records).encode())


def split_words(words: Sequence[str], built_in: str | None, *, with_dataset: bool) -> tuple[str, list[str]]:
    """Model and paths: the first word is a model unless it is plainly something to look at.

    Raises UsageError where there is nothing to look at, or no model and no `built_in` one.
    """
    command = "amidst predict" if built_in else "amidst propose"
    if not words:
        if with_dataset and built_in is not None:
            return built_in, []
        wanted = "a photograph, or a model and photographs" if built_in else "a model and photographs"
        raise UsageError(f"name {wanted}; see {command} --help")
    first = words[0]
    if with_dataset or is_model(first):  # with --ann there is nothing else that the first word could be
        model, paths = first, list(words[1:])
    elif built_in is not None and (
        is_remote(first) or is_image_name(first) or is_video_name(first) or Path(first).exists()
    ):
        model, paths = built_in, list(words)
    else:
        model, paths = first, list(words[1:])  # opening it tells what is wrong with it
    if not paths and not with_dataset and is_model(model):
        raise UsageError(f"nothing to look at: {command} {model} PATH... or --ann ANN.json --images DIR")
    return model, paths


def read_inputs(
    paths: Sequence[str], ann: Path | None, images: Path | None, proposals: Path | None = None
) -> Inputs:
    """The images that the options name. Raises UsageError for options that do not go together."""
    if (ann is None) != (images is None):
        raise UsageError("--ann and --images go together: the dataset file, and the folder of its images")
    if ann is None or images is None:
        if proposals is not None:
            raise UsageError("--proposals needs --ann and --images: it names images by their ids")
        names = _picture_names(paths)
        return Inputs([Source(path, None, index) for index, path in enumerate(names)], names)
    if paths:
        raise UsageError(f"give either --ann or paths to photographs, not both (found {paths[0]})")
    dataset = CocoDataset.load(ann)
    given = None if proposals is None else Proposals.load(proposals, dataset)
    names = {image_path(images, image.file_name): PurePath(image.file_name) for image in dataset.images}
    return Inputs(dataset_sources(dataset, expect_folder(images), proposals=given), names, dataset)


def is_remote(word: str) -> bool:
    """Whether a word is an address, such as s3://bucket/folder."""
    return "://" in word


def check_output(output: Path | None, *, lines: bool = False) -> None:
    """Raises UsageError where --output cannot be written, or is to hold JSON lines that are not made."""
    if output is None:
        return
    if output.suffix == ".jsonl" and not lines:
        raise UsageError(
            f"--output {output}: COCO results are one JSON array, in a .json file; --json prints JSON lines"
        )
    check_writable(output)


def _picture_names(paths: Sequence[str]) -> dict[Path, PurePath]:
    """Photographs to look at, each with the name its picture gets: relative to the folder it was found in."""
    names: dict[Path, PurePath] = {}
    if remote := next((path for path in paths if is_remote(path)), None):
        raise UsageError(f"{remote}: in object storage; add --engine local (or ray) and -o FOLDER")
    for path in map(Path, paths):
        for found in find_images([path]):
            names.setdefault(found, found.relative_to(path) if path.is_dir() else PurePath(found.name))
    return names
