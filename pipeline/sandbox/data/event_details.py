"""Optional parts of an event: conference, reminders, attachments, properties of other programs."""

from random import Random

from pipeline.sandbox.data.event_times import Item
from pipeline.sandbox.data.persona import Persona
from pipeline.sandbox.data.phrases import PLACES

_MEET_ALPHABET = "abcdefghijkmnopqrstuvwxyz"


def conference(random: Random) -> Item:
    """A video call with its join link, and sometimes a telephone number."""
    letters = "".join(random.choices(_MEET_ALPHABET, k=10))
    code = f"{letters[:3]}-{letters[3:7]}-{letters[7:]}"
    link = f"https://meet.google.com/{code}"
    entry_points: list[Item] = [
        {"entryPointType": "video", "uri": link, "label": link.removeprefix("https://")}
    ]
    if random.random() < 0.4:
        phone = {"entryPointType": "phone", "uri": "tel:+49-30-5550100", "label": "+49 30 5550100"}
        entry_points.append(
            phone | {"pin": str(random.randrange(10**8, 10**9)), "regionCode": "DE"}
        )
    return {
        "hangoutLink": link,
        "conferenceData": {
            "conferenceId": code,
            "conferenceSolution": {
                "key": {"type": "hangoutsMeet"},
                "name": "Google Meet",
                "iconUri": "https://fonts.gstatic.com/s/i/productlogos/meet_2020q4/v6/192px.svg",
            },
            "entryPoints": entry_points,
        },
    }


def _attachment(random: Random) -> Item:
    file_id = random.randbytes(16).hex()
    return {
        "fileId": file_id,
        "fileUrl": f"https://docs.google.com/document/d/{file_id}/edit",
        "title": "Notes – Überblick.gdoc",
        "mimeType": "application/vnd.google-apps.document",
    }


def _extended_properties(random: Random) -> Item:
    """Other programs' marks; dots and dollars in keys are theirs to use and ours to survive."""
    return {
        "private": {"com.example.crm.dealId": str(random.randrange(10**6)), "$source": "import"},
        "shared": {"zoom.meeting.uuid": random.randbytes(8).hex()},
    }


def _reminders(random: Random) -> Item:
    if random.random() < 0.8:
        return {"useDefault": True}
    overrides = [{"method": "popup", "minutes": random.choice((5, 30, 60))}]
    if random.random() < 0.5:
        overrides.append({"method": "email", "minutes": 24 * 60})
    return {"useDefault": False, "overrides": overrides}


def details(persona: Persona, random: Random) -> Item:
    """Some of the fields that an event may or may not have."""
    chosen: Item = {"reminders": _reminders(random)}
    if random.random() < 0.35:
        chosen["description"] = random.choice(persona.phrases.paragraphs)
    if random.random() < 0.4:
        chosen["location"] = random.choice(PLACES)
    if random.random() < 0.06:
        chosen["visibility"] = random.choice(("private", "private", "public", "confidential"))
    if random.random() < 0.05:
        chosen["transparency"] = "transparent"
    if random.random() < 0.05:
        chosen["colorId"] = str(random.randint(1, 11))
    if random.random() < 0.04:
        chosen["extendedProperties"] = _extended_properties(random)
    if random.random() < 0.04:
        chosen["attachments"] = [_attachment(random)]
    if random.random() < 0.02:
        chosen["source"] = {"title": "Ticket 4711", "url": "https://tickets.example/4711"}
    if random.random() < 0.02:
        chosen["guestsCanInviteOthers"] = False
    return chosen


def out_of_office() -> Item:
    """What makes an event an absence."""
    return {
        "eventType": "outOfOffice",
        "visibility": "public",
        "outOfOfficeProperties": {
            "autoDeclineMode": "declineOnlyNewConflictingInvitations",
            "declineMessage": "Declined because I am out of office",
        },
    }


def focus_time() -> Item:
    """What makes an event a block of time for work."""
    return {
        "eventType": "focusTime",
        "focusTimeProperties": {"autoDeclineMode": "declineNone", "chatStatus": "doNotDisturb"},
    }


def working_location(random: Random) -> Item:
    """What makes an event say where the user works that day."""
    place: Item = random.choice(
        (
            {"type": "homeOffice", "homeOffice": {}},
            {"type": "officeLocation", "officeLocation": {"label": "HQ", "buildingId": "hq-1"}},
            {"type": "customLocation", "customLocation": {"label": "Zug nach Köln"}},
        )
    )
    return {
        "eventType": "workingLocation",
        "visibility": "public",
        "transparency": "transparent",
        "workingLocationProperties": place,
    }


def birthday() -> Item:
    """What makes an event a birthday."""
    return {
        "eventType": "birthday",
        "visibility": "private",
        "transparency": "transparent",
        "birthdayProperties": {"type": "birthday"},
    }
