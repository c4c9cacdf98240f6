"""The report of a training run: one HTML page that stands alone.

    write_report(run_dir)  ->  run_dir/report.html

Everything is inside the page: styles, a short script, charts as SVG, photographs as data URIs; a content
security policy forbids the browser to load anything else or to run any other script. Text from the run (names
of categories and files, settings, commands) goes through the template's escaping.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from amidst.apps.report import curves
from amidst.apps.report.comparison import Comparison, Outcome, best_threshold, compare, worst_first
from amidst.apps.report.pairs import PairView, make_pairs
from amidst.apps.report.run import Run, number, read_run
from amidst.apps.report.scores import Scores, score_run, shown
from amidst.errors import AmidstError, MissingExtra

try:
    import jinja2
    from markupsafe import Markup
except ModuleNotFoundError as error:
    raise MissingExtra("jinja2", "report") from error

TEMPLATES = Path(__file__).resolve().parent / "templates"
PHOTO_BUDGET = 6_400_000  # bytes of embedded photographs

Row = dict[str, Any]


def write_report(run_dir: Path, output: Path | None = None) -> Path:
    """Write the page and return its path; `output` None means report.html in the run folder.

    Raises UsageError if `run_dir` is no run folder. Missing or broken parts are named on the page instead.
    """
    run = read_run(run_dir)
    page = render(run)
    path = run_dir / "report.html" if output is None else output
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(page, encoding="utf-8")
    temporary.replace(path)
    return path


def render(run: Run) -> str:
    """The page's text."""
    notes = list(run.notes)
    scores = score_run(run, notes)
    comparisons = _comparisons(run)
    names = {} if run.truth is None else {c.id: c.name for c in run.truth.categories}
    threshold = best_threshold(comparisons)
    worst = worst_first(comparisons, threshold)
    pairs: list[PairView] = []
    if run.images_dir is not None:
        pairs = make_pairs(worst, run.images_dir, names, threshold, budget=PHOTO_BUDGET, notes=notes)
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return environment.get_template("report.html").render(
        name=run.name,
        lede=_lede(run, comparisons),
        tiles=_tiles(run, scores, comparisons, threshold),
        notes=notes,
        scores=scores.rows,
        size_chart=Markup(curves.sizes(scores.stats)),
        categories=_categories(scores, comparisons, threshold, names),
        threshold=f"{threshold:.2f}",
        lowest=f"{_lowest(comparisons):.2f}",
        training=[_chart(*chart) for chart in curves.training(run)],
        precision=[_chart(*chart) for chart in curves.precision(scores, comparisons)],
        pairs=pairs,
        pictures_say=_pictures_say(len(pairs), len(comparisons), threshold),
        facts=_facts(run),
        command=_command(run),
        settings=_settings(run.config),
        version=_version(),
        written=datetime.now(UTC).strftime("%Y-%m-%d"),
        css=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


def _comparisons(run: Run) -> list[Comparison]:
    """All images compared; none where something is missing or does not fit, which the scores have noted."""
    if run.truth is None or run.results is None:
        return []
    try:
        return compare(run.truth, run.results)
    except AmidstError:
        return []


def _chart(title: str, note: str, svg: str) -> Row:
    return {"title": title, "note": note, "svg": Markup(svg)}


def _lede(run: Run, comparisons: Sequence[Comparison]) -> list[str]:
    parts = [_day(run.about.get("started")), str(run.about.get("device") or "")]
    if comparisons:
        objects = sum(not item.ignored for c in comparisons for item in c.objects)
        parts.insert(0, f"{len(comparisons):,} validation photographs, {objects:,} objects")
    return [part for part in parts if part]


def _tiles(run: Run, scores: Scores, comparisons: Sequence[Comparison], threshold: float) -> list[Row]:
    tiles = [
        {"label": row["label"], "value": row["value"], "note": row["note"]}
        for row in scores.rows
        if row["label"] in ("AP", "AP50", "AR100")
    ]
    objects = sum(not item.ignored for c in comparisons for item in c.objects)
    if objects:
        found = objects - sum(c.missed(threshold) for c in comparisons)
        wrong = sum(c.count(Outcome.FALSE, threshold) for c in comparisons)
        note = f"of {objects:,}, with {wrong:,} false, at score {threshold:.2f}"
        tiles.append({"label": "Objects found", "value": f"{found:,}", "note": note})
    seconds = number(run.about, "seconds")
    if math.isfinite(seconds):
        steps = int(number(run.steps[-1], "step")) if run.steps else 0
        note = f"{steps:,} updates" if steps else ""
        tiles.append({"label": "Time", "value": duration(seconds), "note": note})
    return tiles


def _categories(
    scores: Scores, comparisons: Sequence[Comparison], threshold: float, names: Mapping[int, str]
) -> list[Row]:
    """A row per category that has objects, best AP first, then by name."""
    counts: dict[int, list[int]] = {category_id: [0, 0, 0] for category_id in names}
    for comparison in comparisons:
        for item in comparison.objects:
            counts[item.category_id][0] += not item.ignored
            counts[item.category_id][1] += not item.ignored and not item.missed(threshold)
        for detection in comparison.detections:
            if detection.outcome is Outcome.FALSE and detection.score >= threshold:
                counts[detection.category_id][2] += 1
    rows = []
    for category_id, (objects, found, false) in counts.items():
        ap, ap50 = scores.by_category.get(category_id, (math.nan, math.nan))
        if objects:
            rows.append(
                {
                    "name": names[category_id],
                    "objects": objects,
                    "found": found,
                    "false": false,
                    "ap": shown(ap),
                    "ap50": shown(ap50),
                    "width": f"{100 * ap:.1f}" if ap > 0 else "0",
                    "order": -ap if math.isfinite(ap) else 2.0,
                }
            )
    return sorted(rows, key=lambda row: (row["order"], row["name"]))


def _lowest(comparisons: Sequence[Comparison]) -> float:
    """Where the threshold's slider begins: at 0.05, or at the lowest score where all are higher."""
    scores = [item.score for c in comparisons for item in c.detections]
    return min(0.95, max(0.05, math.floor(20 * min(scores)) / 20)) if scores else 0.05


def _pictures_say(shown_count: int, total: int, threshold: float) -> str:
    which = "All" if shown_count == total else f"{shown_count:,} of {total:,}"
    return (
        f"{which} validation photographs, those with most missed objects and false detections first. Shown "
        f"are detections with a score of at least {threshold:.2f}, where precision and recall are in best "
        "balance (highest F1)."
    )


def _facts(run: Run) -> list[Row]:
    about = run.about
    wanted = (
        ("Recipe", run.name),
        ("Trained on", _data(about.get("train_annotations"), about.get("train_images"))),
        ("Validated on", _data(about.get("val_annotations"), about.get("val_images"))),
        ("Started", str(about.get("started") or "").replace("T", " ")),
        ("Time", duration(number(about, "seconds"))),
        ("Machine", about.get("device")),
        ("amidst", about.get("amidst_version")),
        ("PyTorch", about.get("torch_version")),
    )
    return [{"label": label, "value": str(value)} for label, value in wanted if value]


def _data(annotations: object, images: object) -> str:
    if not annotations:
        return ""
    return f"{annotations}, photographs in {images}" if images else str(annotations)


def _command(run: Run) -> str:
    command = run.about.get("command")
    if isinstance(command, list):
        return " ".join(str(word) for word in command)
    return str(command or "")


def _settings(config: Mapping[str, Any]) -> list[Row]:
    """The configuration as groups of (dotted key, value) rows; single values come first, as "experiment"."""
    single = [(key, _text(value)) for key, value in config.items() if not isinstance(value, dict)]
    groups = [{"name": "experiment", "rows": single}] if single else []
    for key, value in config.items():
        if isinstance(value, dict):
            groups.append({"name": str(key), "rows": _flat(value, "")})
    return groups


def _flat(values: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", _text(value)))
    return rows


def _text(value: object) -> str:
    """A setting as JSON, strings bare, numbers to six digits."""
    return value if isinstance(value, str) else json.dumps(_short(value), ensure_ascii=False, default=str)


def _short(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return [_short(item) for item in value] if isinstance(value, list) else value


def duration(seconds: float) -> str:
    """ "48 s", "4 min 10 s", "2 h 5 min"; "" for no number."""
    if not math.isfinite(seconds) or seconds < 0:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _version() -> str:
    try:
        return version("amidst")
    except PackageNotFoundError:
        return ""


def _day(started: object) -> str:
    try:
        day = datetime.fromisoformat(str(started))
    except ValueError:
        return ""
    return f"{day.day} {day:%B %Y}"
