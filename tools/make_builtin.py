"""Turn the result of a run into a built-in model: half the bytes, and notes on where it comes from.

python tools/make_builtin.py runs/person/model.safetensors person --note "data=..." --note "ap=0.25"
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from amidst.models.weights import BUILTIN_DIR, load_model, save_model

LARGEST_MB = 12.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("name")
    parser.add_argument("--note", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    model, info = load_model(options.model)
    notes = dict(note.split("=", 1) for note in options.note)
    BUILTIN_DIR.mkdir(exist_ok=True)
    path = BUILTIN_DIR / f"{options.name}.safetensors"
    save_model(path, model.state_dict(), replace(info, notes=info.notes | notes), dtype=torch.float16)
    megabytes = path.stat().st_size / 1e6
    if megabytes > LARGEST_MB:
        path.unlink()
        raise SystemExit(f"{megabytes:.1f} MB; a built-in model may have {LARGEST_MB:.0f} MB")
    print(f"{path}: {megabytes:.1f} MB")  # noqa: T201


if __name__ == "__main__":
    main()
