"""AI: summaries, translations, categories, cleaned notes and mentions, each asked for once.

ask(...)                    keep a request and queue its job; the same is not asked twice
retry(...)                  have one that has failed tried again
result, results_of, listed  what was asked, and what came of it
usage(tenant_id, day)       what it took, by type and model
quotas_of(tenant_id)        how much of its quotas a tenant has in use
run(request_id)             carry a request out; find() queues those that have lost their job

`TYPES` are the types of requests; `KINDS` says what each takes, and what comes of it.
"""

from pipeline.platform.ai.asking import ask, retry
from pipeline.platform.ai.kinds import KINDS
from pipeline.platform.ai.quotas import Use as QuotaUse
from pipeline.platform.ai.quotas import used as quotas_of
from pipeline.platform.ai.reading import Use, listed, result, results_of, usage
from pipeline.platform.ai.running import run
from pipeline.platform.ai.sweeping import find

TYPES = tuple(KINDS)

__all__ = [
    "KINDS",
    "TYPES",
    "QuotaUse",
    "Use",
    "ask",
    "find",
    "listed",
    "quotas_of",
    "result",
    "results_of",
    "retry",
    "run",
    "usage",
]
