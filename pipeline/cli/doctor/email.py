"""Mail to users: whether it is sent, and what waits for a person."""

from __future__ import annotations

from collections.abc import Iterator

from pymongo.errors import PyMongoError

from models import EmailDelivery
from pipeline.cli.doctor.findings import Finding, note, ok
from pipeline.config import settings
from pipeline.probes import mongodb_problem
from pipeline.stores import collection
from pipeline.words import counted


def check() -> Iterator[Finding]:
    """Yield what there is to say about mail to users."""
    if mongodb_problem():  # told by the check of MongoDB
        return
    rows = collection(EmailDelivery)
    try:
        waiting = rows.count_documents({"status": "pending"})
        unknown = rows.count_documents({"status": "unknown"})
    except PyMongoError:
        return
    about = "mail to users"
    if settings().email_from:
        yield ok(about, f"by SMTP_URL, {counted(waiting, 'mail')} waiting")
    else:
        text = f"EMAIL_FROM is empty: none is sent, {counted(waiting, 'mail')} waiting"
        yield note(about, text, "set it to an address that SMTP_URL may send from")
    if unknown:
        mend = "ask their readers or the mail server, and settle them: they are not sent again"
        yield note("mail in doubt", f"{counted(unknown, 'mail')} that may have been sent", mend)
