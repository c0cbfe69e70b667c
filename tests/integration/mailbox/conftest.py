"""A mailbox that is worked in."""

from __future__ import annotations

import pytest
from worked_mailbox import WorkedMailbox

from pipeline.sandbox.client import SandboxClient
from pipeline.sandbox.microsoft import MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET


@pytest.fixture
def box(sandbox: SandboxClient, setting: object) -> WorkedMailbox:
    """Ada's mailbox, empty."""
    assert callable(setting)
    setting(
        MICROSOFT_GRAPH_BASE_URL=sandbox.base_url,
        MICROSOFT_LOGIN_BASE_URL=sandbox.base_url,
        MICROSOFT_CLIENT_ID=MICROSOFT_CLIENT_ID,
        MICROSOFT_CLIENT_SECRET=MICROSOFT_CLIENT_SECRET,
    )
    return WorkedMailbox(sandbox)
