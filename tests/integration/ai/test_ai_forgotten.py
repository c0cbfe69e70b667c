"""Of a user who is forgotten nothing is left that says anything of them."""

from __future__ import annotations

import ai_rows as rows
import pytest

from models import AiRequest, AiUsage, Erasure, User
from pipeline.errors import Gone
from pipeline.platform import ai
from pipeline.refusals import Refused
from pipeline.stores import collection
from pipeline.sync.erasures import erasure_id
from pipeline.users import belongings

pytestmark = pytest.mark.usefixtures("stores")


def test_requests_are_deleted_and_calls_name_nobody() -> None:
    tenant, user = rows.new_user()
    record = rows.land_mail(user)
    answered = rows.done(ai.ask(tenant, "generate-summary", entity=("record", record), by=rows.BY))
    waiting = rows.ask_text(tenant, user_id=user)
    others = rows.ask_text(tenant)
    assert belongings.left(user)["AI requests"] == 2
    assert belongings.left(user)["AI calls that name them"] == 1
    list(belongings.delete_copy(user))
    list(belongings.delete_rest(user))
    assert belongings.left(user) == {}
    assert [row["_id"] for row in collection(AiRequest).find()] == [others["_id"]]
    # What it took is still the tenant's.
    [call] = collection(AiUsage).find({"request_id": answered["_id"]})
    assert call["tenant_id"] == tenant
    assert not {"user_id", "entity"} & call.keys()
    with pytest.raises(Gone):
        ai.run(waiting["_id"])


def test_nothing_is_asked_of_a_user_who_is_being_erased() -> None:
    tenant, user = rows.new_user()
    record = rows.land_mail(user)
    collection(Erasure).insert_one({"_id": erasure_id(user), "status": "erasing"})
    with pytest.raises(Refused, match="being erased"):
        ai.ask(tenant, "generate-summary", entity=("record", record), by=rows.BY)
    collection(User).delete_one({"_id": user})
    with pytest.raises(Refused, match="no such record"):
        ai.ask(tenant, "generate-summary", entity=("record", record), by=rows.BY)
