"""What a row of a file says of a contact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.outreach.contact_fields import KEYS, field_value, plain, require_few
from pipeline.outreach.csv_files import Column
from pipeline.refusals import Refused
from pipeline.stores import Row


@dataclass(slots=True)
class Entry:
    """A row that can be taken: `values` are those of NAMES, `fields` the further ones."""

    row: int
    values: Row = field(default_factory=dict)
    fields: Row = field(default_factory=dict)

    @property
    def keys(self) -> list[tuple[str, str]]:
        """What the contact is known by: name and value."""
        return [(name, self.values[name]) for name in KEYS if name in self.values]


def entry_of(number: int, cells: Sequence[str], columns: Sequence[Column]) -> Entry:
    """Return what a row says; what is empty says nothing.  Raises Refused for the first mistake."""
    if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
        many = f"the row has {len(cells)} values, but there are {len(columns)} columns"
        raise Refused("row", f"{many}; put a value with a delimiter in it into quotation marks")
    found = Entry(number)
    for column, cell in zip(columns, cells, strict=False):
        if not cell or not cell.strip():
            continue
        if column.name:
            value = plain(column.name, cell)
            if value is not None:
                found.values[column.name] = value
        elif column.field:
            found.fields[column.field] = field_value(column.field, cell)
    require_few(len(found.fields))
    if not found.keys:
        raise Refused("email", "the row has no email, phone or external_id")
    return found
