"""`amidst predict` on videos and in tiles, as typed."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from amidst.coco.images import read_image
from amidst.coco.results import Results
from amidst.data import sample_dir
from amidst.inference import video
from amidst.inference.video import ClipWriter, open_clip, read_frames


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Six frames, half a second: windows of a photograph."""
    photograph = read_image(sorted((sample_dir() / "images").glob("*.jpg"))[0])
    path = tmp_path / "clip.mp4"
    with ClipWriter(path, Fraction(12)) as writer:
        for number in range(6):
            writer.write(photograph[number : number + 80, 4 * number : 4 * number + 120], number / 12)
    return path


def test_lines_and_a_video_with_boxes(amidst: Any, model_file: Path, clip: Path, tmp_path: Path) -> None:
    output, draw = tmp_path / "new" / "found.jsonl", tmp_path / "out"
    typed = amidst("predict", model_file, clip, "-o", output, "--draw", draw, "--threshold", 0)
    assert typed.code == 0, typed.err
    assert "with objects" in typed.out
    assert f"6 frames written to {output}" in typed.err
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(6))
    assert [line["time_s"] for line in lines] == pytest.approx([n / 12 for n in range(6)], abs=1e-4)
    for line in lines:
        assert (line["file_name"], line["height"], line["width"]) == (str(clip), 80, 120)
        assert line["detections"]
        for detection in line["detections"]:
            assert set(detection) == {"category_id", "category", "score", "bbox"}
            x, y, width, height = detection["bbox"]
            assert min(x, y) >= 0
            assert x + width <= 120.001
            assert y + height <= 80.001
    drawn, plain = (list(read_frames(open_clip(path))) for path in (draw / "clip.mp4", clip))
    assert [frame.time_s for frame in drawn] == pytest.approx([frame.time_s for frame in plain], abs=1e-4)
    assert all(np.abs(a.pixels.astype(int) - b.pixels).max() > 60 for a, b in zip(drawn, plain, strict=True))


def test_each_frame_as_json_and_every_so_many_th(amidst: Any, model_file: Path, clip: Path) -> None:
    typed = amidst("predict", model_file, clip, "--json", "--every", 4)
    assert typed.code == 0
    assert [line["frame"] for line in typed.lines] == [0, 4]


def test_the_built_in_model_takes_a_video_too(amidst: Any, clip: Path) -> None:
    typed = amidst("predict", clip, "--json", "--every", 6)
    assert typed.code == 0
    assert len(typed.lines) == 1


def test_several_videos_of_equal_names(amidst: Any, model_file: Path, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / clip.name
    other.write_bytes(clip.read_bytes())
    words = ("--every", 3, "-o", tmp_path / "all.jsonl", "--draw", tmp_path / "out")
    typed = amidst("predict", model_file, clip, other, *words)
    assert typed.code == 0
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [line["file_name"] for line in lines] == [str(clip)] * 2 + [str(other)] * 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["clip-2.mp4", "clip.mp4"]


def test_a_torn_video_gives_what_it_has(amidst: Any, model_file: Path, clip: Path, tmp_path: Path) -> None:
    content = bytearray(clip.read_bytes())
    middle = (content.find(b"mdat") + len(content)) // 2
    content[middle : middle + 300] = bytes(300)
    clip.write_bytes(content)
    (tmp_path / "text.mp4").write_text("no video")
    typed = amidst("predict", model_file, tmp_path / "text.mp4", clip, "-o", tmp_path / "found.jsonl")
    assert typed.code == 1
    assert "text.mp4: not a readable video" in typed.err
    assert "could not be decoded and were passed over" in typed.err
    assert 0 < len((tmp_path / "found.jsonl").read_text().splitlines()) < 6


def test_nothing_is_left_of_what_could_not_be_read(amidst: Any, model_file: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    words = ("-o", tmp_path / "new.jsonl", "--draw", tmp_path / "out")
    typed = amidst("predict", model_file, tmp_path / "text.mp4", *words)
    assert typed.code == 1
    assert typed.err.splitlines()[-1] == "amidst: error: none of the videos could be read"
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("clip.mp4", "photo.jpg"), "videos and photographs go into separate calls"),
        (("absent.mp4",), "absent.mp4: no such file"),
        (("clip.mp4", "--draw", "."), "would be written over"),
        (("photo.jpg", "--tile", "big"), "--tile big: expected pixels, such as 800 or 1024x768"),
        (("photo.jpg", "--every", "2"), "--every 2: for videos, and none is named"),
        (("clip.mp4", "--proposals", "p.json"), "--proposals needs --ann and --images"),
        (("photo.jpg", "--tile", "0"), "expected at least 1x1"),
    ],
)
def test_wrong_calls(
    amidst: Any,
    model_file: Path,
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    line: str,
) -> None:
    monkeypatch.chdir(clip.parent)
    Image.new("RGB", (30, 20)).save("photo.jpg")
    before = clip.read_bytes()
    typed = amidst("predict", model_file, *words)
    assert typed.code == 2
    assert line in typed.err
    assert clip.read_bytes() == before


