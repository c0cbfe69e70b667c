"""The campaign of `headrace up --demo`, made in real stores and a real sandbox."""

from __future__ import annotations

from collections.abc import Callable

from models import Campaign, Enrollment, SenderIdentity, User
from models.user import DEFAULT_TENANT
from pipeline.cli.up import demo_campaign
from pipeline.outreach import plans
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection


def test_the_demo_has_one_campaign_under_way_however_often_it_is_made(
    sandbox: SandboxClient, setting: Callable[..., None]
) -> None:
    setting(PUBLIC_BASE_URL="http://localhost:8000")  # as `headrace up` does
    user = sandbox.add_user("user0001")
    collection(User).insert_one({"_id": user["user"], "tenant_id": DEFAULT_TENANT})
    first = demo_campaign.make(sandbox, user)
    assert demo_campaign.make(sandbox, user) == first
    [campaign] = collection(Campaign).find()
    [sender] = collection(SenderIdentity).find()
    assert (campaign["_id"], campaign["status"]) == (first, "active")
    assert (sender["status"], sender["user_id"]) == ("verified", user["user"])
    assert collection(Enrollment).count_documents({"campaign_id": first}) == 30
    assert plans.check(demo_campaign.plan()).errors == []
    kept = {row["address"]: row for row in sandbox.recipients()}
    assert set(kept) == {f"*.{habit}@*" for habit in demo_campaign.HABITS}
    assert kept["*.bounces@*"]["arrival"] == "bounced"
