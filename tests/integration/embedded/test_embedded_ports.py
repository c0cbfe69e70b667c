"""Ports are chosen once and kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from embedded_helpers import listening_on

from pipeline.embedded import Ports


def test_a_port_is_remembered_by_name(tmp_path: Path) -> None:
    first = Ports(tmp_path)
    chosen = {name: first.port_for(name) for name in ("sandbox", "worker_metrics")}
    assert len(set(chosen.values())) == 2
    second = Ports(tmp_path)
    assert {name: second.port_for(name) for name in chosen} == chosen


def test_the_answer_stays_the_same_once_the_port_is_in_use(tmp_path: Path) -> None:
    ports = Ports(tmp_path)
    with listening_on(ports.port_for("sandbox")):
        assert ports.port_for("sandbox") == ports.remembered("sandbox")
        assert Ports(tmp_path).remembered("sandbox") == ports.port_for("sandbox")


def test_a_port_that_was_never_chosen_is_not_remembered(tmp_path: Path) -> None:
    assert Ports(tmp_path / "absent").remembered("sandbox") is None


def test_an_occupied_port_is_replaced_for_good(tmp_path: Path) -> None:
    old = Ports(tmp_path).port_for("sandbox")
    with listening_on(old):
        new = Ports(tmp_path).port_for("sandbox")
    assert new != old
    assert Ports(tmp_path).port_for("sandbox") == new


def test_ports_that_are_chosen_at_once_are_all_remembered(tmp_path: Path) -> None:
    names = [f"name-{number}" for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        chosen = list(pool.map(lambda name: Ports(tmp_path).port_for(name), names))
    assert len(set(chosen)) == len(names)
    assert [Ports(tmp_path).remembered(name) for name in names] == chosen
