"""The components: what is passed in stays text, and nothing in them needs a looser policy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.web.access import Principal, Role
from pipeline.web.templating import TEMPLATES, environment, render

STATIC = TEMPLATES.parent / "static"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LAYOUT = {"title": "Workers", "csrf": "token", "nav": "workers", "live_url": "", "now": NOW}


@dataclass
class Viewing:
    """As much of a visit as components need."""

    principal: Principal


@dataclass
class Piece:
    """A part of a page whose store is down."""

    value: object
    error: str
    as_of: datetime = NOW


class Reader(HTMLParser):
    """Notes every element with the names of its attributes, the values, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.values: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "wbr":  # where text may break, so how many there are is up to the text
            self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.values += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def visit(role: Role = "admin") -> Viewing:
    return Viewing(Principal("ada", role))


def within(call: str, **context: Any) -> str:
    """Render a component that takes content, with `text` as its content."""
    source = f"{{% call {call} %}}{{{{ text }}}}{{% endcall %}}"
    return environment().from_string(source).render(visit=visit(), **context)


def written(expression: str, **context: Any) -> str:
    given = {"visit": visit(), "now": NOW, "down": Piece(None, "down"), **context}
    return environment().from_string(f"{{{{ {expression} }}}}").render(given)


#: Every component, with `text` wherever it takes text of others.
SAMPLES: dict[str, Callable[[str], str]] = {
    name: (lambda text, call=call: written(call, text=text))
    for name, call in {
        "icon": "ui.icon(text)",
        "empty": "ui.empty(text, text)",
        "notice": "ui.notice(text, 'warn')",
        "stat": "ui.stat(text, text, text, 'bad', text)",
        "breakable": "ui.breakable(text)",
        "badge": "ui.badge(text, 'ok', text)",
        "state": "ui.state(text, text)",
        "ago": "ui.ago(none, text) ~ ui.ago(now)",
        "moment": "ui.moment(none, text) ~ ui.moment(now)",
        "duration": "ui.duration(0.2) ~ ui.duration(3) ~ ui.duration(99) ~ ui.duration(none)",
        "count": "ui.count(12345) ~ ui.count(none)",
        "code": "ui.code(text, text)",
        "value": "ui.value(text)",
        "copy": "ui.copy(text, text)",
        "facts": "ui.facts([(text, text), (text, ui.badge(text))])",
        "tabs": "ui.tabs([{'label': text, 'href': text, 'current': true, 'count': 3, "
        "'kind': 'bad'}, {'label': text, 'href': text}], text)",
        "pager": "ui.pager(text, text, 3, 9, text)",
        "search": "ui.search(text, text, [(text, text)], {text: text})",
        "timeline": "ui.timeline([{'at': now, 'title': text, 'text': text, 'kind': 'ok'}])",
        "bar": "ui.bar([{'label': text, 'value': 3, 'kind': 'ok', 'href': text}], text, true)",
        "meter": "ui.meter(99, 100, text, '', text) ~ ui.meter(1, 0, text)",
        "progress": "ui.progress(3, 9, text, text) ~ ui.progress(none, 0, text)",
        "sparkline": "ui.sparkline([1, none, 2], text, 'seconds')",
        "chart": "ui.chart([1, 2], [{'label': text, 'values': [1, none]}], text, '', text)",
        "action": "ui.action(text, text, visit, 'admin', {text: text}, text, true)",
        "ask": "ui.ask(text, text, visit, 'admin', text, text, [{'name': text, 'label': text}], "
        "text, text, true, false, {text: text}, text)",
        "link": "ui.link(text, text)",
        "check": "ui.check(text, text)",
        "check_all": "ui.check_all()",
        "bulk": "ui.bulk([{'label': text, 'url': text, 'confirm': text}, {'label': text, "
        "'url': text, 'text': text, 'fields': [{'name': text, 'label': text}]}], visit, text, 9, "
        "{text: text})",
        "field": "ui.field(text, text, 'text', text, text, true, [], text, text, 1, 2)"
        "~ ui.field(text, text, 'select', text, options=[(text, text)])"
        "~ ui.field(text, text, 'textarea', text) ~ ui.field(text, text, 'checkbox')",
    }.items()
} | {
    name: (lambda text, call=call: within(call, text=text))
    for name, call in {
        "heading": "ui.heading(text, text, text, text)",
        "card": "ui.card(text, text, text, ui.badge(text), 'bad', text)",
        "table": "ui.table([text, {'label': text, 'number': true, 'hint': text, 'href': text, "
        "'sorted': 'ascending'}, {'label': text, 'hidden': true}], text)",
        "row": "ui.row(text, text, 'bad')",
        "more": "ui.more(text, text)",
        "menu": "ui.menu(text, text)",
    }.items()
}
SAMPLES["part_notice"] = lambda text: (
    written("ui.part_notice(down)", down=Piece(None, text))
    + written("ui.part_notice(down)", down=Piece(1, text))
)

hostile = st.one_of(
    st.text(st.sampled_from("<>\"'&/=`{}%$;:()- x"), min_size=1, max_size=12),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "'\"><img src=x onerror=alert(1)>",
            "' hx-get='/x' hx-trigger='load",
            "</textarea></title><svg onload=alert(1)>",
            "{{ 7 * 7 }}",
            "-->]]>",
        ]
    ),
)


def test_every_component_is_tried_here() -> None:
    module = environment().get_template("components.html").module
    public = {name for name in vars(module) if name.islower() and not name.startswith("_")}
    assert public == SAMPLES.keys()


