"""Which release of Headrace this is."""

from importlib.metadata import version

RELEASE = version("headrace")
