"""What the worker processes of the fault tests load."""

from __future__ import annotations

import dramatiq
import pytest
import workers

from pipeline import log
from pipeline.broker import make_broker
from pipeline.config import settings

log.configure(settings())
workers.only_these_jobs(pytest.MonkeyPatch())  # for as long as this process lives
_broker = make_broker()
workers.declare_actors(_broker)
dramatiq.set_broker(_broker)
