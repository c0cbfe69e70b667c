"""What messages say: templates of plans, filled with what is known of a contact."""

from __future__ import annotations

from pipeline.outreach.templates.errors import MissingField, TemplateProblem
from pipeline.outreach.templates.language import problems, unknown_fields
from pipeline.outreach.templates.rendering import Content, is_readable, render
from pipeline.outreach.templates.values import values_of

__all__ = [
    "Content",
    "MissingField",
    "TemplateProblem",
    "is_readable",
    "problems",
    "render",
    "unknown_fields",
    "values_of",
]
