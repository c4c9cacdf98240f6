"""`amidst leaderboard enter|submit|status|invite`: talking to a server, as participant or organiser.

The token of an account comes from the environment (AMIDST_TOKEN) or from a file that `enter` writes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from amidst.apps.cli.console import new_app, print_json, print_table, say
from amidst.apps.cli.progress import step
from amidst.coco.files import write_atomically
from amidst.errors import FindingError, UsageError
from amidst.leaderboard.client import Client

client_app = new_app()
VARIABLE = "AMIDST_TOKEN"
DEFAULT_FILE = Path("~/.config/amidst/leaderboard-token")

Url = Annotated[str, typer.Argument(metavar="URL", help="Address of the server.")]
TokenFile = Annotated[
    Path,
    typer.Option(help=f"File with the token, unless {VARIABLE} holds it.", show_default=str(DEFAULT_FILE)),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def read_token(file: Path) -> str:
    """The token of the environment or of the file. Raises UsageError."""
    found = os.environ.get(VARIABLE, "").strip()
    if found:
        return found
    path = file.expanduser()
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise UsageError(
            f"no token: set {VARIABLE}, or `amidst leaderboard enter LINK` writes {file}"
        ) from None


@client_app.command()
def enter(
    link: Annotated[str, typer.Argument(metavar="LINK", help="Invitation, such as https://host/enter#...")],
    name: Annotated[str, typer.Option(help="Your name, as the organisers see it.")],
    token_file: TokenFile = DEFAULT_FILE,
) -> None:
    """Use an invitation up and keep the token that programs submit with."""
    path = token_file.expanduser()
    token = Client(link).enter(link, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, b"")
    path.chmod(0o600)
    path.write_text(token + "\n", encoding="ascii")
    say(f"token written to {token_file}")


@client_app.command()
def submit(
    url: Url,
    results: Annotated[Path, typer.Argument(metavar="RESULTS.json", help="Results file, or a zip with it.")],
    phase: Annotated[str, typer.Option(help="Phase to submit to.")],
    method: Annotated[str, typer.Option(help="Name of the method.")] = "",
    description: Annotated[str, typer.Option(help="What is said of it in the table.")] = "",
    link: Annotated[str, typer.Option(help="Web address of paper or code.")] = "",
    wait: Annotated[bool, typer.Option(help="Wait for the score.")] = True,
    token_file: TokenFile = DEFAULT_FILE,
    as_json: AsJson = False,
) -> None:
    """Submit results and wait for the score. Sending goes on where it broke off; nothing is scored twice.

    Exit code 0 if it was scored (or queued, with --no-wait), 1 if it was refused or failed.

    **Examples**

      amidst leaderboard submit https://board.example results.json --phase dev --method "RetinaNet R50"

      AMIDST_TOKEN=... amidst leaderboard submit https://board.example results.zip --phase dev --json
    """
    client = Client(url, read_token(token_file))
    with step(f"sending {results.name}") as progress:
        found = client.submit(
            results, phase, method=method, description=description, link=link, say=progress.update
        )
    if wait:
        with step("waiting for the score") as progress:
            found = client.wait(found["id"], say=lambda now: progress.update(0, note=_where(now)))
    if as_json:
        print_json(found)
    elif found["numbers"]:
        rows = [(name, f"{value:.3f}") for name, value in found["numbers"].items()]
        print_table(f"submission {found['id']}: {found['state']}", ("", ""), rows)
    else:
        say(f"submission {found['id']}: {_where(found)}")
    if found["state"] in ("failed", "timed_out", "withdrawn"):
        raise FindingError(f"submission {found['id']} {found['state']}: {found['reason']}")


def _where(found: dict[str, Any]) -> str:
    """The state in words."""
    if found["state"] == "queued" and found["ahead"] is not None:
        return f"queued, {found['ahead']} before it"
    if found["state"] == "scored" and not found["numbers"]:
        return "scored; the organisers have not published the scores of this phase"
    return str(found["state"])


@client_app.command()
def status(url: Url, token_file: TokenFile = DEFAULT_FILE, as_json: AsJson = False) -> None:
    """Your team's submissions, and what the limits leave.

    **Example**

      amidst leaderboard status https://board.example --json
    """
    found = Client(url, read_token(token_file)).ask("GET", "/api/submissions")
    if as_json:
        print_json(found)
        return
    left = ", ".join(f"{name}: {n['today']} today, {n['total']} in all" for name, n in found["left"].items())
    rows = [
        (str(s["id"]), s["phase"], _where(s), s["reason"], s["method"], _score(s))
        for s in found["submissions"]
    ]
    title = f"{found['team'] or 'no team'}; left: {left or 'none'}"
    print_table(title, ("", "phase", "state", "reason", "method", "score"), rows)


def _score(found: dict[str, Any]) -> str:
    main = next((name for name in ("auc", "ap") if name in found["numbers"]), None)
    return "" if main is None else f"{main} {found['numbers'][main]:.3f}"


@client_app.command()
def invite(
    url: Url,
    team: Annotated[str, typer.Argument(metavar="TEAM", help="Its name; it is made if there is none.")],
    uses: Annotated[int, typer.Option(min=1, max=100, help="How many people may come by the link.")] = 1,
    token_file: TokenFile = DEFAULT_FILE,
) -> None:
    """As organiser: print a link by which the members of a team come in.

    **Example**

      amidst leaderboard invite https://board.example "Team Rocket" --uses 3
    """
    made = Client(url, read_token(token_file)).ask("POST", "/api/teams/invite", {"team": team, "uses": uses})
    typer.echo(f"{url.rstrip('/')}/enter#{made['token']}")
