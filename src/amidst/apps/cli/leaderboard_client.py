"""`amidst leaderboard enter|submit|status|withdraw|invite`: talking to a server, as participant or organiser.

The token of an account comes from the environment (AMIDST_TOKEN) or from a file that `enter` writes, where
each server has its own: no server is sent the token of another.
"""

from __future__ import annotations

import os
import tempfile
import time
import urllib.parse
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from amidst.apps.cli.console import duration, new_app, print_json, print_table, say
from amidst.apps.cli.progress import step
from amidst.errors import FindingError, UsageError
from amidst.leaderboard.client import Answer, Client, origin
from amidst.leaderboard.states import OPEN, STATES

client_app = new_app()
VARIABLE = "AMIDST_TOKEN"
DEFAULT_FILE = Path("~/.config/amidst/leaderboard-token")

Url = Annotated[str, typer.Argument(metavar="URL", help="Address of the server.")]
TokenFile = Annotated[
    Path,
    typer.Option(help=f"File with the token, unless {VARIABLE} holds it.", show_default=str(DEFAULT_FILE)),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def read_token(file: Path, url: str) -> str:
    """The token of the environment, or the one that the file has for this server. Raises UsageError."""
    found = os.environ.get(VARIABLE, "").strip()
    if not found:
        server = origin(url)
        found = _tokens(file).get(server, "")
        if not found:
            raise UsageError(
                f"no token for {server}: set {VARIABLE}, or `amidst leaderboard enter LINK` writes {file}"
            )
    if not found.isascii() or not found.isprintable() or " " in found:
        raise UsageError(
            f"the token of {VARIABLE} or {file} is broken: it is one word without spaces or lines"
        )
    return found


def _tokens(file: Path) -> dict[str, str]:
    """What a file of tokens holds, by the origins of the servers; nothing if there is no such file."""
    try:
        return msgspec.json.decode(file.expanduser().read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UsageError(
            f"{file} is no file of tokens by server; if it holds a lone token, give that as {VARIABLE}"
        ) from None


def _keep(file: Path, tokens: dict[str, str]) -> None:
    """Replaces a file of tokens, readable by its owner alone. Raises UsageError."""
    path = file.expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)  # mode 600
        with os.fdopen(handle, "wb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(tokens)) + b"\n")
        Path(name).replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror or error}") from None


def make_client(url: str, file: Path) -> Client:
    """A client of this server with the token that belongs to it. Raises UsageError."""
    return Client(url, read_token(file, url), waiting=say)


@client_app.command()
def enter(
    link: Annotated[str, typer.Argument(metavar="LINK", help="Invitation, such as https://host/enter#...")],
    name: Annotated[str, typer.Option(help="Your name, as the organisers see it.")],
    token_file: TokenFile = DEFAULT_FILE,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put the token in the place of another account's.")
    ] = False,
) -> None:
    """Use an invitation up and keep the token that programs submit with.

    **Example**

      amidst leaderboard enter 'https://board.example/enter#...' --name Ann
    """
    server, tokens = origin(link), _tokens(token_file)
    if server in tokens and not replace:
        raise UsageError(
            f"{token_file} has a token for {server} already: "
            "give another --token-file, or --replace to lose that account's"
        )
    _keep(token_file, tokens)  # before the link is used up
    try:
        token = Client(link).enter(link, name)
    except Answer as refusal:
        contact = Client(link).ask("GET", "/api/board").get("contact", "") if refusal.code == "link" else ""
        if not contact:
            raise
        raise FindingError(f"{refusal} (contact: {contact.removeprefix('mailto:')})") from None
    _keep(token_file, tokens | {server: token})
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

    The same content again with another --method, --description or --link changes these.

    Exit code 0 if it was scored (or queued, with --no-wait), 1 if it was refused or failed.

    **Examples**

      amidst leaderboard submit https://board.example results.json --phase dev --method "RetinaNet R50"

      AMIDST_TOKEN=... amidst leaderboard submit https://board.example results.zip --phase dev --json
    """
    client = make_client(url, token_file)
    with step(f"sending {results.name}") as progress:
        found = client.submit(
            results, phase, method=method, description=description, link=link, say=progress.update
        )
    if not found["new"]:
        words = ", and it is described as you say now" if method or description or link else ""
        say(f"submission {found['id']} of your team has the same content; nothing is scored twice{words}")
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
    """The state in words; how long it lasts, while it is not finished."""
    if found["state"] in OPEN:
        place = f", {found['ahead']} before it" if found["ahead"] is not None else ""
        return f"{found['state']}{place}, for {duration(time.time() - found['state_since'] / 1e6)}"
    if found["state"] == "scored" and not found["numbers"]:
        return "scored; the organisers have not published the scores of this phase"
    return str(found["state"])


@client_app.command()
def status(
    url: Url,
    everybody: Annotated[
        bool, typer.Option("--all", help="As organiser: the newest submissions of all teams.")
    ] = False,
    team: Annotated[str, typer.Option(help="With --all: teams whose name has this.")] = "",
    method: Annotated[str, typer.Option(help="Submissions whose method has this in its name.")] = "",
    state: Annotated[str, typer.Option(metavar="STATE", help=f"One of {', '.join(STATES)}.")] = "",
    limit: Annotated[int, typer.Option(help="So many of the newest.", min=1, max=1000)] = 100,
    before: Annotated[
        int, typer.Option(metavar="ID", help="Those before this one, for the next page.", min=0)
    ] = 0,
    token_file: TokenFile = DEFAULT_FILE,
    as_json: AsJson = False,
) -> None:
    """Your team's submissions, and what the limits leave; as organiser those of all teams.

    **Examples**

      amidst leaderboard status https://board.example --json

      amidst leaderboard status https://board.example --all --team vision --state failed
    """
    if team and not everybody:
        raise UsageError("--team goes with --all: without it, the submissions are those of your team")
    if state not in {"", *STATES}:
        raise UsageError(f"--state {state}: expected one of {', '.join(STATES)}")
    client = make_client(url, token_file)
    asked = {"team": team, "method": method, "state": state, "limit": limit, "before": before}
    query = urllib.parse.urlencode({name: value for name, value in asked.items() if value})
    if everybody:
        found = {"submissions": client.ask("GET", f"/api/organise/submissions?{query}")}
        title = "all teams"
    else:
        found = client.ask("GET", f"/api/submissions?{query}", keys=("team", "left", "submissions"))
        left = [f"{name}: {n['today']} today, {n['total']} in all" for name, n in found["left"].items()]
        title = f"{found['team']}; left: {', '.join(left)}" if found["team"] else "you belong to no team"
    if as_json:
        print_json(found)
        return
    rows = [
        (
            str(s["id"]),
            s.get("team", found.get("team")),
            s["phase"],
            _where(s),
            s["reason"],
            s["method"],
            _score(s),
        )
        for s in found["submissions"]
    ]
    print_table(title, ("", "team", "phase", "state", "reason", "method", "score"), rows)
    if len(rows) == limit:
        say(f"older ones: --before {rows[-1][0]}")


@client_app.command()
def withdraw(
    url: Url,
    submission: Annotated[int, typer.Argument(metavar="ID", min=1, help="Number of the submission.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; the team reads it too.")] = "",
    token_file: TokenFile = DEFAULT_FILE,
    as_json: AsJson = False,
) -> None:
    """Take a submission of your team back, as organiser one of any team.

    It is not scored, or leaves the table. One that was scored still counts against the limits.

    **Example**

      amidst leaderboard withdraw https://board.example 17 --reason "wrong file"
    """
    path = f"/api/submissions/{submission}/withdraw"
    found = make_client(url, token_file).ask("POST", path, {"reason": reason}, keys=("id", "state", "reason"))
    if as_json:
        print_json(found)
    else:
        say(f"submission {found['id']}: {found['state']} {found['reason']}")


def _score(found: dict[str, Any]) -> str:
    main = next((name for name in ("auc", "ap") if name in found["numbers"]), None)
    return "" if main is None else f"{main} {found['numbers'][main]:.3f}"


@client_app.command()
def invite(
    url: Url,
    team: Annotated[
        str,
        typer.Argument(metavar="TEAM", help="Its name; it is made if there is none.", show_default=False),
    ] = "",
    organiser: Annotated[
        bool, typer.Option("--organiser", help="Invite a co-organiser instead; first organisers may.")
    ] = False,
    uses: Annotated[int, typer.Option(min=1, max=100, help="How many people may come by the link.")] = 1,
    token_file: TokenFile = DEFAULT_FILE,
    as_json: AsJson = False,
) -> None:
    """As organiser: print a link by which the members of a team, or a co-organiser, come in.

    **Examples**

      amidst leaderboard invite https://board.example "Team Rocket" --uses 3

      amidst leaderboard invite https://board.example --organiser
    """
    if bool(team) == organiser:
        raise UsageError("name the team that is invited, or give --organiser")
    path, body = "/api/teams/invite", {"team": team, "uses": uses}
    if organiser:
        path, body = "/api/invitations", {"role": "manager", "uses": uses}
    made = make_client(url, token_file).ask("POST", path, body, keys=("token",))
    link = f"{origin(url)}/enter#{made['token']}"
    if as_json:
        print_json({"link": link, "team": team or None, "uses": uses})
    else:
        typer.echo(link)
