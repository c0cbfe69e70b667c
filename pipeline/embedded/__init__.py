"""Redis, MongoDB and the graph on this machine, from pip-installed servers.

    with embedded.start(Path(".headrace")) as running:
        os.environ.update(running.settings)

Everything is under one data folder and only on the loopback address:

    redis/ mongodb/ graph/   data, kept across restarts
    ports.json               ports, chosen once
    log/<name>.log           output of each server
    run/                     what runs, and locks

Servers end with the process that started them: by `stop`, and on Linux also when
that process is killed.  Elsewhere, what a killed run has left behind is ended by
the next start.  For one machine and one user: no replication, no TLS, and only
the graph asks for a password.
"""

from pipeline.embedded.lifecycle import DidNotStart
from pipeline.embedded.ports import Ports
from pipeline.embedded.running import ALL, Running, start
from pipeline.embedded.server import FindPackage, package_folder
from pipeline.embedded.supervisor import Child, ChildState, Supervisor

__all__ = [
    "ALL",
    "Child",
    "ChildState",
    "DidNotStart",
    "FindPackage",
    "Ports",
    "Running",
    "Supervisor",
    "package_folder",
    "start",
]
