"""What an embedded server is, and the folders and files that belong to one."""

from __future__ import annotations

import os
import platform
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import ClassVar

from pipeline.embedded.files import private_folder
from pipeline.errors import Misconfigured

#: Returns the folder of an installed package without importing it, or None.
FindPackage = Callable[[str], Path | None]

#: All that a server sees of our environment: never our keys and secrets, and no
#: locale, since mongod ends at once if the one that is set is not installed.
_ENVIRONMENT = ("HOME", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "USER")


class NotReady(Exception):
    """The server does not answer, or not yet; the text says how."""


class Server(ABC):
    """One kind of server in one data folder.  Holds no process: see lifecycle.py."""

    name: ClassVar[str]
    title: ClassVar[str]
    #: The pip package that brings the program.
    distribution: ClassVar[str]
    #: What a person can do who has no such package, as "SETTING to …".
    instead: ClassVar[str]
    #: Names in ports.json of the ports that it listens on.
    port_names: ClassVar[tuple[str, ...]]

    def __init__(self, data_dir: Path, find_package: FindPackage) -> None:
        self.data_dir = data_dir
        self._find_package = find_package

    @abstractmethod
    def command(self, ports: Mapping[str, int]) -> list[str]:
        """Return program and arguments, writing what they need to be there.

        Raises Misconfigured if this machine lacks the program.
        """

    @abstractmethod
    def probe(self, ports: Mapping[str, int]) -> int | None:
        """Return the id of the process that answered a real query, None if it cannot tell.

        Completes a first start or one on new ports: creates what clients rely on.
        Raises NotReady if there is no answer, or it is not the one that clients need.
        """

    @abstractmethod
    def settings(self, ports: Mapping[str, int]) -> dict[str, str]:
        """Return the settings with which clients reach it."""

    @property
    def folder(self) -> Path:
        """Where its data is."""
        return self.data_dir / self.name

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.data_dir / "log" / f"{self.name}.log"

    @property
    def record(self) -> Path:
        """Where its process, ports and starter are noted while it runs."""
        return self.data_dir / "run" / f"{self.name}.json"

    @property
    def lock(self) -> Path:
        """A file that is locked while a server process uses the folder."""
        return self.data_dir / "run" / f"{self.name}.lock"

    @property
    def ready_marker(self) -> Path:
        """A file that says that the folder once belonged to a server that was ready."""
        return self.folder / ".ready"

    def prepare(self) -> None:
        """Create its folders."""
        for folder in (self.data_dir, self.folder, self.log.parent, self.record.parent):
            private_folder(folder)

    def environment(self) -> dict[str, str]:
        """Return the environment of its process."""
        return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}

    def program(self, package: str, *path: str) -> Path:
        """Return the program at `path` in `package`; raise Misconfigured if it is not there."""
        found = self._find_package(package)
        if found is None or not (found.joinpath(*path)).is_file():
            raise Misconfigured(f"{self._absent()}: set {self.instead}.")
        return found.joinpath(*path)

    def _absent(self) -> str:
        return (
            f"No embedded {self.title} for {platform.system()}/{platform.machine()} "
            f"in this Python (looked for the package {self.distribution})"
        )


def package_folder(package: str) -> Path | None:
    """Return the folder of an installed package, found without running its code or its parent's."""
    locations: Sequence[str] | None = None  # stands for sys.path
    parts = package.split(".")
    for depth in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:depth]), locations)
        if spec is None or not spec.submodule_search_locations:
            return None
        locations = list(spec.submodule_search_locations)
    return Path(locations[0]) if locations else None