@pytest.mark.parametrize("name", sorted(SAMPLES))
@settings(deadline=None, max_examples=25)  # the first one compiles the template
@given(text=hostile)
def test_text_that_is_passed_in_never_becomes_markup(name: str, text: str) -> None:
    assert Reader(SAMPLES[name](text)).elements == Reader(SAMPLES[name]("x")).elements


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_text_that_is_passed_in_is_not_run_as_a_template(name: str) -> None:
    assert "49" not in SAMPLES[name]("{{ 7 * 7 }}")


@pytest.mark.parametrize("name", [*sorted(SAMPLES), "layout.html", "plain.html", "error.html"])
def test_no_style_no_script_and_no_handler_is_inline(name: str) -> None:
    html = whole_page(name) if name.endswith(".html") else SAMPLES[name]("x")
    reader = Reader(html)
    assert [tag for tag, _ in reader.elements if tag == "style"] == []
    assert [e for e in reader.elements if e[0] == "script" and "src" not in e[1]] == []
    assert [n for _, n, _ in reader.values if n == "style" or n.startswith(("on", "hx-on"))] == []
    assert [v for _, _, v in reader.values if v.lower().startswith(("javascript:", "js:"))] == []


def whole_page(name: str) -> str:
    person = {"principal": Principal("ada", "viewer"), "flash": {"kind": "ok", "text": "Done."}}
    return render(name, **LAYOUT, **person, status=404, text="There is no such job.")


def test_everything_that_a_page_loads_is_our_own_and_is_there() -> None:
    loaded = [
        value
        for tag, name, value in Reader(whole_page("layout.html")).values
        if (tag, name) in {("script", "src"), ("link", "href"), ("use", "href")}
    ]
    assert loaded
    for address in loaded:
        assert address.startswith("/static/")
        assert (STATIC / address.removeprefix("/static/").partition("#")[0]).is_file()


def test_every_icon_that_is_named_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="(\w+)"', (STATIC / "icons.svg").read_text()))
    sources = [path.read_text() for path in TEMPLATES.rglob("*.html")]
    named = {
        name for source in sources for name in re.findall(r'(?:\bicon\(|icon_name=)"(\w+)"', source)
    }
    components = environment().get_template("components.html").module
    pages = {"overview", "jobs", "users", "audit", "settings", "ascending", "descending"}
    assert named | set(vars(components)["KIND_ICONS"].values()) | pages <= drawn


@pytest.mark.parametrize("call", ["action", "ask", "bulk"])
def test_an_action_beyond_the_role_leaves_nothing_in_the_page(call: str) -> None:
    calls = {
        "action": "ui.action('Erase', '/erase', visit, 'admin')",
        "ask": "ui.ask('Erase', '/erase', visit, 'admin', typed='ada')",
        "bulk": "ui.bulk([{'label': 'Erase', 'url': '/erase', 'role': 'admin'}], visit)",
    }
    assert "/erase" in written(calls[call])
    assert written(calls[call], visit=visit("operator")).strip() == ""


def test_bulk_shows_the_actions_that_the_role_allows_and_no_others() -> None:
    actions = "[{'label': 'Run', 'url': '/run'}, {'label': 'Erase', 'url': '/e', 'role': 'admin'}]"
    html = written(f"ui.bulk({actions}, visit)", visit=visit("operator"))
    assert "/run" in html
    assert "Erase" not in html


def test_every_field_of_a_dialog_has_a_label() -> None:
    fields = (
        "[{'name': 'why', 'label': 'Why'}, {'name': 'dry', 'label': 'Dry', 'kind': 'checkbox'}]"
    )
    reader = Reader(written(f"ui.ask('Erase', '/erase', visit, fields={fields}, typed='ada')"))
    labelled = {value for tag, name, value in reader.values if (tag, name) == ("label", "for")}
    inputs = {value for tag, name, value in reader.values if (tag, name) == ("input", "id")}
    assert len(inputs) == 3
    assert inputs == labelled


def test_a_time_without_a_zone_is_told_to_the_browser_as_utc() -> None:
    naive = NOW.replace(tzinfo=None)
    assert 'datetime="2026-05-04T12:00:00Z"' in written("ui.moment(naive)", naive=naive)


def test_a_bar_is_as_wide_as_its_parts_together() -> None:
    parts = [{"label": str(n), "value": n, "kind": "ok"} for n in (0, 1, 7, 100_000)]
    html = written("ui.bar(parts, 'Jobs')", parts=parts)
    widths = [float(value) for value in re.findall(r'width="([\d.]+)"', html)]
    assert len(widths) == 3
    assert sum(widths) == pytest.approx(100, abs=0.01)


def test_a_limit_that_is_exceeded_fills_its_gauge_and_no_more() -> None:
    html = written("ui.meter(150, 100, 'Units')")
    assert 'aria-valuenow="100.0"' in html
    assert "is-bad" in html


def test_a_chart_tells_in_words_what_it_draws() -> None:
    html = written(
        "ui.chart([1, 2, 3], [{'label': 'p95', 'values': [4, none, 2]}], 'Wait', 'seconds')"
    )
    assert "p95 now 2.0 s, at most 4.0 s" in Reader(html).text
    assert "no data" in Reader(written("ui.sparkline([none], 'Jobs')")).values[-2][2]


def test_the_vendored_scripts_are_those_that_the_readme_names() -> None:
    readme = (STATIC / "vendor" / "README.txt").read_text()
    named = dict(re.findall(r"^([0-9a-f]{64})  (\S+)$", readme, re.MULTILINE))
    files = [p for p in (STATIC / "vendor").iterdir() if p.suffix in {".js", ".css"}]
    found = {hashlib.sha256(path.read_bytes()).hexdigest(): path.name for path in files}
    assert found == named
