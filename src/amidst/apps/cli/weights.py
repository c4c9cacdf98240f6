"""`amidst weights`: built-in models, published ImageNet weights, and checkpoints of other families."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from amidst.apps.cli.console import new_app, print_json, print_table, say
from amidst.apps.cli.progress import step
from amidst.apps.cli.weights_foreign import convert_file, inspect
from amidst.config import to_builtins
from amidst.models.download import WEIGHTS, default_cache, download_weights
from amidst.models.weights import builtin_models, read_info, resolve_model

app = new_app(
    help="List, download, inspect and convert weights. Nothing is ever downloaded without being asked for."
)
app.command("inspect")(inspect)
app.command("convert")(convert_file)


@app.command("list")
def list_weights(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the built-in models and the published backbone weights, and which of these are at hand.

    **Example**

      amidst weights list --json
    """
    records = [_builtin(name) for name in builtin_models()] + [_published(name) for name in WEIGHTS]
    if as_json:
        print_json(records)
        return
    rows = [(record["name"], record["kind"], record["about"], record["place"]) for record in records]
    print_table("", ("name", "kind", "about", "where"), rows)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A published backbone, such as resnet50.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the file as JSON.")] = False,
) -> None:
    """Download the published ImageNet weights of a backbone into the cache, checked by SHA-256.

    **Examples**

      amidst weights fetch resnet50
    """
    with step(f"downloading {name}") as bar:
        path = download_weights(name, progress=lambda done, total: bar.update(done, total))
    if as_json:
        print_json({"name": name, "path": str(path)})
    else:
        say(f"{name}: {path}")


def _builtin(name: str) -> dict[str, Any]:
    info = read_info(resolve_model(name))
    names = [str(category["name"]) for category in info.categories]
    about = (
        f"{to_builtins(info.config)['family']} for {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}"
    )
    return {"name": name, "kind": "detector", "about": about, "place": "built in"}


def _published(name: str) -> dict[str, Any]:
    here = (default_cache() / WEIGHTS[name]).is_file()
    place = str(default_cache() / WEIGHTS[name]) if here else f"amidst weights fetch {name}"
    return {"name": name, "kind": "backbone", "about": "torchvision, ImageNet", "place": place}
