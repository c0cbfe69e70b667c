"""Push: subscriptions at providers, what they notify us of, and what they fail to.

Everything is level-triggered: a row says what there is, a job brings it to what
there should be, and a tick finds what has no job.
"""

from pipeline.push.gaps import after_sync
from pipeline.push.kinds import KINDS
from pipeline.push.notifications import act_on
from pipeline.push.renewal import renew_subscriptions
from pipeline.push.requests import request
from pipeline.push.subscribing import stop_all, subscribe

__all__ = [
    "KINDS",
    "act_on",
    "after_sync",
    "renew_subscriptions",
    "request",
    "stop_all",
    "subscribe",
]
