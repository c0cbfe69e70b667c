"""What the worker answers itself, without any key."""

from __future__ import annotations

import ai_rows as rows
import pytest

from pipeline.platform import ai
from pipeline.platform.ai.results import Categories, CleanNote, Mentions, Summary
from pipeline.refusals import Refused

pytestmark = pytest.mark.usefixtures("stores")


def test_a_brief_summary_picks_out_what_the_letter_is_about() -> None:
    tenant, _ = rows.new_user()
    row = rows.done(rows.ask_text(tenant))
    assert row["status"] == "done"
    result = Summary.model_validate(row["result"])
    assert "invoice" in result.summary
    assert "cat" not in result.summary
    assert result.word_count == len(result.summary.split())
    assert (result.key_points, result.confidence) == ([], None)
    assert (row["provider"], row["model"]) == ("local", "lexrank-1")
    assert (row["tokens_in"], row["cost_microusd"]) == (0, 0)


def test_a_comprehensive_summary_has_key_points_out_of_the_text() -> None:
    tenant, _ = rows.new_user()
    row = rows.done(rows.ask_text(tenant, options={"style": "comprehensive"}))
    result = Summary.model_validate(row["result"])
    assert 1 <= len(result.key_points) <= 5
    assert all(point in rows.LETTER for point in result.key_points)


@pytest.mark.parametrize(
    ("text", "category"),
    [
        (rows.LETTER, "finance"),
        ("Your flight to Lisbon is confirmed, and so is the hotel for three nights", "travel"),
        ("Somebody signed in to your account from Berlin; was it not you, reset it", "security"),
        ("Herzliche Einladung: the candidate comes to the interview on Monday", "hiring"),
    ],
)
def test_a_text_is_put_into_the_category_that_it_is_about(text: str, category: str) -> None:
    tenant, _ = rows.new_user()
    row = rows.done(rows.ask_text(tenant, "categorize", text))
    result = Categories.model_validate(row["result"])
    assert result.top_suggestion == category
    assert result.suggestions[0].category_id == category
    assert result.indicators


def test_only_categories_that_were_offered_are_suggested() -> None:
    tenant, _ = rows.new_user()
    offered = [
        {"id": "c1", "name": "Invoices", "description": "Bills and payments"},
        {"id": "c2", "name": "Animals", "description": "Cats and dogs"},
    ]
    asked = rows.ask_text(tenant, "categorize", options={"categories": offered})
    result = Categories.model_validate(rows.done(asked)["result"])
    assert result.top_suggestion == "c1"
    assert {one.category_id for one in result.suggestions} <= {"c1", "c2"}


def test_a_note_is_cleaned_and_told_what_was_changed() -> None:
    tenant, _ = rows.new_user()
    note = "meeting  went well!!\n\n\n\nschÃ¶nes Wetter , pls call bob tmrw"
    row = rows.done(rows.ask_text(tenant, "note-cleanup", note, options={"style": "full"}))
    result = CleanNote.model_validate(row["result"])
    assert result.cleaned_content == (
        "Meeting went well!\n\nSchönes Wetter, please call bob tomorrow."
    )
    assert {one.type for one in result.changes} >= {"encoding", "spacing", "abbreviations"}
    assert result.original_length == len(note)


def test_people_and_organizations_of_the_users_contacts_are_found_in_a_thread() -> None:
    tenant, user = rows.new_user()
    contact = {
        "names": [{"displayName": "Grace Hopper"}],
        "organizations": [{"name": "Harbour Bank"}],
        "emailAddresses": [{"value": "grace@harbour.example"}],
    }
    rows.land(user, "google_contacts", "contacts", "people/c1", contact)
    preview = "Grace Hopper of Harbour Bank asks for the payment of the invoice, says Alan Turing"
    rows.land_mail(user, bodyPreview=preview, conversationId="c9")
    entity = ("thread", "microsoft_mail:c9")
    row = rows.done(ai.ask(tenant, "extract-mentions", entity=entity, user_id=user, by=rows.BY))
    found = Mentions.model_validate(row["result"]).mentions
    named = {(one.kind, one.name) for one in found}
    assert {("person", "Grace Hopper"), ("organization", "Harbour Bank")} <= named
    assert ("topic", "Finance") in named
    # Whom the user does not know is not guessed.
    assert not any(one.name == "Alan Turing" for one in found)
    assert row["user_id"] == user


def test_a_translation_needs_a_model_and_says_which_settings_are_missing() -> None:
    tenant, _ = rows.new_user()
    with pytest.raises(Refused, match="set AI_BASE_URL, AI_API_KEY and AI_MODEL") as caught:
        rows.ask_text(tenant, "translate", "Guten Tag")
    assert caught.value.field == "type"
