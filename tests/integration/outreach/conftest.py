"""What every test of outreach begins with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.config import public_base_url


@pytest.fixture(autouse=True)
def _reachable(setting: Callable[..., None]) -> None:
    """Links in mail lead somewhere: else no campaign that sends any is started."""
    setting(PUBLIC_BASE_URL=public_base_url())
