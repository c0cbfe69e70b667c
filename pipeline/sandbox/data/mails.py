"""Mail: threads of messages in Gmail's shape, newest biased, with the headers of real mail.

Shape: https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random

from pipeline.sandbox.data import mail_headers, mail_parts
from pipeline.sandbox.data.event_times import Item
from pipeline.sandbox.data.identifiers import message_id
from pipeline.sandbox.data.mail_headers import Thread
from pipeline.sandbox.data.people import Person
from pipeline.sandbox.data.persona import Persona
from pipeline.sandbox.data.phrases import SUBJECTS

#: The user's own labels: id and name.
USER_LABELS = {
    "Label_1": "Projects",
    "Label_2": "Rechnungen",
    "Label_3": "家族/旅行",
    "Label_4": "Receipts & co.",
}
_CATEGORIES = ("CATEGORY_PERSONAL", "CATEGORY_UPDATES", "CATEGORY_FORUMS", "CATEGORY_SOCIAL")
_OLDEST_DAYS = 200
_LONGEST_THREAD = 12
_SNIPPET_LENGTH = 120


def _is_unread(random: Random, age: timedelta) -> bool:
    return random.random() < (0.5 if age < timedelta(days=5) else 0.08)


def _received_labels(random: Random, thread: Thread, age: timedelta) -> list[str]:
    luck = random.random()
    if luck < 0.03:
        return ["SPAM", "UNREAD"]
    labels = ["TRASH"] if luck < 0.07 else ["INBOX"] if luck < 0.75 else []
    if _is_unread(random, age):
        labels.append("UNREAD")
    if random.random() < 0.25:
        labels.append("IMPORTANT")
    if random.random() < 0.05:
        labels.append("STARRED")
    if random.random() < 0.15:
        labels.append(random.choice(list(USER_LABELS)))
    category = random.choices(_CATEGORIES, (70, 18, 6, 6))[0]
    return [*labels, "CATEGORY_PROMOTIONS" if thread.is_bulk else category]


def _sent_labels(random: Random) -> list[str]:
    return ["SENT", "STARRED"] if random.random() < 0.05 else ["SENT"]


def _newsletter(person: Person) -> Person:
    """The company of a person as a sender of its own."""
    company = person.company
    address = f"news@{company.domain}"
    return replace(person, given_name="", family_name="", display_name=company.name, email=address)


def new_thread(persona: Persona, random: Random) -> Thread:
    """A conversation, or a newsletter, that nobody has written to yet."""
    partner, subject = persona.acquaintance(random), random.choice(SUBJECTS)
    if random.random() < 0.15:
        return Thread("", subject, _newsletter(partner), is_bulk=True)
    drawn = [persona.acquaintance(random) for _ in range(random.choice((0, 0, 0, 1, 2, 5)))]
    others = {person.email: person for person in drawn if person.email != partner.email}
    return Thread("", subject, partner, tuple(others.values()))


def _text(persona: Persona, random: Random) -> str:
    paragraphs = random.choices(persona.phrases.paragraphs, k=random.randint(1, 3))
    return "\r\n\r\n".join([*paragraphs, "-- ", random.choice(persona.phrases.sentences)])


def write(
    persona: Persona, random: Random, thread: Thread, sent_at: datetime
) -> tuple[Item, Thread]:
    """The next message of a thread, and the thread with it.

    The first message opens the thread and gives it its id, as at Gmail.
    """
    sent = not thread.is_bulk and random.random() < (0.4 if thread.references else 0.15)
    headers, reference = mail_headers.headers(persona, random, thread, sent_at, sent=sent)
    age = persona.now - sent_at
    labels = _sent_labels(random) if sent else _received_labels(random, thread, age)
    text, identifier = _text(persona, random), message_id(random, sent_at)
    body = mail_parts.payload(text, random)
    body["headers"] = headers + body["headers"]
    thread_id = thread.thread_id or identifier
    message = {
        "id": identifier,
        "threadId": thread_id,
        "labelIds": labels,
        "snippet": text[:_SNIPPET_LENGTH].replace("\r\n", " "),
        "internalDate": str(int(sent_at.timestamp() * 1000)),
        "payload": body,
    }
    references = (*thread.references, reference)
    return message, replace(thread, thread_id=thread_id, references=references)


def _first_sent_at(persona: Persona, random: Random) -> datetime:
    """Within the last 200 days, and most likely not long ago."""
    seconds = int(_OLDEST_DAYS * 86_400 * random.random() ** 2.2)
    return (persona.now - timedelta(seconds=max(60, seconds))).astimezone(UTC)


def _thread_length(random: Random, thread: Thread) -> int:
    return 1 if thread.is_bulk else min(_LONGEST_THREAD, 1 + int(random.expovariate(0.55)))


def _endless(persona: Persona) -> Iterator[Item]:
    random = persona.random("messages")
    while True:
        sent_at = _first_sent_at(persona, random)
        thread = new_thread(persona, random)
        for _ in range(_thread_length(random, thread)):
            message, thread = write(persona, random, thread, sent_at)
            yield message
            sent_at += timedelta(seconds=random.randint(120, 200_000))
            if sent_at >= persona.now:
                break


def messages(persona: Persona, count: int) -> Iterator[Item]:
    """`count` messages, thread by thread; a thread's first message comes first."""
    return islice(_endless(persona), count)
