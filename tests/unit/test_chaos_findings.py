"""What a run with faults has shown, as a program reads it."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from benchmarks.chaos.findings import Findings, as_document
from benchmarks.chaos.mailbox.checking import Verdict as OfMailboxes
from benchmarks.chaos.outreach.checking import Verdict as OfCampaigns


@pytest.mark.parametrize(
    "found",
    [
        OfMailboxes(seed=7, won=Counter(rescue=2), complaints=["x"]),
        OfCampaigns(seed=7, ends=Counter(completed=2), complaints=["x"]),
    ],
)
def test_what_a_seed_has_shown_is_a_json_document(found: Findings) -> None:
    [seed] = json.loads(json.dumps(as_document([found])))["seeds"]
    assert (seed["seed"], seed["passed"], seed["complaints"]) == (7, False, ["x"])
    assert 2 in [*seed.get("won", {}).values(), *seed.get("ends", {}).values()]
