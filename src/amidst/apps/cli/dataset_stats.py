"""`amidst dataset stats`: the five figures of Fig. 2.5 for one dataset or several side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from amidst.apps.cli.console import print_json, print_table, say
from amidst.apps.report.dataset_figures import dataset_figure
from amidst.apps.report.figure_style import save_figure
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import write_atomically
from amidst.curation.references import REFERENCES
from amidst.curation.statistics import (
    Statistics,
    StatisticsConfig,
    require_distinct_names,
    statistics,
    to_builtins,
)
from amidst.errors import UsageError

UNKNOWN = "-"


def stats(
    files: Annotated[list[Path], typer.Argument(metavar="ANN.json...", help="COCO files to compare.")],
    name: Annotated[
        list[str] | None,
        typer.Option(help="Name of each file, in order; left out: its file name.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Write statistics.json, .svg and .png into this folder.",
            show_default=False,
        ),
    ] = None,
    crowds: Annotated[
        bool, typer.Option("--crowds/--no-crowds", help="Count a crowd region as one instance.")
    ] = True,
    size: Annotated[
        str, typer.Option(help="Instance size as a share of the image's side or area: side, area.")
    ] = "side",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """The five figures of a dataset: instances per category, categories and instances per image, sizes.

    The published numbers of COCO, ImageNet, PASCAL VOC and SUN stand beside them.

    **Examples**

      amidst dataset stats instances_train.json -o figures/

      amidst dataset stats mine.json theirs.json --name mine --name theirs --json
    """
    if size not in ("side", "area"):
        raise UsageError(f"--size {size}: expected side or area")
    names = name or [file.stem for file in files]
    if len(names) != len(files):
        raise UsageError(f"{len(files)} files but {len(names)} names; give one --name for each, or none")
    require_distinct_names(names)
    config = StatisticsConfig(count_crowds=crowds, size="side" if size == "side" else "area")
    # one dataset at a time: a large one takes a gigabyte
    figures = [statistics(CocoDataset.load(file), n, config) for file, n in zip(files, names, strict=True)]
    document = [to_builtins(figure) for figure in figures]
    if as_json:
        print_json(document)
    else:
        _table(figures)
    if output is not None:
        write_atomically(output / "statistics.json", msgspec.json.format(msgspec.json.encode(document)))
        sheet = dataset_figure(figures)
        for ending in ("svg", "png"):
            save_figure(sheet, output / f"statistics.{ending}")
        say(f"figures written to {output}")


def _table(figures: list[Statistics]) -> None:
    columns = (
        *("dataset", "images", "categories", "instances", "crowds", "categories/image", "instances/image"),
        *("one category", "small/medium/large"),
    )
    rows = []
    for s in figures:
        sized = sum(s.absolute_sizes)
        rows.append(
            (
                s.name,
                f"{s.images:,}",
                f"{len(s.categories):,}",
                f"{s.instances:,}",
                f"{s.crowds:,}",
                _number(s.mean_categories_per_image),
                _number(s.mean_instances_per_image),
                _per_cent(s.single_category_share),
                "/".join(f"{100 * n / sized:.0f}" for n in s.absolute_sizes) + " %" if sized else UNKNOWN,
            )
        )
    for r in REFERENCES:
        share = _per_cent(r.single_category_share)
        rows.append(
            (
                f"({r.name})",
                f"{r.images:,}",
                f"{r.categories:,}",
                f"{r.instances:,}",
                UNKNOWN,
                _number(r.categories_per_image),
                _number(r.instances_per_image),
                f"> {share}" if r.single_category_at_least else share,
                UNKNOWN,
            )
        )
    print_table("", columns, rows, right=columns[1:])


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f}"


def _per_cent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.0f} %"
