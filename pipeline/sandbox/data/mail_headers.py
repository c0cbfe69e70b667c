"""The headers of a mail: who wrote to whom, what it answers, which servers it passed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from random import Random

from pipeline.sandbox.data import mail_addresses
from pipeline.sandbox.data.event_times import Item
from pipeline.sandbox.data.people import Person
from pipeline.sandbox.data.persona import Persona


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation so far: what the next message needs to know.

    `thread_id` is empty and `references` (the Message-IDs) are none before the first message.
    """

    thread_id: str
    subject: str
    partner: Person
    others: tuple[Person, ...] = ()
    references: tuple[str, ...] = ()
    is_bulk: bool = False


def as_items(headers: Mapping[str, str]) -> list[Item]:
    """Headers as Gmail lists them."""
    return [{"name": name, "value": value} for name, value in headers.items()]


def _recipients(persona: Persona, random: Random, thread: Thread, *, sent: bool) -> dict[str, str]:
    """Who it is from and who gets it; the others are in a group, in `To`, or in `Cc`."""
    mine = mail_addresses.named(persona.display_name, persona.email, random)
    partner = mail_addresses.mailbox(thread.partner, random)
    headers = {"From": mine, "To": partner} if sent else {"From": partner, "To": mine}
    copied = [mail_addresses.mailbox(person, random) for person in thread.others]
    if copied and random.random() < 0.12:
        headers["To"] += f", {mail_addresses.group(copied)}"
    elif copied and random.random() < 0.3:
        headers["To"] = mail_addresses.listed([headers["To"], *copied])
    elif copied:
        headers["Cc"] = mail_addresses.listed(copied)
    if sent and random.random() < 0.05:
        headers["Bcc"] = mail_addresses.mailbox(persona.acquaintance(random), random)
    return headers


def _transport(persona: Persona, random: Random, sender: Person, sent_at: datetime) -> list[Item]:
    """What the servers on the way added to a mail that came in; `Received` stands twice."""
    arrived = format_datetime(sent_at + timedelta(seconds=2))
    host = f"mx.{sender.company.domain}"
    ours = f"by 2002:a05:6402:{random.getrandbits(16):x}:0 with SMTP id x1; {arrived}"
    theirs = f"from {host} ({host}. [203.0.113.7]) by mx.google.com; {arrived}"
    return [
        *as_items({"Delivered-To": persona.email, "Received": ours}),
        *as_items({"Received": theirs, "Return-Path": f"<{sender.email}>"}),
    ]


def _bulk(sender: Person, random: Random) -> dict[str, str]:
    """What newsletters carry (RFC 2369, RFC 8058)."""
    domain = sender.company.domain
    link = f"https://{domain}/unsubscribe?u={random.getrandbits(32)}"
    return {
        "List-Id": f"News <news.{domain}>",
        "List-Unsubscribe": f"<mailto:unsubscribe@{domain}>, <{link}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Precedence": "bulk",
    }


def _subject(thread: Thread, random: Random) -> dict[str, str]:
    """The subject, `Re:` before it in a reply; a few first mails have none at all."""
    if not thread.references:
        return {} if random.random() < 0.02 else {"Subject": thread.subject}
    answered = thread.subject if thread.subject.startswith("Re: ") else f"Re: {thread.subject}"
    return {"Subject": answered}


def headers(
    persona: Persona, random: Random, thread: Thread, sent_at: datetime, *, sent: bool
) -> tuple[list[Item], str]:
    """All headers of the next message of a thread, and its own Message-ID."""
    author = persona.email if sent else thread.partner.email
    reference = f"<{random.randbytes(12).hex()}@{author.partition('@')[2]}>"
    written = _recipients(persona, random, thread, sent=sent) | _subject(thread, random)
    written["Date"] = format_datetime(sent_at)
    written["Message-ID" if random.random() < 0.8 else "Message-Id"] = reference
    written["MIME-Version"] = "1.0"
    if thread.references:
        written |= {
            "In-Reply-To": thread.references[-1],
            "References": " ".join(thread.references),
        }
    if thread.is_bulk:
        written |= _bulk(thread.partner, random)
    passed = [] if sent else _transport(persona, random, thread.partner, sent_at)
    return passed + as_items(written), reference
