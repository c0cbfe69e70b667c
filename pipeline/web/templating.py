"""The Jinja environment of all pages: escaping always on, an unknown name is an error."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from pipeline import words
from pipeline.jobs.redaction import masked
from pipeline.web.paths import segment

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """Return the environment, with the components as `ui`."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "ago": _ago,
        "moment": _moment,
        "duration": words.duration,
        "count": words.number,
        "percent": words.percent,
        "segment": segment,
        "masked": masked,
    }
    made.globals["ui"] = made.get_template("components.html").module
    return made


def compile_all() -> None:
    """Compile every template, which the first visitor would else wait for."""
    for name in environment().list_templates(["html"]):
        environment().get_template(name)


def template(name: str) -> Template:
    """Return a template by its path below `templates/`."""
    return environment().get_template(name)


def render(name: str, **context: Any) -> str:
    """Return a whole page."""
    return template(name).render(context)


def render_block(name: str, block: str, context: dict[str, Any]) -> str:
    """Return one block of a page alone: what changes while somebody looks at it."""
    found = template(name)
    return "".join(found.blocks[block](found.new_context(context)))


def _ago(moment: datetime | None, now: datetime | None = None) -> str:
    return words.age(moment, now or datetime.now(UTC))


def _moment(moment: datetime | None) -> str:
    return "–" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
