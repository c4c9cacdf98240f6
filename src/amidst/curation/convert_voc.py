"""PASCAL VOC: an XML file for each image, with the boxes of its objects.

VOC counts pixels from 1 and names the first and the last one of a box: a COCO box x, y, w, h is xmin = x
+ 1, ymin = y + 1, xmax = x + w, ymax = y + h. Boxes that lie between pixels are written with their decimals.

`difficult` is `ignore`. The fields pose, truncated and occluded are kept as further fields of the
annotation. The format cannot hold ids, crowds, masks, areas, licences or other fields; crowds are left
out, for VOC would count them as one object.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as Tree
from pathlib import Path

from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Box, Image
from amidst.curation.conversion import Losses, Numbering, label_path, new_folder, refuse_collisions
from amidst.errors import DataError, UsageError

FOLDER = "Annotations"
_FLAGS = ("truncated", "occluded")


def write_voc(dataset: CocoDataset, folder: str | Path) -> Losses:
    """Writes Annotations/ into a new folder; what was lost. Raises UsageError if it exists, DataError
    for names.
    """
    refuse_collisions(dataset)
    return new_folder(folder, lambda base: _write(dataset, base))


def read_voc(folder: str | Path, *, like: CocoDataset | None = None) -> CocoDataset:
    """A dataset of the XML files below folder/Annotations, or below the folder itself.

    Raises UsageError if there is no folder, DataError naming the file for what is not VOC.
    """
    base = Path(folder)
    base = base / FOLDER if (base / FOLDER).is_dir() else base
    if not base.is_dir():
        raise UsageError(f"there is no folder {base}")
    roots = {path: _parsed(path) for path in sorted(base.rglob("*.xml"))}
    names = {}
    for path, root in roots.items():
        # The picture lies where the XML lies, below another folder; VOC's own `folder` names the collection.
        names[path] = (path.relative_to(base).parent / Path(_text(root, "filename", path)).name).as_posix()
    numbering = Numbering(names.values(), like)
    numbering.add_categories(
        sorted({_text(item, "name", path) for path, root in roots.items() for item in root.iter("object")})
    )
    for path, root in roots.items():
        width, height = (round(_number(root, f"size/{side}", path)) for side in ("width", "height"))
        image_id = numbering.add_image(names[path], width, height)
        for item in root.iter("object"):
            extra = {key: item.findtext(key) for key in ("pose",) if item.findtext(key)}
            flags = {key: int(_number(item, key, path)) for key in _FLAGS if item.find(key) is not None}
            numbering.add_object(
                image_id,
                numbering.category(_text(item, "name", path)),
                _box(item, path),
                ignore=item.findtext("difficult", "0").strip() == "1",
                extra=extra | flags,
            )
    return numbering.dataset()


def _write(dataset: CocoDataset, base: Path) -> Losses:
    losses: Losses = Losses()
    names = {category.id: category.name for category in dataset.categories}
    for image in dataset.images:
        root = _header(image)
        for annotation in dataset.annotations_of(image.id):
            if annotation.iscrowd:
                losses["crowd regions left out"] += 1
                continue
            if annotation.segmentation is not None:
                losses["masks reduced to boxes"] += 1
            _add_object(root, annotation, names[annotation.category_id])
        Tree.indent(root)
        path = label_path(base / FOLDER, image.file_name, ".xml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Tree.tostring(root, encoding="utf-8") + b"\n")
    return losses


def _header(image: Image) -> Tree.Element:
    root = Tree.Element("annotation")
    Tree.SubElement(root, "folder").text = Path(image.file_name).parent.name or "images"
    Tree.SubElement(root, "filename").text = Path(image.file_name).name
    size = Tree.SubElement(root, "size")
    for name, value in (("width", image.width), ("height", image.height), ("depth", 3)):
        Tree.SubElement(size, name).text = str(value)
    Tree.SubElement(root, "segmented").text = "0"
    return root


def _add_object(root: Tree.Element, annotation: Annotation, name: str) -> None:
    if any(ord(letter) < 32 for letter in name):
        raise DataError(
            f"the category name {name!r} cannot stand in XML",
            record=f"annotation {annotation.id}",
            rule="category-name",
        )
    item = Tree.SubElement(root, "object")
    Tree.SubElement(item, "name").text = name
    Tree.SubElement(item, "pose").text = str(annotation.extra.get("pose", "Unspecified"))
    for flag in _FLAGS:
        if flag in annotation.extra or flag == "truncated":
            Tree.SubElement(item, flag).text = str(int(bool(annotation.extra.get(flag, 0))))
    Tree.SubElement(item, "difficult").text = str(int(annotation.ignore))
    x, y, width, height = annotation.bbox_xywh
    box = Tree.SubElement(item, "bndbox")
    corners = {"xmin": x + 1, "ymin": y + 1, "xmax": x + width, "ymax": y + height}
    for corner, value in corners.items():
        Tree.SubElement(box, corner).text = f"{value:.12g}"


def _parsed(path: Path) -> Tree.Element:
    data = path.read_bytes()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:  # entities can be made to fill the memory
        raise DataError("has a document type, which VOC files never need", file=path, rule="xml")
    try:
        return Tree.fromstring(data)
    except (Tree.ParseError, ValueError) as error:
        raise DataError(f"not XML: {error}", file=path, rule="xml") from None


def _text(element: Tree.Element, name: str, path: Path) -> str:
    text = (element.findtext(name) or "").strip()
    if not text:
        raise DataError(f"<{name}> is missing in <{element.tag}>", file=path, rule="missing-field")
    return text


def _number(element: Tree.Element, name: str, path: Path) -> float:
    text = _text(element, name, path)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"<{name}> is {text!r}, not a number", file=path, rule="wrong-type")
    return value


def _box(item: Tree.Element, path: Path) -> Box:
    xmin, ymin, xmax, ymax = (_number(item, f"bndbox/{c}", path) for c in ("xmin", "ymin", "xmax", "ymax"))
    if xmax < xmin or ymax < ymin:
        raise DataError(
            f"the box {xmin:g}, {ymin:g}, {xmax:g}, {ymax:g} is inside out", file=path, rule="box"
        )
    return xmin - 1, ymin - 1, xmax - xmin + 1, ymax - ymin + 1
