"""Messages say what their templates say; what is known of a contact is never more than text."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.outreach import plans, templates
from pipeline.outreach.plans import Node, examples
from pipeline.outreach.templates import Content, MissingField, TemplateProblem, is_readable
from pipeline.outreach.tracking import tracked

URL = "https://outreach.example/u/eyJrIjoidSJ9.x-y_z"
SENDER = {"name": "internal", "display_name": "Ines at Example", "address": "ines@example.com"}
TENANT = {"name": "Example", "postal_address": "Hauptstraße 1, Berlin"}
ADA = {"first_name": "Ada", "email": "ada@example.org", "fields": {"city": "London"}}


def mail(body: str, subject: str = "Hi", text: str | None = None) -> Node:
    return Node.model_validate(
        {"id": "a", "action": "send", "channel": "email", "subject": subject, "body": body}
        | ({"text": text} if text else {})
    )


def sms(body: str) -> Node:
    return Node.model_validate({"id": "a", "action": "send", "channel": "sms", "body": body})


def render(node: Node, contact: dict[str, Any] = ADA, tenant: Any = TENANT) -> Content:
    values = templates.values_of(contact, SENDER, tenant, unsubscribe_url=URL)
    return templates.render(node, values)


def test_plain_text_becomes_html_too() -> None:
    body = "Hello {{ contact.first_name }},\nsee https://example.com/a?b=1&c=2\n\n1 < 2\n"
    content = render(mail(body))
    assert content.text.startswith("Hello Ada,\nsee https://example.com/a?b=1&c=2\n\n1 < 2\n")
    assert content.html is not None
    assert content.html.startswith("<p>Hello Ada,<br>\nsee <a href=")
    assert "<p>1 &lt; 2</p>" in content.html
    assert "https://example.com/a?b=1&amp;c=2</a>" in content.html


def test_html_becomes_plain_text_too_unless_that_is_given() -> None:
    body = "<h1>Hello</h1><p>See <a href='https://example.com/'>this</a>" + " long" * 40 + "</p>"
    content = render(mail(body))
    assert "[this](https://example.com/)" in content.text
    assert " long" * 40 in content.text
    assert render(mail(body, text="Hello {{ sender.name }}")).text.startswith("Hello Ines at")


def test_what_is_known_of_a_contact_is_text_and_nothing_else() -> None:
    evil = {"first_name": "{{ sender.address }}{% if 1 %}<b>x</b>", "email": "a@example.org"}
    content = render(mail("<p>{{ contact.first_name }}</p>", "{{ contact.first_name }}"), evil)
    assert content.subject == evil["first_name"]
    assert content.html is not None
    assert "<p>{{ sender.address }}{% if 1 %}&lt;b&gt;x&lt;/b&gt;</p>" in content.html


@given(st.text())
def test_a_subject_is_one_line(name: str) -> None:
    contact = ADA | {"first_name": name + "\r\nBcc: victim@example.org\x00"}
    subject = render(mail("x", "Hi {{ contact.first_name }}"), contact).subject
    assert len(subject.splitlines()) == 1
    assert not set(subject) & {"\r", "\n", "\x00", "\x85", "\u2028"}
    assert subject.endswith("Bcc: victim@example.org")


def test_mail_without_the_unsubscribe_link_gets_it_at_its_foot() -> None:
    content = render(mail("<html><body><p>Hello</p></body></html>"))
    assert content.html is not None
    assert content.html.endswith("Unsubscribe</a></p>\n</body></html>")
    assert f'<br><a href="{URL}"' in content.html
    assert content.text.endswith(f"Hauptstraße 1, Berlin\nUnsubscribe: {URL}\n")
    assert "Berlin" not in render(mail("Hello"), tenant=None).text


def test_a_link_of_the_templates_own_is_enough() -> None:
    content = render(mail('<p>Hello <a href="{{ unsubscribe_url }}">no more</a></p>'))
    assert content.html == f'<p>Hello <a href="{URL}">no more</a></p>'
    assert content.text.count(URL) == 1
    other = render(mail('<p><a href="{{ unsubscribe_url }}">x</a></p>', text="Hello"))
    assert f"Unsubscribe: {URL}" in other.text


def test_a_text_message_is_plain_and_has_no_foot() -> None:
    assert render(sms(" Hi {{ contact.first_name }} & co ")) == Content("", None, "Hi Ada & co")
    assert render(sms("Stop: {{ unsubscribe_url }}")).text == f"Stop: {URL}"


def test_everything_that_is_missing_is_named_at_once() -> None:
    node = mail(
        "<p>{{ contact.company }} {{ contact.fields.plan | upper }}</p>", "{{ tenant.name }}"
    )
    for contact in (ADA, ADA | {"company": " ", "fields": {"plan": None}}):
        with pytest.raises(MissingField) as missing:
            render(node, contact, None)
        assert missing.value.names == ["contact.company", "contact.fields.plan", "tenant.name"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ contact.company | default('there') }}", "there"),
        ("{{ contact.company | default('there', true) }}", "there"),
        ("{{ contact.company | d('friend') | upper }}", "FRIEND"),
        ("{% if contact.company %}at {{ contact.company }}{% else %}you{% endif %}", "you"),
        ("{{ contact.company if contact.company is defined else 'none' }}", "none"),
        ("{{ contact.fields['city'] }}/{{ contact.fields.city | lower }}", "London/london"),
        ("{% for one in contact.fields.likes %}{{ one }},{% endfor %}", "tea,3,"),
        ("{{ contact.fields.items }} {{ contact.fields.count ~ 'x' }}", "kept 2x"),
        ("{% set name = contact.first_name %}{{ name | truncate(3) }}{# no #}", "Ada"),
    ],
)
def test_templates_can_do_what_messages_need(source: str, expected: str) -> None:
    fields = {"city": "London", "likes": ["tea", 3, {}], "items": "kept", "count": 2}
    assert templates.problems(source) == []
    assert render(sms(source), ADA | {"fields": fields}).text == expected


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ contact.first_name.format(1) }}",
        "{{ range(1000000) }}",
        "{{ 'x' * 1000000000 }}",
        "{{ '%99999999d' % 1 }}",
        "{{ 2 ** 99999999 }}",
        "{{ contact[contact.first_name] }}",
        "{% for a in contact.fields.x %}{% for b in contact.fields.x %}{% endfor %}{% endfor %}",
        "{% include 'x' %}",
        "{% macro m() %}{{ m() }}{% endmacro %}",
        "{% autoescape false %}{{ contact.first_name }}{% endautoescape %}",
        "{{ contact.first_name | safe }}",
        "{{ contact.first_name | replace('', 'xxxx') }}",
        "{{ contact.first_name | attr('upper') }}",
        "{{ contact.first_name is callable }}",
        "{{ contact",
        "{% if %}",
    ],
)
def test_templates_can_do_no_more_than_that(source: str) -> None:
    assert templates.problems(source)
    with pytest.raises(TemplateProblem):
        render(sms(source))


def test_templates_nest_only_so_deep() -> None:
    condition = "{% if contact.company %}"
    for source in (
        condition * 150 + "{% endif %}" * 150,
        condition + "{% elif contact.company == 'x' %}y" * 3000 + "{% endif %}",
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{{ 1 " + "and 2 " * 5000 + "}}",
    ):
        assert templates.problems(source) == ["too much is nested in this template"]
        with pytest.raises(TemplateProblem):
            render(sms(source))


@pytest.mark.parametrize(
    ("source", "unknown"),
    [
        ("{{ contact.first_name }} {{ contact.fields.anything }} {{ unsubscribe_url }}", []),
        ("{{ frist }} {{ contact.frist_name }}", ["contact.frist_name", "frist"]),
        ("{{ contact }} {{ contact.fields }}", ["contact", "contact.fields"]),
        ("{{ contact['nickname'] | default('x') }}", ["contact.nickname"]),
        (
            "{{ contact.fields.a.b }} {{ sender.credentials }}",
            ["contact.fields.a.b", "sender.credentials"],
        ),
        ("{% for one in contact.fields.x %}{{ one }}{% endfor %}", []),
        ("{% if tenant.plan %}{% endif %}", ["tenant.plan"]),
    ],
)
def test_unknown_fields_are_found_before_anything_is_sent(source: str, unknown: list[str]) -> None:
    assert sorted(templates.unknown_fields(source)) == unknown
    assert len(templates.problems(source)) == len(unknown)


def test_a_message_has_an_end() -> None:
    contact = ADA | {"fields": {"long": "x" * 5000}}
    loop = "{% for one in contact.fields.long %}" + "{{ contact.fields.long }}" + "{% endfor %}"
    with pytest.raises(TemplateProblem, match="more than 200,000 characters"):
        render(mail(loop), contact)
    with pytest.raises(TemplateProblem, match="subject"):
        render(mail("x", "{{ contact.fields.long }}"), contact)


def test_errors_of_a_template_do_not_tell_what_is_known_of_a_contact() -> None:
    with pytest.raises(TemplateProblem) as refused:
        render(sms("{{ contact.first_name < 3 }}"))
    assert "Ada" not in str(refused.value)


@settings(max_examples=60)
@given(st.text(max_size=80), st.text(max_size=40))
def test_whatever_is_written_is_filled_or_refused(source: str, name: str) -> None:
    for node in (mail(source or "x"), mail(f"<p>{source}</p>"), sms(source)):
        try:
            content = render(node, ADA | {"first_name": name})
        except (TemplateProblem, MissingField):
            continue
        assert (content.html is None) == (node.channel == "sms")


@pytest.mark.parametrize("contact", [ADA, {"email": "b@example.org"}])
def test_the_example_can_be_sent_to_anybody(contact: dict[str, Any]) -> None:
    plan = plans.read(examples.welcome())
    contents = [render(node, contact) for node in plan.nodes if node.action == "send"]
    assert all("Ines at Example" in content.text for content in contents)
    assert all(content.html and URL in content.html for content in contents)
    assert (contents[0].subject == "Welcome, Ada") == ("first_name" in contact)


@pytest.mark.parametrize("unended", ["<a ", "<!--", "<!x", "<?x"])
def test_tags_that_do_not_end_are_refused_before_they_take_for_ever(unended: str) -> None:
    body = "<p>Hello</p>" + unended * (180_000 // len(unended))
    started = time.perf_counter()
    assert not is_readable(body)
    with pytest.raises(TemplateProblem, match="do not end"):
        tracked(body, "m")
    assert time.perf_counter() - started < 20
    assert is_readable(f"<p>1 < 2, 3 <4 and 5<6</p>{unended}")
