"""amidst.leaderboard.checking: every wrong file is refused with file, record and rule, right ones pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amidst.coco import CocoDataset, masks
from amidst.errors import DataError
from amidst.leaderboard.checking import Checker, PublicCategory, PublicImage, PublicList, Rules
from amidst.leaderboard.config import BenchmarkConfig, Kind, UploadLimits

IMAGES = tuple(PublicImage(id, 40, 30, f"{id}.jpg") for id in (7, 0, -3, 10**9))
PUBLIC = PublicList(IMAGES, (PublicCategory(1, "cat"), PublicCategory(90, "dog")))
BOX = {"image_id": 7, "category_id": 90, "bbox": [1, 2, 3, 4], "score": 0.5}
RLE = {"size": [30, 40], "counts": masks.from_box((2, 3, 10, 5), (30, 40)).counts}
MASK = {"image_id": 7, "category_id": 90, "segmentation": RLE, "score": 0.5}


def check(data: Any, kind: Kind = "bbox", step: int = 1 << 20, **limits: Any) -> Checker:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    rules = Rules.of(PUBLIC, BenchmarkConfig(kind=kind, uploads=UploadLimits(**limits)))
    checker = Checker("r.json", rules)
    for at in range(0, len(text), step):
        checker.feed(text[at : at + step])
    checker.end()
    return checker


def without(record: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != name}


def test_no_detection_is_a_right_file_and_no_byte_is_not() -> None:
    assert check([]).records == 0
    assert check(b"\xef\xbb\xbf [ ] ").records == 0
    for empty in (b"", b"  \n"):
        with pytest.raises(DataError, match=r"r.json.*the file is empty"):
            check(empty)


@pytest.mark.parametrize("step", [1, 100, 1 << 20])
def test_right_files_of_every_kind(step: int) -> None:
    many = [{**BOX, "image_id": id, "note": "},{"} for id in (7, 0, -3, 10**9)] * 5
    assert check(many, step=step).records == 20
    uncompressed = {"size": [30, 40], "counts": [200, 1000]}
    assert check([MASK, {**MASK, "segmentation": uncompressed}], "segm", step).records == 2
    assert check([without(BOX, "category_id"), {**BOX, "category_id": 5}], "proposals", step).records == 2
    assert check([without(MASK, "category_id")], "proposals", step).records == 1
    assert check([without(MASK, "category_id")], "mask-proposals", step).records == 1


WRONG: list[tuple[Any, Kind, str]] = [
    ({"annotations": []}, "bbox", r"r.json: a results file is a list .*\[json\]"),
    (b'"text"', "bbox", r"a results file is a list .*\[json\]"),
    (b"[1]", "bbox", r"r.json: detection at index 0: .*\[wrong-type\]"),
    (json.dumps([BOX]).encode()[:-1], "bbox", r"not valid JSON.*\[json\]"),
    (b"[][]", "bbox", r"not valid JSON.*\[json\]"),
    (json.dumps([BOX]).encode() * 2, "bbox", r"\[json\]"),
    (
        [BOX, {**BOX, "score": float("nan")}],
        "bbox",
        r"r.json: detection at index 1: score: .*finite.*\[non-finite\]",
    ),
    ([BOX, {**BOX, "bbox": [1, 2, float("inf"), 4]}], "bbox", r"detection at index 1: .*\[non-finite\]"),
    (
        b'[{"image_id":7,"category_id":90,"bbox":[1,2,3,4],"score":1e999}]',
        "bbox",
        r"index 0: .*\[non-finite\]",
    ),
    ([BOX, without(BOX, "score")], "bbox", r"detection at index 1: .*score.*\[missing-field\]"),
    ([BOX, {**BOX, "score": "0.5"}], "bbox", r"detection at index 1: score.*\[wrong-type\]"),
    ([BOX, {**BOX, "score": None}], "bbox", r"detection at index 1: score.*\[wrong-type\]"),
    (
        [BOX, {**BOX, "image_id": 8}],
        "bbox",
        r"detection at index 1: image 8 is not in the list.*\[unknown-image\]",
    ),
    ([BOX, {**BOX, "image_id": 7.5}], "bbox", r"detection at index 1: image_id.*\[wrong-type\]"),
    (
        [BOX, {**BOX, "category_id": 2}],
        "bbox",
        r"index 1: category 2 is not in the list \[unknown-category\]",
    ),
    ([without(BOX, "category_id")], "bbox", r"index 0: category_id is missing \[missing-field\]"),
    ([BOX, MASK], "bbox", r"index 1: bbox is missing; this benchmark scores boxes \[missing-field\]"),
    ([MASK, BOX], "segm", r"index 1: segmentation is missing; this benchmark scores masks \[missing-field\]"),
    ([{**BOX, **MASK}, MASK], "segm", r"index 1: bbox is missing, the first detection has one"),
    ([MASK, {**BOX, **MASK}], "segm", r"index 1: bbox is there, the first detection has none"),
    ([MASK, BOX], "mask-proposals", r"index 1: segmentation is missing"),
    ([{**BOX, "bbox": [1, 2, -3, 4]}], "bbox", r"index 0: .*negative width.*\[bad-box\]"),
    ([{**BOX, "bbox": [1, 2, 3]}], "bbox", r"index 0: bbox.*\[wrong-type\]"),
    (
        [MASK, {**MASK, "segmentation": {**RLE, "size": [40, 30]}}],
        "segm",
        r"index 1: the mask is 40x30 .* its image 30x40",
    ),
    ([{**MASK, "segmentation": {**RLE, "counts": "1"}}], "segm", r"index 0: the counts .*\[bad-rle\]"),
    ([{**MASK, "segmentation": {**RLE, "counts": [1, 2]}}], "segm", r"index 0: the counts .*\[bad-rle\]"),
    ([{**MASK, "segmentation": {**RLE, "counts": [-1, 1201]}}], "segm", r"index 0: the counts .*\[bad-rle\]"),
    ([{**MASK, "segmentation": [[1, 1, 5, 1, 5, 5]]}], "segm", r"index 0: segmentation.*\[wrong-type\]"),
    (
        [BOX, *[{**BOX, "image_id": 0}] * 10_000],
        "bbox",
        r"index 1001: more than 1,000 detections in image 0 \[too-many\]",
    ),
    (b"[" * 100_000, "bbox", r"\[json\]|\[wrong-type\]"),
]


@pytest.mark.parametrize(("data", "kind", "message"), WRONG, ids=range(len(WRONG)))
@pytest.mark.parametrize("step", [64, 1 << 20])
def test_wrong_files(data: Any, kind: Kind, message: str, step: int) -> None:
    with pytest.raises(DataError, match=message) as refused:
        check(data, kind, step)
    assert refused.value.file == "r.json"


def test_records_are_counted_over_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amidst.leaderboard.records.PIECE_BYTES", 200)
    monkeypatch.setattr("amidst.leaderboard.records.MOST_HELD", 1000)
    many = [BOX] * 500
    assert check(many, step=50).records == 500
    spoilt = json.dumps([*many, {**BOX, "score": float("nan")}, *many]).encode()
    with pytest.raises(DataError, match=r"detection at index 500: score"):
        check(spoilt, step=50)
    with pytest.raises(DataError, match=r"detection at index 500: image 4"):
        check([*many, {**BOX, "image_id": 4}, *many], step=50)
    with pytest.raises(DataError, match=r"index 700: more than 700 detections in image 7"):
        check(many * 2, step=50, max_per_image=700)
    nested = [{**BOX, "parts": [{"a": 1}, {"b": 2}]}] * 300
    assert check(nested, step=50).records == 300
    broken = json.dumps(many).encode().replace(b'"score"', b"score", 1)
    with pytest.raises(DataError, match=r"not valid JSON"):
        check(broken, step=50)


def test_a_file_that_never_ends_a_record_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amidst.leaderboard.records.LONGEST_RECORD", 3_000_000)
    with pytest.raises(DataError, match="no record ends within 3,000,000 bytes"):
        check(b'[{"a": "' + b"x" * 5_000_000)
    with pytest.raises(DataError, match=r"larger than 1,000 bytes \[too-large\]"):
        check([BOX] * 100, max_bytes=1000)


def test_the_sum_is_of_the_bytes_as_sent(shared_data: Path) -> None:
    file = shared_data / "detections" / "yolox_nano_coco_mini_val2017_bbox_results.json"
    dataset = CocoDataset.load(shared_data / "coco_mini" / "annotations" / "instances_val2017_mini.json")
    public = PublicList(
        tuple(PublicImage(i.id, i.width, i.height, i.file_name) for i in dataset.images),
        tuple(PublicCategory(c.id, c.name) for c in dataset.categories),
    )
    checker = Checker(file.name, Rules.of(public, BenchmarkConfig()))
    checker.feed(file.read_bytes())
    assert len(checker.end()) == 64
    assert checker.records == 11_285
    assert np.array(checker.received) == file.stat().st_size


def test_deep_nesting_in_a_field_that_nobody_reads_is_refused() -> None:
    text = json.dumps([BOX]).replace('"score"', '"x": ' + "[" * 5000 + "]" * 5000 + ', "score"')
    with pytest.raises(DataError, match="nested too deeply") as caught:
        check(text.encode())
    assert caught.value.rule == "json"
