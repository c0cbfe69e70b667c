"""The sources, by name."""

from difflib import get_close_matches

from pipeline.errors import Permanent
from pipeline.sources.base import Source
from pipeline.sources.google.calendar import CalendarSource
from pipeline.sources.google.contacts import ContactsSource
from pipeline.sources.google.gmail import GmailSource
from pipeline.sources.google.tasks import TasksSource
from pipeline.sources.microsoft.mail import MicrosoftMailSource

_ALL: tuple[Source, ...] = (
    CalendarSource(),
    GmailSource(),
    ContactsSource(),
    TasksSource(),
    MicrosoftMailSource(),
)
SOURCES: dict[str, Source] = {source.name: source for source in _ALL}
#: Those whose provider tells of changes by itself, once we have subscribed.
PUSHED_SOURCES = ("google_calendar", "google_gmail", "microsoft_mail")


def projections_of(source: str) -> tuple[str, ...]:
    """Return the projections that follow what lands of `source`: the one place that says so."""
    return SOURCES[source].projections if source in SOURCES else Source.projections


def sources_of(provider: str) -> list[str]:
    """Return the names of a provider's sources."""
    return [name for name, source in SOURCES.items() if source.provider == provider]


def source_named(name: str) -> Source:
    """Return the source called `name`; raises Permanent that suggests the nearest."""
    if name in SOURCES:
        return SOURCES[name]
    near = get_close_matches(name, SOURCES, n=1, cutoff=0.3)
    hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(SOURCES)}"
    raise Permanent(f"there is no source {name!r}; {hint}")
