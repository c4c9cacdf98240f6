"""Video files made of photographs: every frame once, in time, turned as a player shows it, torn ones told."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from amidst.coco.images import read_image
from amidst.data import sample_dir
from amidst.errors import ImageError, MissingExtra, UsageError
from amidst.inference import video
from amidst.inference.predict import predict_images
from amidst.inference.tiles import Tiling
from amidst.inference.video import ClipWriter, open_clip, predict_clip, read_frames
from amidst.models.weights import ModelInfo
from amidst.ops.images import resize

Pixels = npt.NDArray[np.uint8]
SIZE_HW = (96, 128)


@pytest.fixture(scope="session")
def frames() -> list[Pixels]:
    """Twelve frames: a window that moves over a photograph."""
    photograph = read_image(sorted((sample_dir() / "images").glob("*.jpg"))[0])
    small = resize(torch.from_numpy(photograph).permute(2, 0, 1), (128, 176)).permute(1, 2, 0).numpy()
    return [np.ascontiguousarray(small[i : i + SIZE_HW[0], 3 * i : 3 * i + SIZE_HW[1]]) for i in range(12)]


@pytest.fixture
def clip_file(tmp_path: Path, frames: list[Pixels]) -> Path:
    return written(tmp_path / "clip.mp4", frames)


def written(path: Path, frames: list[Pixels], rate: int = 10) -> Path:
    with ClipWriter(path, Fraction(rate)) as writer:
        for number, frame in enumerate(frames):
            writer.write(frame, number / rate)
    return path


def test_what_the_file_says(clip_file: Path) -> None:
    clip = open_clip(clip_file)
    assert (clip.frames, clip.rate) == (12, 10)


def test_frames_come_back_in_order_and_time(clip_file: Path, frames: list[Pixels]) -> None:
    found = list(read_frames(open_clip(clip_file)))
    assert [frame.number for frame in found] == list(range(12))
    assert [frame.time_s for frame in found] == pytest.approx([number / 10 for number in range(12)])
    for frame, original in zip(found, frames, strict=True):
        assert frame.pixels.shape == original.shape
        assert frame.pixels.flags.c_contiguous
        difference = np.abs(frame.pixels.astype(int) - original)  # colours are halved and compressed
        assert difference.mean() < 6


@pytest.mark.parametrize(("every", "expected"), [(1, 12), (5, 3), (100, 1)])
def test_every_so_many_th(clip_file: Path, every: int, expected: int) -> None:
    found = list(read_frames(open_clip(clip_file), every))
    assert [frame.number for frame in found] == list(range(0, 12, every))
    assert len(found) == expected


@pytest.mark.parametrize("size_hw", [(95, 127), (1, 1), (2, 33)])
def test_odd_sides_are_filled_up(tmp_path: Path, size_hw: tuple[int, int]) -> None:
    path = written(tmp_path / "odd.mp4", [np.full((*size_hw, 3), 90, dtype=np.uint8)])
    (frame,) = read_frames(open_clip(path))
    assert frame.pixels.shape[:2] == tuple(side + side % 2 for side in size_hw)


def test_no_frames_at_all(tmp_path: Path) -> None:
    path = written(tmp_path / "none.mp4", [])
    with pytest.raises(ImageError, match="unreadable-video"):
        open_clip(path)


@pytest.mark.parametrize("turn", [90, -90, 180])
def test_a_turned_video_is_seen_as_a_player_shows_it(tmp_path: Path, frames: list[Pixels], turn: int) -> None:
    """A phone held upright writes frames on their side, and how to turn them."""
    path = tmp_path / "turned.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = SIZE_HW[1], SIZE_HW[0], "yuv420p"
        stream.set_display_rotation(turn)
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    found = next(read_frames(open_clip(path)))
    expected = np.rot90(frames[0], turn // 90)  # counterclockwise, as the file means it
    assert found.pixels.shape == expected.shape
    assert np.abs(found.pixels.astype(int) - expected).mean() < 12


def test_torn_frames_are_passed_over_and_counted(clip_file: Path, frames: list[Pixels]) -> None:
    """Bytes in the middle of the file overwritten: what is left still comes, with its own numbers."""
    content = bytearray(clip_file.read_bytes())
    begin = content.find(b"mdat") + 4
    middle = (begin + len(content)) // 2
    content[middle : middle + 600] = bytes(600)
    clip_file.write_bytes(content)
    broken: list[int] = []
    found = list(read_frames(open_clip(clip_file), on_broken=lambda: broken.append(1)))
    assert broken
    assert 0 < len(found) < 12
    assert len(found) + len(broken) >= 12
    numbers = [frame.number for frame in found]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_files_cut_off(clip_file: Path, kept: int) -> None:
    clip_file.write_bytes(clip_file.read_bytes()[:kept])
    with pytest.raises(ImageError, match=r"clip.mp4: .*\[unreadable-video\]"):
        open_clip(clip_file)


def test_what_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        open_clip(tmp_path / "absent.mp4")
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    with pytest.raises(ImageError, match="not a readable video"):
        open_clip(tmp_path / "text.mp4")


def test_a_playlist_does_not_lead_to_other_files(tmp_path: Path, clip_file: Path) -> None:
    for text in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{clip_file}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{clip_file}'\n",
    ):
        (tmp_path / "list.mp4").write_text(text)
        with pytest.raises(ImageError, match="not a readable video"):
            open_clip(tmp_path / "list.mp4")


def test_frames_too_large_are_refused(clip_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "PIXEL_LIMIT", 1000)
    with pytest.raises(ImageError, match="more than the 1,000 allowed"):
        open_clip(clip_file)


def test_without_pyav_one_line_says_how_to_get_it(clip_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "av", None)
    with pytest.raises(MissingExtra, match=r"pip install 'amidst\[video\]'"):
        open_clip(clip_file)
    with pytest.raises(MissingExtra):
        ClipWriter(clip_file, Fraction(10))


def test_a_video_appears_when_it_is_complete(tmp_path: Path, frames: list[Pixels]) -> None:
    def halfway() -> None:
        with ClipWriter(tmp_path / "a.mp4", Fraction(10)) as writer:
            writer.write(frames[0], 0.0)
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        halfway()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize("workers", [0, 2])
def test_predictions_are_those_of_the_frames_as_photographs(
    info: ModelInfo, network: nn.Module, clip_file: Path, tmp_path: Path, batch_size: int, workers: int
) -> None:
    clip = open_clip(clip_file)
    found = list(predict_clip(network, info, clip, every=3, batch_size=batch_size, workers=workers))
    assert [frame.number for frame, _ in found] == [0, 3, 6, 9]
    for frame, prediction in found:
        assert (prediction.image_id, prediction.size_hw) == (frame.number, SIZE_HW)
        path = tmp_path / "frame.png"
        av.VideoFrame.from_ndarray(frame.pixels, format="rgb24").to_image().save(path)
        (alone,) = predict_images(network, info, [path])
        expected = alone.detections
        assert torch.allclose(prediction.detections.boxes_xyxy, expected.boxes_xyxy, atol=1e-2)
        assert torch.allclose(prediction.detections.scores, expected.scores, atol=1e-5)


def test_frames_in_tiles(info: ModelInfo, network: nn.Module, clip_file: Path) -> None:
    found = list(predict_clip(network, info, open_clip(clip_file), every=6, tiling=Tiling(64, 64)))
    assert [prediction.image_id for _, prediction in found] == [0, 6]
    assert all(prediction.size_hw == SIZE_HW for _, prediction in found)


def test_leaving_early_ends_the_thread(info: ModelInfo, network: nn.Module, clip_file: Path) -> None:
    found = predict_clip(network, info, open_clip(clip_file))
    next(found)
    found.close()
    for thread in threading.enumerate():
        if thread.name == "amidst-decode":
            thread.join(timeout=10)
            assert not thread.is_alive()
