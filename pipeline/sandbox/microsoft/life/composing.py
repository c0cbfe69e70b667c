"""Mail in Graph's shape: what a letter of the people's days, or one found in a mailbox, says."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from pipeline.sandbox.data.people import Person
from pipeline.sandbox.data.phrases import Phrases, phrases
from pipeline.sandbox.microsoft.life import words
from pipeline.sandbox.microsoft.life.correspondents import Correspondent, Kind
from pipeline.sandbox.microsoft.life.days import Letter
from pipeline.sandbox.microsoft.life.lives import Life

Message = dict[str, Any]

_SUBJECTS: dict[Kind, Sequence[str]] = {
    "newsletter": words.NEWSLETTER_SUBJECTS,
    "supplier": words.SUPPLIER_SUBJECTS,
    "service": words.SERVICE_SUBJECTS,
    "shop": words.SHOP_SUBJECTS,
    "colleague": words.PERSONAL_SUBJECTS,
    "stranger": words.PERSONAL_SUBJECTS,
}
_ATTACHED: dict[Kind, float] = {"supplier": 0.8, "colleague": 0.2, "stranger": 0.1}
_IMPORTANCES = ("low", "normal", "high")


def received(life: Life, letter: Letter) -> Message:
    """A letter as it comes in."""
    random = life.random(letter.key, "text")
    message = incoming(life, random, letter.sender, letter.key)
    if letter.sender.kind == "colleague":  # what a colleague writes in a week is one thread
        year, week, _ = letter.at.isocalendar()
        thread = life.random("thread", letter.sender.email, year, week)
        message["conversationId"] = conversation(thread)
        message["subject"] = f"Re: {subject(thread, 'colleague')}"
    return message


def incoming(life: Life, random: Random, sender: Correspondent, key: str) -> Message:
    """A mail from `sender` that nobody has touched."""
    weights = (5, 85, 10) if sender.kind in ("colleague", "stranger") else (2, 97, 1)
    return {
        "internetMessageId": f"<{key}@{sender.email.partition('@')[2]}>",
        "conversationId": conversation(random),
        "subject": subject(random, sender.kind),
        "body": _text(random, phrases(life.seed)),
        "from": address(sender.name, sender.email),
        "sender": address(sender.name, sender.email),
        "toRecipients": [address(life.display_name, life.email)],
        "ccRecipients": _copied(life, random, sender.kind),
        "importance": random.choices(_IMPORTANCES, weights)[0],
        "hasAttachments": random.random() < _ATTACHED.get(sender.kind, 0.0),
        "inferenceClassification": "other" if sender.kind == "newsletter" else "focused",
        "internetMessageHeaders": _headers(random, sender),
    }


def outgoing(life: Life, random: Random, to: Message, thread: Message, key: str) -> Message:
    """A mail that the person writes to `to`, in the conversation of `thread`."""
    mine = address(life.display_name, life.email)
    return {
        "internetMessageId": f"<{key}@{life.email.partition('@')[2]}>",
        "conversationId": thread["conversationId"],
        "subject": f"Re: {thread['subject'].removeprefix('Re: ')}",
        "body": _text(random, phrases(life.seed)),
        "from": mine,
        "sender": mine,
        "toRecipients": [to],
        "isRead": True,
    }


def address(name: str, email: str) -> Message:
    return {"emailAddress": {"name": name, "address": email}}


def conversation(random: Random) -> str:
    return f"AAQkAD{random.getrandbits(96):024x}AAQA="


def subject(random: Random, kind: Kind) -> str:
    return random.choice(_SUBJECTS[kind]).format(number=random.randint(2, 9999))


def _text(random: Random, known: Phrases) -> Message:
    content = "\r\n\r\n".join(random.choices(known.paragraphs, k=random.randint(1, 2)))
    return {"contentType": "text", "content": content}


def _copied(life: Life, random: Random, kind: Kind) -> list[Message]:
    if kind != "colleague" or random.random() < 0.6:
        return []
    people: Sequence[Person] = random.sample(life.colleagues, random.randint(1, 3))
    return [address(person.display_name, person.email) for person in people]


def _headers(random: Random, sender: Correspondent) -> list[Message]:
    domain = sender.email.partition("@")[2]
    headers = {"Received": f"from mx.{domain} ({domain} [203.0.113.7])", "MIME-Version": "1.0"}
    if sender.kind in ("newsletter", "shop"):  # RFC 2369, RFC 8058
        link = f"https://{domain}/unsubscribe?u={random.getrandbits(32)}"
        headers |= {
            "List-Unsubscribe": f"<mailto:unsubscribe@{domain}>, <{link}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    if sender.kind == "newsletter":
        headers |= {"List-Id": f"{sender.name} <news.{domain}>", "Precedence": "bulk"}
    if sender.kind == "service":
        headers |= {"X-Auto-Response-Suppress": "All", "Auto-Submitted": "auto-generated"}
    return [{"name": name, "value": value} for name, value in headers.items()]
