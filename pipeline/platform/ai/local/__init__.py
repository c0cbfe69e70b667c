"""What the worker does itself, without a model of language: it picks out, mends and compares.

It invents nothing, costs nothing and sends nothing anywhere.  What it needs is imported when
it is first used: workers of other queues do without.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.errors import Misconfigured
from pipeline.platform.ai.local import categories, cleanup, mentions, summary
from pipeline.platform.ai.results import Result
from pipeline.platform.ai.tasks import Task

_BY_TYPE: dict[str, Callable[[Task], Result]] = {
    "generate-summary": summary.summarize,
    "categorize": categories.categorize,
    "note-cleanup": cleanup.clean,
    "extract-mentions": mentions.extract,
}


def answer(task: Task) -> Result:
    """Return the result of a task.  Raises Misconfigured if the package for it is missing."""
    try:
        return _BY_TYPE[task.kind.name](task)
    except ImportError as error:
        raise Misconfigured(
            f"{task.kind.name} needs the package {error.name}: pip install 'headrace[local-ai]', "
            "or set AI_API_KEY"
        ) from None
