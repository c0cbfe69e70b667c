"""Which mailbox a person means, and showing personal data only if they say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.acting import operator
from pipeline.cli.exits import WrongUse

if TYPE_CHECKING:
    from pipeline.stores import Row

Whose = Annotated[
    str, typer.Argument(metavar="USER", help="The user whose mailbox it is, or its own id.")
]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many rows.")]
Reveal = Annotated[
    bool, typer.Option("--reveal", help="Show senders and subjects in full; the audit says so.")
]


def mailbox_of(whose: str) -> Row:
    """Return the mailbox of a user, or of this id.  Raises WrongUse if there is none."""
    from models import Mailbox
    from pipeline.cli.names import require_user
    from pipeline.mailbox import mailboxes
    from pipeline.probes import require
    from pipeline.stores import collection

    require("mongodb")
    found = mailboxes.of_user(whose) or collection(Mailbox).find_one({"_id": whose})
    if found is not None:
        return found
    require_user(whose)
    raise WrongUse(
        f"user {whose!r} has no mailbox; `headrace connect-link {whose} --provider microsoft` "
        "makes a link by which they connect one"
    )


def _note_reveal(mailbox: Row, what: str, by: str | None) -> None:
    """Write to the audit that somebody is shown personal data of a mailbox, before they are."""
    from pipeline.audit import audited

    with audited(operator(by), f"mailbox.reveal_{what}", target_of(mailbox), origin="cli"):
        pass


def opened(whose: str, what: str, by: str | None, *, reveal: bool) -> tuple[Row, dict[str, str]]:
    """Return a mailbox of which `what` is shown, and the paths of its folders by id.

    If personal data is shown, that is in the audit by then.
    """
    from pipeline.mailbox.reading.folders import paths

    mailbox = mailbox_of(whose)
    if reveal:
        _note_reveal(mailbox, what, by)
    return mailbox, paths(mailbox["user_id"])


def target_of(mailbox: Row, **more: str) -> str:
    """Return what the audit calls a mailbox, and what of it is acted on."""
    named = {"mailbox": mailbox["_id"], **more}
    return ", ".join(f"{kind} {name}" for kind, name in named.items())
