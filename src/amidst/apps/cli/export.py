"""`amidst export`: a model as one ONNX file that predicts on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from torch import nn

from amidst.apps.cli.console import new_app, print_json, say
from amidst.apps.cli.export_int8 import Sets, export_int8, image_sets
from amidst.apps.cli.mask_options import Coarse, Number, Threshold, Zoom, mask_settings
from amidst.apps.cli.progress import step
from amidst.coco.files import check_writable
from amidst.config import to_builtins
from amidst.errors import UsageError
from amidst.inference.checkpoints import is_checkpoint, open_checkpoint
from amidst.inference.export import export_model
from amidst.inference.exported import OPSET
from amidst.inference.opening import EXPORTED
from amidst.inference.propose_settings import ProposalSettings, adjusted
from amidst.models.config import MaskConfig
from amidst.models.weights import ModelInfo, load_model, resolve_model

app = new_app()

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A run folder, a checkpoint, a model file, or a built-in name.",
        show_default=False,
    ),
]
Output = Annotated[Path, typer.Option("-o", "--output", help="The file to write; it ends in .onnx.")]
Int8 = Annotated[
    bool, typer.Option("--int8", help="Eight-bit integers, for processors with instructions for them.")
]
Calibrate = Annotated[
    Path | None,
    typer.Option(help="COCO file of images that --int8 takes its ranges from.", show_default=False),
]
Images = Annotated[Path | None, typer.Option(help="Folder of the images of --calibrate.", show_default=False)]
Samples = Annotated[int, typer.Option(help="Images that --int8 takes its ranges from.", min=1)]
Validate = Annotated[
    Path | None,
    typer.Option(
        help="COCO file that the loss of --int8 is measured on; left out: images of --calibrate beyond the "
        "samples.",
        show_default=False,
    ),
]
ValidateImages = Annotated[
    Path | None, typer.Option(help="Folder of the images of --validate, if another.", show_default=False)
]
Runtime = Annotated[
    str,
    typer.Option(help="What --int8 is made for, and its loss measured with: auto, onnxruntime or openvino."),
]


@app.command()
def export(
    model: Model,
    output: Output = Path("model.onnx"),
    int8: Int8 = False,
    calibrate: Calibrate = None,
    images: Images = None,
    samples: Samples = 64,
    validate: Validate = None,
    validate_images: ValidateImages = None,
    runtime: Runtime = "auto",
    number: Number = None,
    zoom: Zoom = None,
    threshold: Threshold = None,
    coarse: Coarse = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write a model as one ONNX file, with decoding and suppression inside.

    amidst predict and amidst propose run it like any model; docs/deploy.md says how other programs do.

    **Examples**

      amidst export person -o person.onnx

      amidst export runs/mine -o mine.onnx --int8 --calibrate train.json --images images/

      amidst export runs/sharpmask -o sharpmask.onnx --zoom 1 -n 2000
    """
    if output.suffix != EXPORTED:
        raise UsageError(f"--output {output}: expected a name that ends in {EXPORTED}")
    check_writable(output)
    settings = mask_settings(number, zoom, threshold, coarse)
    sets: Sets | None = None
    if int8:
        sets = image_sets(calibrate, images, samples, validate, validate_images)
    elif calibrate or images or validate or validate_images or runtime != "auto":
        raise UsageError(
            "--calibrate, --images, --validate, --validate-images and --runtime belong to --int8"
        )
    network, info = _opened(model, settings)
    record: dict[str, Any] = {
        "file": str(output),
        "family": to_builtins(info.config)["family"],
        "opset": OPSET,
        "precision": "int8" if int8 else "float32",
    }
    say("exporting takes a minute or two")
    if sets is None:
        with step("exporting"):
            export_model(network, info, output)
    else:
        record |= export_int8(network, info, output, sets, runtime)
    record["bytes"] = output.stat().st_size
    if as_json:
        print_json(record)
    size = f"{record['bytes'] / 1e6:.1f} MB"
    say(f"{record['family']} in {record['precision']} written to {output} ({size})")


def _opened(name: str, settings: ProposalSettings) -> tuple[nn.Module, ModelInfo]:
    """The model as it is to be exported. Raises UsageError for settings of masks where there are none."""
    path = Path(name)
    if path.suffix == EXPORTED:
        raise UsageError(f"{name}: exported already; name the model that it was made from")
    network, info = open_checkpoint(path) if is_checkpoint(path) else load_model(resolve_model(name))
    if settings == ProposalSettings():
        return network, info
    if not isinstance(info.config, MaskConfig):
        raise UsageError(f"{name}: -n, --zoom, --threshold and --coarse are for networks that propose masks")
    return adjusted(network, info, settings)
