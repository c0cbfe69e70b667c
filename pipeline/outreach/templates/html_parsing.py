"""HTML that somebody has written, parsed in a time that has an end."""

from __future__ import annotations

from html.parser import HTMLParser

from pipeline.outreach.templates.errors import TemplateProblem

#: For each tag that does not end, html.parser looks through all that follows.
#: https://github.com/python/cpython/issues/135462
_MOST_UNENDED = 20


class BoundedParser(HTMLParser):
    """Raises TemplateProblem for HTML in which too many tags, comments … do not end."""

    _unended = 0

    def parse_starttag(self, i: int) -> int:
        return self._counted(super().parse_starttag(i))

    def parse_endtag(self, i: int) -> int:
        return self._counted(super().parse_endtag(i))

    def parse_comment(self, i: int, report: bool = True) -> int:
        return self._counted(super().parse_comment(i, report))

    def parse_pi(self, i: int) -> int:
        return self._counted(super().parse_pi(i))

    def parse_html_declaration(self, i: int) -> int:
        return self._counted(super().parse_html_declaration(i))

    def _counted(self, end: int) -> int:
        self._unended += end < 0
        if self._unended > _MOST_UNENDED:
            raise TemplateProblem("the HTML has too many tags that do not end")
        return end
