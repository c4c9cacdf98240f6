from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results


def photograph(height: int = 40, width: int = 60) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: shown as 60 high and 40 wide
    photograph().save(path, exif=exif)


def sixteen_bit(path: Path) -> None:
    Image.fromarray(np.arange(2400, dtype=np.uint16).reshape(40, 60) * 20).save(path)


KINDS: dict[str, Callable[[Path], None]] = {
    "turned.jpg": turned,
    "grey.jpg": lambda path: photograph().convert("L").save(path),
    "cmyk.jpg": lambda path: photograph().convert("CMYK").save(path),
    "sixteen.png": sixteen_bit,
    "palette.png": lambda path: photograph().convert("P").save(path),
    "alpha.png": lambda path: photograph().convert("RGBA").save(path),
    "bilevel.png": lambda path: photograph().convert("1").save(path),
    "animated.gif": lambda path: photograph().save(path, save_all=True, append_images=[photograph()]),
    "pixel.png": lambda path: photograph(1, 1).save(path),
    "thin.png": lambda path: photograph(3, 400).save(path),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_picture(amidst: Any, model_file: Path, tmp_path: Path, name: str) -> None:
    KINDS[name](tmp_path / name)
    typed = amidst(
        "predict", model_file, tmp_path / name, "--json", "--threshold", 0, "--draw", tmp_path / "out"
    )
    assert typed.code == 0, typed.err
    (record,) = typed.lines
    sizes = {"turned.jpg": (60, 40), "pixel.png": (1, 1), "thin.png": (3, 400)}
    assert (record["height"], record["width"]) == sizes.get(name, (40, 60))
    assert len(record["detections"]) == 3
    for detection in record["detections"]:
        x, y, width, height = detection["bbox"]
        assert x >= 0 <= y
        assert x + width <= record["width"] + 1e-3
        assert y + height <= record["height"] + 1e-3
    with Image.open((tmp_path / "out" / name).with_suffix(".jpg")) as picture:
        assert picture.size == (record["width"], record["height"])


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with three photographs, one of them in a folder of its own, and a text."""
    folder = tmp_path / "album"
    (folder / "sea").mkdir(parents=True)
    for name in ("a.jpg", "b.png", "sea/a.jpg"):
        photograph().save(folder / name)
    (folder / "notes.txt").write_text("not a photograph")
    return folder


def test_a_folder_as_a_table(amidst: Any, model_file: Path, album: Path) -> None:
    typed = amidst("predict", model_file, album, "--threshold", 0)
    assert typed.code == 0
    rows = typed.out.splitlines()
    assert [row.split()[0] for row in rows if "60 x 40" in row] == [
        str(album / name) for name in ("a.jpg", "b.png", "sea/a.jpg")
    ]
    assert "square 0." in typed.out or "bar 0." in typed.out


def test_names_are_shown_as_they_are(amidst: Any, model_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "[bold]a[red]%s{x}.png"
    photograph().save(path)
    (tmp_path / "[").mkdir()
    (tmp_path / "[" / "green].jpg").write_bytes(b"")
    typed = amidst("predict", model_file, tmp_path)
    assert typed.code == 1
    assert path.name in typed.out
    assert f"{tmp_path}/[/green].jpg" in typed.err


def test_results_and_pictures(amidst: Any, model_file: Path, album: Path, tmp_path: Path) -> None:
    output, draw = tmp_path / "new" / "found.json", tmp_path / "new" / "out"
    typed = amidst("predict", model_file, album, album / "a.jpg", "-o", output, "--draw", draw)
    assert typed.code == 0
    records = json.loads(output.read_bytes())
    assert [record["image_id"] for record in records] == [0] * 3 + [1] * 3 + [2] * 3
    assert records[3]["file_name"] == str(album / "b.png")
    assert set(records[0]) == {"image_id", "category_id", "score", "bbox", "file_name"}
    assert len(Results.load(output)) == 9  # COCO results in spite of the further field
    assert sorted(path.relative_to(draw).as_posix() for path in draw.rglob("*.jpg")) == [
        "a.jpg",
        "b.jpg",
        "sea/a.jpg",
    ]


def test_pictures_of_equal_names_do_not_overwrite_each_other(
    amidst: Any, model_file: Path, album: Path, tmp_path: Path
) -> None:
    typed = amidst(
        "predict", model_file, album / "a.jpg", album / "sea" / "a.jpg", "--draw", tmp_path / "out"
    )
    assert typed.code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a-2.jpg", "a.jpg"]


def test_a_broken_image_is_named_and_the_rest_goes_on(amidst: Any, model_file: Path, album: Path) -> None:
    whole = (album / "a.jpg").read_bytes()
    (album / "broken.jpg").write_bytes(whole[: len(whole) // 2])
    (album / "empty.jpg").write_bytes(b"")
    (album / "text.jpg").write_text("hello")
    typed = amidst("predict", model_file, album, "--json")
    assert typed.code == 1
    broken = [Path(line["file_name"]).name for line in typed.lines if "error" in line]
    assert broken == ["broken.jpg", "empty.jpg", "text.jpg"]
    assert len(typed.lines) == 6
    assert typed.err.count("amidst: warning:") == 3
    assert "3 of 6 images could not be read" in typed.err


def test_only_broken_images(amidst: Any, model_file: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    typed = amidst("predict", model_file, tmp_path / "a.jpg", "-o", tmp_path / "r.json")
    assert typed.code == 1
    assert json.loads((tmp_path / "r.json").read_bytes()) == []


def test_nothing_above_the_threshold(amidst: Any, model_file: Path, album: Path, tmp_path: Path) -> None:
    typed = amidst(
        "predict", model_file, album / "a.jpg", "--threshold", 1, "--json", "-o", tmp_path / "r.json"
    )
    assert typed.lines[0]["detections"] == []
    assert len(json.loads((tmp_path / "r.json").read_bytes())) == 3


def test_a_dataset(amidst: Any, model_file: Path, data: Any, tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    words = ("predict", model_file, "--ann", data.val, "--images", data.images, "-o", output, "--json")
    typed = amidst(*words, "--draw", tmp_path / "out")
    assert typed.code == 0
    assert sorted(line["image_id"] for line in typed.lines) == [10, 11, 12, 13]
    results = Results.load(output)
    results.check_against(CocoDataset.load(data.val))
    assert len(results) == 12
    assert len(list((tmp_path / "out").iterdir())) == 4
    assert amidst("evaluate", data.val, output).code == 0


def test_batches_and_threads_change_nothing(
    amidst: Any, model_file: Path, album: Path, tmp_path: Path
) -> None:
    for name, words in {"one": (), "four": ("--batch", 4, "--workers", 0)}.items():
        assert amidst("predict", model_file, album, "-o", tmp_path / name, *words).code == 0
    one, four = (Results.load(tmp_path / name) for name in ("one", "four"))
    assert one.boxes_xywh is not None
    assert four.boxes_xywh is not None
    np.testing.assert_allclose(one.boxes_xywh, four.boxes_xywh, atol=0.01)


def test_narrow_numbers_change_little(amidst: Any, model_file: Path, album: Path) -> None:
    words = ("predict", model_file, album / "a.jpg", "--json", "--threshold", 0)
    whole, narrow = (
        amidst(*words, "--precision", precision).lines[0]["detections"]
        for precision in ("float32", "bfloat16")
    )
    assert whole != narrow
    assert [found["score"] for found in narrow[:5]] == pytest.approx(
        [found["score"] for found in whole[:5]], abs=0.05
    )


def test_a_run_folder_is_a_model(amidst: Any, run_folder: Path, album: Path) -> None:
    assert amidst("predict", run_folder, album / "a.jpg").code == 0


def test_a_checkpoint_is_a_model(amidst: Any, run_folder: Path, data: Any, tmp_path: Path) -> None:
    (checkpoint,) = (run_folder / "checkpoints").iterdir()
    words = ("--ann", data.val, "--images", data.images, "-o")
    assert amidst("predict", run_folder, *words, tmp_path / "run.json").code == 0
    typed = amidst("predict", checkpoint, *words, tmp_path / "checkpoint.json")
    assert typed.code == 0
    assert "warning" not in typed.err
    of_run, of_checkpoint = (Results.load(tmp_path / f"{name}.json") for name in ("run", "checkpoint"))
    np.testing.assert_allclose(of_run.scores, of_checkpoint.scores, atol=1e-5)
    assert of_run.category_ids.tolist() == of_checkpoint.category_ids.tolist()


@pytest.mark.usefixtures("engine_here")
def test_parts_hold_what_the_same_command_finds_without(
    amidst: Any, run_folder: Path, data: Any, tmp_path: Path
) -> None:
    (checkpoint,) = (run_folder / "checkpoints").iterdir()
    for model, precision in ((run_folder, "float32"), (checkpoint, "float32"), (checkpoint, "bfloat16")):
        words = ("predict", model, data.images, "--precision", precision, "--json")
        plain = amidst(*words, "--threshold", 0)
        assert plain.code == 0, plain.err
        out = tmp_path / f"{model.name}-{precision}"
        typed = amidst(*words, "--engine", "local", "-o", out, "--parts", "jsonl")
        assert typed.code == 0, typed.err
        rows = [json.loads(line) for line in (out / "part-00000.jsonl").read_text().splitlines()]
        assert sorted(row["scores"] for row in rows) == sorted(
            [found["score"] for found in line["detections"]] for line in plain.lines
        )
    other = amidst("predict", run_folder, data.images, "--engine", "local", "-o", out, "--parts", "jsonl")
    assert (other.code, "another run (different: model, precision)" in other.err) == (2, True)


def test_a_checkpoint_out_of_its_run_predicts_until_it_is_damaged(
    amidst: Any, run_folder: Path, album: Path, tmp_path: Path
) -> None:
    (checkpoint,) = (run_folder / "checkpoints").iterdir()
    copy = shutil.copytree(checkpoint, tmp_path / "step")
    assert amidst("predict", copy, album / "a.jpg").code == 0
    (copy / "state.json").write_text("{")
    damaged = amidst("predict", copy, album / "a.jpg")
    assert damaged.code == 1
    assert "not a readable checkpoint" in damaged.err


def test_the_first_word_may_be_an_image(
    amidst: Any, monkeypatch: pytest.MonkeyPatch, model_file: Path, album: Path
) -> None:
    monkeypatch.setattr("amidst.inference.opening.resolve_model", lambda name: {"person": model_file}[name])
    for words in ([album / "a.jpg"], [album], [album / "a.jpg", album / "b.png"]):
        typed = amidst("predict", *words)
        assert typed.code == 0, typed.err


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.ckpt", "w.pkl"])
def test_weights_of_another_program_are_no_photograph(
    amidst: Any, album: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"weights")
    typed = amidst("predict", tmp_path / name, album / "a.jpg")
    assert typed.code == 2
    assert f"amidst weights convert {tmp_path / name} -o MODEL.safetensors" in typed.err
    assert typed.out == ""
    assert "nothing to look at" in amidst("predict", tmp_path / name).err


@pytest.mark.parametrize("mark", ["config.json", "run.json", "checkpoints"])
def test_the_folder_of_an_unfinished_run_is_no_album(
    amidst: Any, album: Path, tmp_path: Path, mark: str
) -> None:
    (tmp_path / "run" / mark).mkdir(parents=True)
    typed = amidst("predict", tmp_path / "run", album / "a.jpg")
    assert typed.code == 2
    assert "holds no model.safetensors" in typed.err
    assert typed.out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a photograph, or a model and photographs"),
        (["{model}"], "nothing to look at"),
        (["nowhere.jpg"], "nowhere.jpg: no such file or folder"),
        (["{model}", "nowhere.jpg"], "nowhere.jpg: no such file or folder"),
        (["nosuchmodel", "{album}"], "nosuchmodel: no such model"),
        (["{model}", "{empty}"], "no image in this folder"),
        (["{model}", "{album}", "--ann", "{val}", "--images", "{album}"], "either --ann or paths"),
        (["{empty}", "--ann", "{val}", "--images", "{album}"], "holds no model.safetensors"),
        (["{model}", "--ann", "{val}"], "--ann and --images go together"),
        (["{model}", "{album}", "--images", "{album}"], "--ann and --images go together"),
        (["{model}", "--ann", "nowhere.json", "--images", "{album}"], "nowhere.json"),
        (["{model}", "--ann", "{val}", "--images", "nowhere"], "nowhere: no such folder"),
        (["{model}", "{album}", "--device", "quantum"], "--device quantum"),
        (["{model}", "{album}", "--threshold", "2"], "--threshold"),
        (["{model}", "{album}", "--draw", "{model}"], "cannot be created"),
        (["{broken}", "s3://bucket/photos"], "s3://bucket/photos: in object storage; add --engine local"),
        (["s3://bucket/photos"], "s3://bucket/photos: in object storage; add --engine local"),
        (["{broken}", "{album}", "-o", "{album}"], "album: a folder; name a file in it"),
        (["{broken}", "{album}", "-o", "{model}/found.json"], "found.json: cannot be written"),
        (["{broken}", "{album}", "-o", "/proc/found.json"], "found.json: cannot be written"),
        (["{broken}", "{album}", "-o", "found.jsonl"], "one JSON array, in a .json file"),
    ],
)
def test_misuse(
    amidst: Any,
    model_file: Path,
    album: Path,
    data: Any,
    tmp_path: Path,
    words: list[str],
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken.safetensors"  # what is said before it is opened
    broken.write_bytes(b"")
    places = {
        "broken": broken,
        "model": model_file,
        "album": album,
        "val": data.val,
        "empty": tmp_path / "empty",
    }
    typed = amidst("predict", *(word.format(**places) for word in words))
    assert typed.code == 2
    assert message in typed.err
    assert len(typed.err.splitlines()) == 1
    assert typed.out == ""


@pytest.mark.parametrize("damage", ["truncated", "text", "empty"])
def test_a_damaged_model(amidst: Any, model_file: Path, album: Path, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "damaged.safetensors"
    content = model_file.read_bytes()
    file.write_bytes({"truncated": content[: len(content) // 2], "text": b"x" * 100, "empty": b""}[damage])
    typed = amidst("predict", file, album)
    assert typed.code == 1
    assert "damaged.safetensors" in typed.err
    assert len(typed.err.splitlines()) == 1


def test_a_dataset_whose_images_are_elsewhere(
    amidst: Any, model_file: Path, data: Any, tmp_path: Path
) -> None:
    shutil.copy(data.images / "10.jpg", tmp_path / "10.jpg")
    typed = amidst("predict", model_file, "--ann", data.val, "--images", tmp_path, "--json")
    assert typed.code == 1
    assert [line["file_name"] for line in typed.lines if "error" not in line] == [str(tmp_path / "10.jpg")]
    assert "3 of 4 images could not be read" in typed.err
