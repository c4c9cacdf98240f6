"""`amidst leaderboard phase`: an organiser changes a phase at a running server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from amidst.apps.cli.console import new_app, print_json, print_table, say
from amidst.apps.cli.leaderboard_client import DEFAULT_FILE, AsJson, TokenFile, Url, make_client
from amidst.errors import UsageError
from amidst.leaderboard.client import Client
from amidst.leaderboard.config import MICRO, Visibility

phase_app = new_app()

NEVER = "never"
TIMES = ("opens_at", "closes_at", "frozen_at")


def _when(what: str) -> Any:
    """An option for a moment."""
    return typer.Option(metavar="TIME", help=f"When {what}, such as 2026-12-31T12:00 (UTC), or `{NEVER}`.")


@phase_app.command()
def phase(
    url: Url,
    name: Annotated[str, typer.Argument(metavar="PHASE", help="Its name.")],
    opens: Annotated[str | None, _when("it opens")] = None,
    closes: Annotated[str | None, _when("it closes")] = None,
    freeze: Annotated[str | None, _when("its table stands still")] = None,
    per_day: Annotated[int | None, typer.Option(min=1, help="Submissions of a team a day.")] = None,
    total: Annotated[int | None, typer.Option(min=1, help="Submissions of a team in all.")] = None,
    visibility: Annotated[
        Visibility | None, typer.Option(help="Who sees scores: organisers, the team, or all.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="Shown above its table.")] = None,
    token_file: TokenFile = DEFAULT_FILE,
    as_json: AsJson = False,
) -> None:
    """Show the settings of a phase; as organiser, change some of them.

    **Examples**

      amidst leaderboard phase https://board.example final

      amidst leaderboard phase https://board.example final --visibility all --closes 2026-12-31T12:00
    """
    moments = {"opens_at": opens, "closes_at": closes, "frozen_at": freeze}
    plain = {"per_day": per_day, "total": total, "visibility": visibility, "description": description}
    changes: dict[str, Any] = {key: value for key, value in plain.items() if value is not None}
    changes |= {key: parse_moment(text) for key, text in moments.items() if text is not None}
    client = make_client(url, token_file) if changes else Client(url, waiting=say)  # everybody may look
    known = {one["name"]: one for one in client.ask("GET", "/api/board", keys=("phases",))["phases"]}
    if name not in known:
        raise UsageError(f"there is no phase {name!r}; there are: {', '.join(known)}")
    found = known[name]
    if changes:
        path = f"/api/phases/{quote(name, safe='')}/settings"
        found = client.ask("POST", path, {**found["config"], **changes}, keys=("config",))
    if as_json:
        print_json(found)
        return
    rows = [(key, _told(key, value)) for key, value in found["config"].items()]
    print_table(f"phase {name}, {found['images']} images", ("", ""), rows)


def parse_moment(text: str) -> int | None:
    """UTC microseconds of a time in ISO 8601, None for `never`. Raises UsageError."""
    if text == NEVER:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no time: expected one such as 2026-12-31T12:00 (UTC), or {NEVER}"
        ) from None
    zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(zoned.timestamp()) * MICRO


def _told(key: str, value: Any) -> str:
    if key not in TIMES:
        return str(value)
    return NEVER if value is None else datetime.fromtimestamp(value / MICRO, UTC).strftime("%Y-%m-%dT%H:%M")
