"""Where photographs come from: a folder, a list, a search service.

Each adapter is a function that yields `Candidate`s without fetching any picture:

    from_folder(folder)            pictures with a JSON file of the same name beside them (a.jpg and a.json)
    from_records(file)             a list of records: CSV with a header, or JSON lines
    from_search(service, query)    an HTTP service that answers searches with pages of JSON records

All need the fields `licence` and `attribution` of each photograph; `choose` refuses those without.
Field names are those of `Candidate`; a list or service with other names comes with a table of them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import msgspec

from amidst.config import Config
from amidst.curation.collection import Candidate, Query
from amidst.curation.downloads import Web, get
from amidst.errors import DataError, UsageError

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
_FIELDS = frozenset(f.name for f in fields(Candidate)) - {"extra", "source"}
_PAGES_LIMIT = 1000


class SearchService(Config, frozen=True):
    """How to ask an HTTP search service, and where its answers keep what.

    The answer to GET endpoint?parameters is a JSON object. records: path to its list of photographs, as
    "photos.photo".
    pages: path to the number of pages. names: field of `Candidate` -> field of the service's record.
    """

    name: str
    endpoint: str
    text_parameter: str = "text"
    page_parameter: str = "page"
    first_page: int = 1
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    records: str = "records"
    pages: str = "pages"
    names: dict[str, str] = msgspec.field(default_factory=dict)
    web: Web = msgspec.field(default_factory=Web)


def from_folder(folder: str | Path, *, source: str = "") -> Iterator[Candidate]:
    """Pictures below a folder, in order of path, with the fields of their sidecar files.

    Raises UsageError if there is no such folder; DataError naming a sidecar that is missing or malformed.
    """
    base = Path(folder)
    if not base.is_dir():
        raise UsageError(f"there is no folder {base}")
    for path in sorted(base.rglob("*")):
        if path.suffix.lower() not in PICTURES or not path.is_file():
            continue
        sidecar = path.with_suffix(".json")
        if not sidecar.is_file():
            raise DataError(
                f"has no {sidecar.name} beside it with licence and attribution",
                file=path,
                rule="missing-sidecar",
            )
        record = _json(sidecar.read_bytes(), str(sidecar))
        name = path.relative_to(base).as_posix()
        yield candidate(
            source or base.name, {"source_id": name} | record | {"locator": str(path)}, str(sidecar)
        )


def from_records(
    file: str | Path, *, source: str = "", names: Mapping[str, str] | None = None
) -> Iterator[Candidate]:
    """Records of a .csv, .jsonl or .ndjson file. A relative locator that is no URL is meant from the
    file's folder.

    Raises UsageError if it cannot be read or is of another kind; DataError naming file and line.
    """
    path = Path(file)
    if path.suffix.lower() not in (".csv", ".jsonl", ".ndjson"):
        raise UsageError(f"{path}: a list of photographs is a .csv or .jsonl file")
    for line, record in _csv(path) if path.suffix.lower() == ".csv" else _json_lines(path):
        where = f"{path}: line {line}"
        found = candidate(source or path.stem, _renamed(record, names or {}), where)
        if "://" not in found.locator:
            found = replace(found, locator=str(path.parent / found.locator))
        yield found


def from_search(service: SearchService, query: Query) -> Iterator[Candidate]:
    """All photographs the service finds for a query, page by page.

    Raises DataError if an answer is not what `service` describes, FindingError if the service does not
    answer.
    """
    page, last = service.first_page, service.first_page
    while page <= min(last, service.first_page + _PAGES_LIMIT - 1):
        asked = service.parameters | {
            service.text_parameter: " ".join(query.terms),
            service.page_parameter: str(page),
        }
        address = f"{service.endpoint}?{urlencode(asked)}"
        where = f"{service.name} page {page} of {query.text!r}"
        answer = _json(get(address, service.web), where)
        records, pages = _inside(answer, service.records, where), _inside(answer, service.pages, where)
        if not isinstance(records, list) or not isinstance(pages, int):
            raise DataError(
                f"expected a list at {service.records!r} and a number at {service.pages!r}",
                record=where,
                rule="search-answer",
            )
        for index, record in enumerate(records):
            if not isinstance(record, dict):
                raise DataError("expected an object", record=f"{where}: record {index}", rule="search-answer")
            renamed = _renamed(record, service.names) | {"query": query.text}
            renamed["locator"] = urljoin(service.endpoint, str(renamed.get("locator", "")))
            yield candidate(service.name, renamed, f"{where}: record {index}")
        last = service.first_page + pages - 1
        page += 1


def candidate(source: str, record: Mapping[str, Any], where: str) -> Candidate:
    """A candidate of a record; fields that are not a candidate's stay in `extra`. Raises DataError
    naming `where`.
    """
    values = {}
    for name in _FIELDS & record.keys():
        value = record[name]
        if not isinstance(value, str | int | float | None):
            raise DataError(
                f"{name} must be text, not {type(value).__name__}", record=where, rule="wrong-type"
            )
        values[name] = "" if value is None else str(value).strip()
    for name in ("source_id", "locator"):
        if not values.get(name):
            raise DataError(f"the field {name} is missing", record=where, rule="missing-field")
    for name in ("licence", "attribution"):
        values.setdefault(name, "")  # refused later, together with all others that lack it
    extra = {name: value for name, value in record.items() if name not in _FIELDS and name != "source"}
    return Candidate(source=source, extra=extra, **values)


def _renamed(record: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    theirs = {their: our for our, their in names.items()}
    return {theirs.get(name, name): value for name, value in record.items()}


def _inside(answer: Any, path: str, where: str) -> Any:
    for step in path.split("."):
        if not isinstance(answer, dict) or step not in answer:
            raise DataError(f"the answer has no {path!r}", record=where, rule="search-answer")
        answer = answer[step]
    return answer


def _json(data: bytes, where: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"expected one JSON object: {error}", record=where, rule="json") from None


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            for row in reader:
                if None in row:
                    raise DataError(
                        "more values than the header has names",
                        file=path,
                        record=f"line {reader.line_num}",
                        rule="csv",
                    )
                yield reader.line_num, row
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not a CSV file in UTF-8: {error}", file=path, rule="csv") from None


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open("rb") as stream:
            for line, text in enumerate(stream, 1):
                if text.strip():
                    yield line, _json(text, f"{path}: line {line}")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
