"""When work runs: what `dramatiq actors` loads.  One module per queue.

The order matters: the metrics folder before anything imports
prometheus_client, the broker before any actor is declared.
"""

from pipeline.worker_metrics import use_shared_folder

use_shared_folder()

from pipeline.startup import prepare_worker  # noqa: E402

prepare_worker()

from actors import data_sync, graph, webhook_process, webhook_renewal  # noqa: E402

__all__ = ["data_sync", "graph", "webhook_process", "webhook_renewal"]