def test_without_pyav(amidst: Any, model_file: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "av", None)
    typed = amidst("predict", model_file, clip)
    assert typed.code == 2
    assert typed.err.splitlines() == [
        "amidst: error: av is not installed; install it with: pip install 'amidst[video]'"
    ]


def test_an_interrupted_drawing_leaves_no_video(
    amidst: Any, model_file: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong in the thread that encodes ends the command."""
    real = ClipWriter.write

    def full(writer: ClipWriter, pixels: video.Pixels, time_s: float) -> None:
        if time_s > 0.2:
            raise OSError(28, "No space left on device")
        real(writer, pixels, time_s)

    monkeypatch.setattr(ClipWriter, "write", full)
    typed = amidst("predict", model_file, clip, "-o", tmp_path / "a.jsonl", "--draw", tmp_path / "out")
    assert typed.code != 0
    assert "No space left" in typed.err
    assert list((tmp_path / "out").iterdir()) == []
    assert not (tmp_path / "a.jsonl").exists()


def test_photographs_in_tiles(amidst: Any, model_file: Path, tmp_path: Path) -> None:
    """Tiles no smaller than the photograph change nothing; smaller ones give boxes in the same pixels."""
    rng = np.random.default_rng(0)
    album = tmp_path / "album"
    album.mkdir()
    for name, size in (("a.png", (60, 90)), ("b.png", (150, 130))):
        Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8)).save(album / name)
    (album / "c.png").write_bytes(b"")
    outputs = []
    for tile in ((), ("--tile", "200"), ("--tile", "64x48", "--overlap", "0.25", "--batch", "3")):
        output = tmp_path / f"{len(outputs)}.json"
        typed = amidst("predict", model_file, album, "-o", output, "--draw", tmp_path / "out", *tile)
        assert typed.code == 1
        assert "1 of 3 images could not be read" in typed.err
        outputs.append(output)
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    tiled = Results.load(outputs[2])
    assert tiled.boxes_xywh is not None
    assert set(tiled.image_ids.tolist()) == {0, 1}
    ends = tiled.boxes_xywh[:, :2] + tiled.boxes_xywh[:, 2:]
    assert (ends[tiled.image_ids == 0] <= [90.01, 60.01]).all()
    assert len(tiled) > len(Results.load(outputs[0]))


def test_frames_in_tiles(amidst: Any, model_file: Path, clip: Path) -> None:
    typed = amidst("predict", model_file, clip, "--json", "--every", 3, "--tile", "64", "--threshold", 0)
    assert typed.code == 0
    assert [line["frame"] for line in typed.lines] == [0, 3]


def test_a_dataset_in_tiles(amidst: Any, model_file: Path, data: Any, tmp_path: Path) -> None:
    typed = amidst(
        "predict",
        model_file,
        "--ann",
        data.val,
        "--images",
        data.images,
        "--tile",
        32,
        "-o",
        tmp_path / "r.json",
    )
    assert typed.code == 0
    ids = {image["id"] for image in json.loads(Path(data.val).read_bytes())["images"]}
    assert set(Results.load(tmp_path / "r.json").image_ids.tolist()) <= ids


def test_sound_and_subtitles_do_not_disturb(
    amidst: Any, model_file: Path, clip: Path, tmp_path: Path
) -> None:
    with av.open(tmp_path / "loud.mkv", "w") as container, av.open(clip) as source:
        pictures = container.add_stream_from_template(source.streams.video[0])
        sound = container.add_stream("aac", rate=44100)
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = pictures
                container.mux(packet)
        silence = av.AudioFrame.from_ndarray(
            np.zeros((2, 1024), dtype=np.float32), format="fltp", layout="stereo"
        )
        silence.sample_rate, silence.pts = 44100, 0
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    typed = amidst("predict", model_file, tmp_path / "loud.mkv", "--json")
    assert typed.code == 0
    assert len(typed.lines) == 6
