"""The language of templates: Jinja2, as much of it as a message needs.

What is not listed here is not there: no calls, no arithmetic, no ranges, no loops within loops,
no filter that makes much of little.  So a template takes no longer than its length and what is
known of the contact allow, and reaches nothing but that.
https://jinja.palletsprojects.com/en/stable/sandbox/
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from jinja2 import Template, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.outreach.templates.errors import TemplateProblem
from pipeline.outreach.templates.values import Fields, Missing
from pipeline.words import suggestion

#: What a template may name; of contact.fields it may be any.
KNOWN = (
    "contact.first_name", "contact.last_name", "contact.company", "contact.email", "contact.phone",
    "sender.name", "sender.address", "tenant.name", "tenant.postal_address", "unsubscribe_url",
)  # fmt: skip
_FREE = "contact.fields."
_TOO_DEEP = "too much is nested in this template"
_FILTERS = (
    "abs", "capitalize", "d", "default", "e", "escape", "first", "float", "int", "last", "length",
    "lower", "round", "striptags", "title", "trim", "truncate", "upper", "urlencode",
)  # fmt: skip
_TESTS = (
    "!=", "<", "<=", "==", ">", ">=", "defined", "divisibleby", "even", "false", "in", "none",
    "number", "odd", "string", "true", "undefined",
)  # fmt: skip
_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr,
    nodes.Getitem, nodes.Filter, nodes.Test, nodes.If, nodes.CondExpr, nodes.Compare,
    nodes.Operand, nodes.Not, nodes.And, nodes.Or, nodes.Concat, nodes.For, nodes.Assign,
    nodes.List, nodes.Tuple, nodes.Keyword, nodes.Neg,
)  # fmt: skip


class _Language(ImmutableSandboxedEnvironment):
    """Looks up fields by their names alone: {{ contact.fields.items }} is a field too."""

    def getattr(self, obj: object, attribute: str) -> object:
        return self.getitem(obj, attribute)

    def getitem(self, obj: object, argument: object) -> object:
        if isinstance(obj, Fields):
            return obj.get(str(argument))
        return self.undefined(obj=obj, name=str(argument))


def _language(*, autoescape: bool) -> _Language:
    language = _Language(
        autoescape=autoescape,
        undefined=Missing,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    language.globals.clear()
    language.filters = {name: language.filters[name] for name in _FILTERS}
    language.tests = {name: language.tests[name] for name in _TESTS}
    return language


_PLAIN, _HTML = _language(autoescape=False), _language(autoescape=True)


@lru_cache(maxsize=1024)
def compiled(source: str, *, is_html: bool) -> Template:
    """Return a template, ready to be filled.  Raises TemplateProblem."""
    first = next(_unusable(source), None)
    if first:
        raise TemplateProblem(first)
    return _compiled(source, is_html=is_html)


def problems(source: str) -> list[str]:
    """Return what is wrong with a template: its syntax, what it may not do, unknown fields."""
    found = list(_unusable(source))
    unknown = [] if found else unknown_fields(source)
    known = [*KNOWN, f"{_FREE}…"]
    return found + [f"{name} is not known{suggestion(name, known)}" for name in unknown]


def unknown_fields(source: str) -> list[str]:
    """Return the fields that a template names and that no contact can have.

    Raises TemplateProblem if the template cannot be read.
    """
    tree = _parsed(source)
    free = meta.find_undeclared_variables(tree)
    named = dict.fromkeys(name for name in _named(tree) if name.partition(".")[0] in free)
    return [name for name in named if not _is_known(name)]


def _is_known(name: str) -> bool:
    field = name.removeprefix(_FREE)
    return name in KNOWN or (field != name and bool(field) and "." not in field)


def _named(node: nodes.Node) -> Iterator[str]:
    """Yield what a template names, each as far as it goes: contact.fields.city."""
    name = _dotted(node)
    if name:
        yield name
        return
    for child in node.iter_child_nodes():
        yield from _named(child)


def _dotted(node: nodes.Node) -> str:
    """Return the name that a node is; empty if it is none."""
    if isinstance(node, nodes.Name):
        return node.name if node.ctx == "load" else ""
    if isinstance(node, nodes.Getattr):
        inner = _dotted(node.node)
        return f"{inner}.{node.attr}" if inner else ""
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        inner = _dotted(node.node)
        return f"{inner}.{node.arg.value}" if inner else ""
    return ""


def _unusable(source: str) -> Iterator[str]:
    """Yield why a template cannot be used."""
    try:
        found = list(_faults(_parsed(source)))
        if not found:
            _compiled(source, is_html=False)
    except TemplateProblem as problem:
        found = [str(problem)]
    yield from found


def _parsed(source: str) -> nodes.Template:
    try:
        return _PLAIN.parse(source)
    except TemplateSyntaxError as error:
        raise TemplateProblem(f"line {error.lineno}: {error.message}") from None
    except RecursionError:
        raise TemplateProblem(_TOO_DEEP) from None


def _compiled(source: str, *, is_html: bool) -> Template:
    """Return a template without faults as Python runs it, which only nests so deep."""
    try:
        return (_HTML if is_html else _PLAIN).from_string(source)
    except (SyntaxError, RecursionError, MemoryError):
        raise TemplateProblem(_TOO_DEEP) from None


def _faults(tree: nodes.Template) -> Iterator[str]:
    try:
        yield from _forbidden(tree, is_in_loop=False)
        if any(tree.find_all(nodes.Filter)) or any(tree.find_all(nodes.Test)):
            yield from _unknown_helpers(tree)
    except RecursionError:
        yield _TOO_DEEP


def _forbidden(node: nodes.Node, *, is_in_loop: bool) -> Iterator[str]:
    is_loop = isinstance(node, nodes.For)
    if type(node) not in _NODES or (
        isinstance(node, nodes.Getattr | nodes.Getitem) and not _dotted(node)
    ):
        yield f"line {node.lineno}: {type(node).__name__.lower()} is not for messages"
        return
    if is_loop and is_in_loop:
        yield f"line {node.lineno}: a loop within a loop is not for messages"
        return
    for child in node.iter_child_nodes():
        yield from _forbidden(child, is_in_loop=is_in_loop or is_loop)


def _unknown_helpers(tree: nodes.Template) -> Iterator[str]:
    for kind, known in ((nodes.Filter, _FILTERS), (nodes.Test, _TESTS)):
        for node in tree.find_all(kind):
            if node.name not in known:
                what = kind.__name__.lower()
                hint = suggestion(node.name, known)
                yield f"line {node.lineno}: there is no {what} {node.name!r}{hint}"
