"""The sandbox's model as OpenAI's own client library knows it."""

from __future__ import annotations

import json

import openai
import pytest
import requests

from pipeline.sandbox.ai import AI_API_KEY

MAIL = "The invoice of Ada Lovelace is due. Please pay by Friday."


@pytest.fixture(autouse=True)
def clean(sandbox):
    sandbox.clear_ai()
    yield
    sandbox.clear_ai()


@pytest.fixture
def client(sandbox):
    with _client(sandbox) as made:
        yield made


def _client(sandbox, key=AI_API_KEY):
    url = f"{sandbox.base_url}/v1"
    return openai.OpenAI(api_key=key, base_url=url, max_retries=0, timeout=10)


def _ask(client, schema="generate_summary", text=MAIL, model="sandbox-1", options=None):
    shape = {"name": schema, "schema": {"type": "object"}, "strict": True}
    fenced = f"Options: {json.dumps(options or {})}\n\n-----ab-----\n{text}\n-----ab-----"
    return client.chat.completions.create(
        model=model,
        messages=[{"role": "system", "content": "be brief"}, {"role": "user", "content": fenced}],
        response_format={"type": "json_schema", "json_schema": shape},
    )


def _said(completion):
    return json.loads(completion.choices[0].message.content)


def test_it_answers_by_the_schema_and_counts_tokens(sandbox, client):
    found = _ask(client)
    assert _said(found)["summary"].startswith("The invoice of Ada Lovelace is due.")
    assert found.usage.prompt_tokens > 10
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens
    [request] = sandbox.ai_requests()
    assert MAIL in request["messages"][1]["content"]


def test_it_suggests_only_categories_that_are_offered(client):
    offered = [
        {"id": "a1", "name": "Garden", "description": "flowers"},
        {"id": "b2", "name": "Finance", "description": "an invoice to pay"},
    ]
    said = _said(_ask(client, "categorize", options={"categories": offered}))
    assert [one["category_id"] for one in said["suggestions"]] == ["b2"]
    assert said["indicators"] == ["invoice", "pay"]


@pytest.mark.parametrize("schema", ["translate", "note_cleanup", "extract_mentions"])
def test_it_answers_the_same_question_the_same(client, schema):
    assert _said(_ask(client, schema)) == _said(_ask(client, schema))


def test_it_finds_who_is_mentioned(client):
    mentions = _said(_ask(client, "extract_mentions"))["mentions"]
    assert [one["name"] for one in mentions] == ["Ada Lovelace"]


def test_it_says_what_it_was_told_to_in_that_order(sandbox, client):
    sandbox.ai_answer({"suggestions": [], "indicators": []})
    sandbox.ai_answer(text="no JSON")
    sandbox.ai_answer(refusal="I cannot help with that.")
    assert _said(_ask(client)) == {"suggestions": [], "indicators": []}
    assert _ask(client).choices[0].message.content == "no JSON"
    declined = _ask(client).choices[0].message
    assert declined.content is None
    assert declined.refusal == "I cannot help with that."
    assert "invoice" in _said(_ask(client))["summary"]


def test_an_answer_can_be_cut_off_several_times(sandbox, client):
    sandbox.ai_answer(text="{", finish_reason="length", times=2)
    reasons = [_ask(client).choices[0].finish_reason for _ in range(3)]
    assert reasons == ["length", "length", "stop"]


def test_only_its_key_and_its_models_are_known(sandbox, client):
    with _client(sandbox, "sk-other") as other, pytest.raises(openai.AuthenticationError):
        _ask(other)
    with pytest.raises(openai.NotFoundError) as error:
        _ask(client, model="gpt-9")
    assert error.value.code == "model_not_found"
    assert sandbox.ai_requests() == []


def test_what_is_no_request_is_refused(sandbox, client):
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="sandbox-1", messages=[])
    url = f"{sandbox.base_url}/v1/chat/completions"
    assert requests.get(url, timeout=10).status_code == 405


def test_faults_of_the_sandbox_strike_it(sandbox, client):
    match = {"api": "openai"}
    sandbox.fault("status", match=match, params={"code": 429, "retry_after": 7})
    with pytest.raises(openai.RateLimitError) as error:
        _ask(client)
    assert error.value.response.headers["retry-after"] == "7"
    sandbox.fault("status", match=match, params={"code": 500})
    with pytest.raises(openai.InternalServerError):
        _ask(client)
    sandbox.fault("drop", match=match)
    with pytest.raises(openai.APIConnectionError):
        _ask(client)
    assert _said(_ask(client))
