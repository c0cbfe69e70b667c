"""Which ids may name a user: they become parts of job ids, lanes and log lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.connect import check_user_id, connect_google
from pipeline.errors import Permanent
from pipeline.jobs.identity import check_text


@pytest.mark.parametrize("user_id", ["", "  ", "a\nb", "a\x00b", "\ud800", "x" * 201])
def test_an_id_that_no_job_could_carry_is_refused_before_anything_is_stored(user_id: str) -> None:
    with pytest.raises(Permanent, match="1 to 200 printable characters"):
        connect_google(user_id, {})


@given(st.text(max_size=200))
def test_whatever_is_accepted_can_be_part_of_a_job(user_id: str) -> None:
    try:
        check_user_id(user_id)
    except Permanent:
        return
    check_text("the user", user_id)
