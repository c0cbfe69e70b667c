"""Why a message cannot be written."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.errors import Permanent


class MissingField(Permanent):
    """A template names what is not known of this contact; `names` are all of them."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = sorted(set(names))
        super().__init__(
            f"nothing is known for {', '.join(self.names)}; "
            "fill it in, or give the template a default"
        )


class TemplateProblem(Permanent):
    """A template cannot be filled, whoever the contact is."""
