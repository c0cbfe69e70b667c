"""The search projection: landed records as documents that can be found.

find(...)                     what a tenant's, or one user's, records say
advance(user_id)              bring one user's documents up to date; the sweeper asks `lagging`
rebuild_user, wipe, count     all once more; to nothing; how much there is of a user
lag(user_id)                  how far it is behind, per source
begin_rebuild, carry_on       a new index for everybody, without a gap in what is found
status(), ping()              which store it is, how much is in it; whether it answers
"""

from pipeline.projections.search.advance import follower, rebuild_user, wipe
from pipeline.projections.search.documents import KINDS
from pipeline.projections.search.finding import Found, Hit, find, next_offset
from pipeline.projections.search.highlight import Segment
from pipeline.projections.search.rebuilding import begin as begin_rebuild
from pipeline.projections.search.rebuilding import carry_on
from pipeline.projections.search.status import Rebuild, Status, rebuild, status
from pipeline.projections.search.stores import count, ping, store, under_way, watermark

advance = follower.advance
lag = watermark.lag
lagging = watermark.lagging

__all__ = [
    "KINDS",
    "Found",
    "Hit",
    "Rebuild",
    "Segment",
    "Status",
    "advance",
    "begin_rebuild",
    "carry_on",
    "count",
    "find",
    "lag",
    "lagging",
    "next_offset",
    "ping",
    "rebuild",
    "rebuild_user",
    "status",
    "store",
    "under_way",
    "wipe",
]
