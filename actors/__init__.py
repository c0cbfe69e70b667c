"""When work runs: what `dramatiq actors` loads.  One module per queue.

The order matters: the metrics folder before anything imports
prometheus_client, the broker before any actor is declared.
"""

from pipeline.worker_metrics import use_shared_folder

use_shared_folder()

from pipeline.startup import prepare_worker  # noqa: E402

prepare_worker()

from actors import (  # noqa: E402
    ai_processing,
    data_sync,
    delta_sync,
    email,
    graph,
    indexing,
    outreach_send,
    outreach_timeout,
    pattern_analysis,
    staging_processor,
    token_refresh,
    webhook_process,
    webhook_renewal,
)

__all__ = [
    "ai_processing",
    "data_sync",
    "delta_sync",
    "email",
    "graph",
    "indexing",
    "outreach_send",
    "outreach_timeout",
    "pattern_analysis",
    "staging_processor",
    "token_refresh",
    "webhook_process",
    "webhook_renewal",
]
