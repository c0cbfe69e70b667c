"""The types of requests to AI: what each takes, what comes of it, and how much it may be."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.platform.ai.options import (
    CategorizeOptions,
    NoteOptions,
    Options,
    SummaryOptions,
    TranslateOptions,
)
from pipeline.platform.ai.results import (
    Categories,
    CleanNote,
    Mentions,
    Result,
    Summary,
    Translation,
)
from pipeline.refusals import Refused

#: What a token is worth on average; nothing that is charged goes by it in the end.
CHARACTERS_PER_TOKEN = 4
_LONG_ANSWER = 4096
#: Many models answer no more than that, and refuse to be asked for it.
_LONGEST_ANSWER = 16_384
#: The version of what all prompts begin with.
RULES_VERSION = 1


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of request.

    Contents have `shortest` to `longest` characters.  `answer_tokens` is the most that a model
    may answer, by the options and how many characters the content has.  `prompt` is the number
    of its prompt: a changed prompt is a new file with a new number.  `local` names what answers
    on the worker, empty if nothing does; it grows when that answers otherwise than before.
    """

    name: str
    options: type[Options]
    result: type[Result]
    shortest: int
    longest: int
    answer_tokens: Callable[[Options, int], int]
    prompt: int
    local: str = ""

    @property
    def prompt_version(self) -> str:
        """What is kept as the version of a prompt: of the rules of all, and its own."""
        return f"{RULES_VERSION}.{self.prompt}"


def _of_summary(options: Options, _: int) -> int:
    assert isinstance(options, SummaryOptions)
    return 512 if options.style == "brief" else 2048


def _short(_: Options, __: int) -> int:
    return 1024


def _list(_: Options, __: int) -> int:
    return 2048


def _of_whole_text(_: Options, characters: int) -> int:
    """The answer is as long as the content, in a language that may need twice the tokens."""
    wanted = max(_LONG_ANSWER, 2 * characters // CHARACTERS_PER_TOKEN)
    return min(wanted, _LONGEST_ANSWER)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("generate-summary", SummaryOptions, Summary, 1, 100_000, _of_summary, 1, "lexrank-1"),
        Kind("translate", TranslateOptions, Translation, 1, 50_000, _of_whole_text, 1),
        Kind("categorize", CategorizeOptions, Categories, 10, 50_000, _short, 1, "wordllama-1"),
        Kind("note-cleanup", NoteOptions, CleanNote, 1, 50_000, _of_whole_text, 1, "ftfy-1"),
        Kind("extract-mentions", Options, Mentions, 10, 50_000, _list, 1, "contacts-1"),
    )
}


def kind_named(name: str) -> Kind:
    """Return a type of requests.  Raises Refused for one that there is not."""
    if name in KINDS:
        return KINDS[name]
    alike = difflib.get_close_matches(str(name), KINDS, n=1)
    instead = f"did you mean {alike[0]!r}?" if alike else f"there are {', '.join(KINDS)}"
    raise Refused("type", f"there is no type {name!r}; {instead}")
