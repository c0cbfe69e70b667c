"""What `headrace bench mailbox` analyzes is a mailbox full of habits, and it leaves nothing."""

from __future__ import annotations

from benchmarks.mailbox import history
from benchmarks.mailbox.analysis import ANALYSIS_MIB, time_analysis
from models import EmailEvent, Mailbox, Pattern, User
from pipeline.stores import collection


def test_an_analysis_is_timed_in_a_process_of_its_own(stores: None) -> None:
    said: list[str] = []
    # What this process holds must not count as what its child needs.
    ballast = b"x" * (2 * ANALYSIS_MIB * 2**20)
    results = time_analysis(4000, 1, said.append)
    assert [row["target"] for row in results.values()] == ["at most 5", "at most 200"]
    assert results["analysis_of_4000_events_grows_by_mib"]["met"]
    del ballast
    assert len(said) == 1
    for model in (EmailEvent, Mailbox, Pattern):
        assert collection(model).count_documents({}) == 0
    assert collection(User).count_documents({"_id": history.USER}) == 0
