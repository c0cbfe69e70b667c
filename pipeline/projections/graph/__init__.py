"""The graph projection: landed records as nodes and edges, over Bolt.

advance(user_id)      bring one user's graph up to date; the sweeper asks `lagging`
rebuild, wipe         from nothing; to nothing
lag(user_id)          how far it is behind, per source
count_nodes(user_id)  how much of a user there is
"""

from pipeline.projections.following import Advanced
from pipeline.projections.graph.advance import advance, ensure_schema, rebuild, watermark, wipe
from pipeline.projections.graph.write import apply, count_nodes

lag = watermark.lag
lagging = watermark.lagging

__all__ = [
    "Advanced",
    "advance",
    "apply",
    "count_nodes",
    "ensure_schema",
    "lag",
    "lagging",
    "rebuild",
    "wipe",
]
