"""What the commands about outreach share: whose it is, who acts, and how lists are printed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.acting import operator
from pipeline.cli.exits import WrongUse
from pipeline.cli.names import suggestion
from pipeline.cli.output import Cell, console, note, print_json, table

if TYPE_CHECKING:
    from pipeline.stores import Row

Tenant = Annotated[str, typer.Option("--tenant", metavar="TENANT", help="Whose it is.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many rows.")]
After = Annotated[str, typer.Option(help="Go on behind this place: `next` of the part before.")]
Reveal = Annotated[
    bool, typer.Option("--reveal", help="Show addresses, names, subjects; the audit says so.")
]
Reason = Annotated[str, typer.Option(help="Why, for those who look later.")]
DEFAULT = "default"


def opened(tenant: str, what: str, by: str | None, *, reveal: bool) -> None:
    """Go on once MongoDB answers; if personal data is to be shown, that is in the audit by then."""
    from pipeline.audit import audited
    from pipeline.probes import require

    require("mongodb")
    if reveal:
        with audited(operator(by), f"outreach.reveal_{what}", f"tenant {tenant}", origin="cli"):
            pass


def acting(by: str | None) -> str:
    """Return who acts, once both stores answer: what is done has to be queued too."""
    from pipeline.probes import require

    require("mongodb", "redis")
    return operator(by)


def tell(
    name: str,
    documents: Sequence[dict[str, Any]],
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    as_json: bool,
    following: str = "",
    empty: str = "",
) -> None:
    """Print a part of a list, and where it goes on."""
    if as_json:
        print_json({name: documents, "next": following or None})
        return
    if not documents:
        note(empty or f"There are no {name}.")
        return
    console().print(table(None, columns, rows))
    if following:
        note(f"There are more; go on with --after {following}")


def tell_one(document: dict[str, Any], rows: Sequence[tuple[str, Cell]], *, as_json: bool) -> None:
    """Print one thing: its fields that are not empty."""
    if as_json:
        print_json(document)
    else:
        shown = [row for row in rows if row[1] not in (None, "")]
        console().print(table(None, ("", ""), [(name, _text(value)) for name, value in shown]))


def _text(value: Cell) -> Cell:
    return f"{value:,}" if isinstance(value, int) else value


def tell_done(document: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print what was done."""
    if as_json:
        print_json(document)
    else:
        note(text)


def require_one_of(option: str, value: str, known: Collection[str]) -> None:
    """Raise WrongUse with the nearest unless `value` is empty or one of `known`."""
    if value and value not in known:
        hint = suggestion(value, known) or f"; expected one of {', '.join(known)}"
        raise WrongUse(f"{option}: there is no {value!r}{hint}")


def campaign_of(tenant: str, text: str) -> Row:
    """Return the campaign of this id or, if only one is called so, of this name."""
    from models import Campaign

    return _named(Campaign, "campaign", tenant, text)


def sender_of(tenant: str, text: str) -> Row:
    """Return the sender of this id, name or address."""
    from models import SenderIdentity

    return _named(SenderIdentity, "sender", tenant, text, "address")


def _named(model: Any, kind: str, tenant: str, text: str, *fields: str) -> Row:
    from pipeline.stores import collection

    by = [{"_id": text}, *({field: text} for field in ("name", *fields))]
    found = list(collection(model).find({"tenant_id": tenant, "$or": by}).limit(2))
    exact = [row for row in found if row["_id"] == text]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        raise WrongUse(f"several {kind}s are called {text!r}: give the id")
    known = collection(model).find({"tenant_id": tenant}, {"name": 1}).limit(1000)
    hint = suggestion(text, [row["name"] for row in known])
    raise WrongUse(f"tenant {tenant!r} has no {kind} {text!r}{hint}")


def contact_of(tenant: str, text: str) -> Row:
    """Return the contact of this id, address, telephone number or external id."""
    from pipeline.errors import Gone
    from pipeline.outreach import contacts

    try:
        return contacts.find(tenant, text)
    except Gone:
        raise WrongUse(f"tenant {tenant!r} has no such contact") from None


def document_of(path: Path) -> Any:
    """Return the JSON document in a file, or on standard input for "-".  Raises WrongUse."""
    import json
    import sys

    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{path} cannot be read ({type(error).__name__})") from None
    try:
        return json.loads(text)
    except ValueError as error:
        raise WrongUse(f"{path} is not JSON: {error}") from None
