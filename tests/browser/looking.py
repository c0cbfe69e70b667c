"""Looking at a page as people with different eyes and screens do: pictures, and what axe finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

#: Where the pictures go, to be looked at.
OUTPUT = Path(__file__).parent / "output"
#: Colour scheme, and width of the window in pixels.
BRIEFLY = [("light", 1280), ("dark", 390)]
LOOKS = [*BRIEFLY, ("light", 390), ("dark", 1280)]
#: Of axe's four, those that keep somebody from using a page.
_GRAVE = ("serious", "critical")
# Colours, widths and charts follow a change of the window within two frames.
_SETTLED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def look(page: Page, name: str, looks: Sequence[tuple[str, int]] = LOOKS) -> list[str]:
    """Take a picture of a page in each of `looks`; return what is wrong with them.

    Axe, which takes longer than all the rest, sees the first two: both schemes, both widths.
    """
    wrong = []
    for scheme, width in looks:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.evaluate(_SETTLED)
        page.screenshot(path=OUTPUT / f"{name}-{scheme}-{width}.png", full_page=True)
        found = _overflow(page)
        if (scheme, width) in BRIEFLY:
            found += _violations(page)
        wrong += [f"{name}, {scheme}, {width} px: {one}" for one in found]
    return wrong


def _violations(page: Page) -> list[str]:
    """Return what axe finds that keeps somebody from using a page."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in _GRAVE
        for node in one["nodes"]
    ]


def _overflow(page: Page) -> list[str]:
    """Return whether the page has to be scrolled sideways."""
    pixels = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return [f"{pixels} px too wide"] if pixels > 0 else []
