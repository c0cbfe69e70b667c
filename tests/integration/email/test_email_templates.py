"""Templates: built in, in place of them a tenant's own, and what cannot be one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_rows import delivery, tell

from pipeline.platform import email
from pipeline.platform.email.language import html_of_mjml
from pipeline.platform.email.overrides import Source, preview
from pipeline.refusals import Refused
from pipeline.stores import Row

MJML = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>{{ title }}</mj-text></mj-column></mj-section>"
    "</mj-body></mjml>"
)


def save(**given: Any) -> Source:
    values = {"subject": "{{ title }}", "body": MJML, "text": "{{ title }}", "by": "me"} | given
    return email.save("acme", "notification", **values)


@pytest.mark.parametrize("name", list(email.BUILT_IN))
def test_a_built_in_template_can_be_read_with_its_sample(stores: None, name: str) -> None:
    written = preview(email.source_of("acme", name))
    assert written.subject
    assert written.html is not None
    assert "<mj-" not in written.html
    assert "{{" not in written.html + written.text + written.subject


def test_a_tenants_own_is_used_by_it_alone_and_versions_are_kept(stores: None) -> None:
    first = save(subject="One")
    second = save(subject="Two", based_on=1)
    assert (first.version, second.version) == (1, 2)
    assert email.source_of("acme", "notification").subject == "Two"
    assert email.source_of("globex", "notification").version == 0
    assert [row["version"] for row in email.versions("acme", "notification")] == [2, 1]
    assert email.revert("acme", "notification", 1).subject == "One"
    assert email.source_of("acme", "notification").version == 1
    assert save(subject="Three").version == 3
    email.revert("acme", "notification", 0)
    assert email.source_of("acme", "notification").version == 0


def test_who_has_not_seen_what_is_in_use_replaces_nothing(stores: None) -> None:
    save()
    with pytest.raises(Refused, match="version 1 is in use by now"):
        save(based_on=0)
    with pytest.raises(Refused, match="there is no version 9"):
        email.revert("acme", "notification", 9)
    assert email.source_of("acme", "notification").version == 1


def test_mail_is_written_by_the_version_in_use(mail_server: Any, user: Row) -> None:
    save(subject="Ours: {{ title }}", format="text", body="{{ message }} for {{ name }}")
    sent = tell(user)
    email.send(sent)
    [mail] = mail_server.taken
    assert (mail["Subject"], mail.get_content_type()) == ("Ours: Hello", "text/plain")
    assert mail.get_content().strip() == "Something <b>happened</b> for Ada"
    assert delivery(sent)["template_version"] == 1


@pytest.mark.parametrize(
    ("given", "field", "why"),
    [
        ({"body": "<mjml>{% if %}"}, "body", "line 1"),
        ({"body": MJML.replace("title", "titel")}, "body", "'titel' is undefined; there are"),
        ({"text": "{{ user.password }}"}, "text", "'user' is undefined"),
        ({"body": "<mjml><mj-body>\n<mj-foo/></mj-body></mjml>"}, "body", "line 2: there is no"),
        ({"body": "<mjml><mj-body>"}, "body", "cannot be read as MJML"),
        ({"body": "<mjml><mj-include path='/etc/passwd'/></mjml>"}, "body", "no <mj-include>"),
        ({"subject": "   "}, "subject", "empty"),
        ({"text": ""}, "text", "empty"),
        ({"format": "pdf"}, "format", "expected one of mjml, html, text"),
        ({"body": "x" * 200_001}, "body", "at most"),
        ({"body": "{{ 'x' * 999999999 }}"}, "body", "mul is not for mail"),
        ({"body": "{{ title.__class__ }}"}, "body", "cannot be filled"),
        ({"body": "{% for a in range(9) %}{% endfor %}"}, "body", "call is not for mail"),
        ({"body": "{% set a = 1 %}"}, "body", "assign is not for mail"),
    ],
)
def test_what_is_no_template_is_refused_with_field_and_place(
    stores: None, given: dict[str, str], field: str, why: str
) -> None:
    with pytest.raises(Refused) as refusal:
        save(**given)
    assert refusal.value.field == field
    assert why in str(refusal.value)
    assert email.versions("acme", "notification") == []


@given(st.text(max_size=60))
def test_no_value_gets_out_of_its_place(value: str) -> None:
    body = MJML.replace("{{ title }}", "[{{ title }}]")
    source = Source("notification", 1, "mjml", "{{ title }}.", body, "{{ title }}.")
    written = preview(source, {"title": value})
    plain = preview(source, {"title": "plain"})
    assert written.html is not None
    assert plain.html is not None
    assert written.html.count("<div") == plain.html.count("<div")
    assert written.html.count("<script") == 0
    assert "\n" not in written.subject
    assert html_of_mjml("body", MJML)
