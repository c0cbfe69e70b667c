"""The graph: ArcadeDB from the `arcadedb-embedded` package, as a JVM of its own, over Bolt.

The package would run it inside this process; a separate one has its own heap,
signals and death, and production has its graph elsewhere too.
"""

from __future__ import annotations

import http.client
import json
import secrets
from base64 import b64encode
from collections.abc import Mapping

from neo4j import GraphDatabase
from neo4j.exceptions import ClientError, DriverError, Neo4jError

from pipeline.embedded.files import private_folder, write_private
from pipeline.embedded.ports import LOOPBACK
from pipeline.embedded.server import NotReady, Server

DATABASE = "headrace"
USER = "root"

_DATABASE_NOT_FOUND = "Neo.ClientError.Database.DatabaseNotFound"


class GraphServer(Server):
    """One database, made over the HTTP API, since Bolt cannot create one here."""

    name = "graph"
    title = "graph database"
    distribution = "arcadedb-embedded"
    instead = "GRAPH_URI to a Neo4j 5, Aura, Memgraph or ArcadeDB over Bolt"
    port_names = ("graph", "graph_http")

    def command(self, ports: Mapping[str, int]) -> list[str]:
        """See Server."""
        java = self.program("arcadedb_embedded", "jre", "bin", "java")
        logs = private_folder(self.folder / "log")
        logging = self.folder / "logging.properties"
        write_private(logging, _LOGGING)
        self._password()
        return [
            str(java),
            *_JVM_OPTIONS,
            f"-Djava.util.logging.config.file={logging}",
            f"-XX:ErrorFile={logs}/crash_%p.log",
            *(f"-Darcadedb.{name}={value}" for name, value in self._options(ports).items()),
            *("-cp", f"{java.parents[2]}/jars/*", "com.arcadedb.server.ArcadeDBServer"),
        ]

    def _options(self, ports: Mapping[str, int]) -> dict[str, object]:
        return {
            "server.rootPath": self.folder,
            "server.logsDirectory": self.folder / "log",
            # A file, since a password among the arguments would show in the process list.
            "server.rootPasswordPath": self.folder / "root.pw",
            # Mode `production` hides the text of every error from the client; its one
            # other difference is set here: flush the journal at each commit.
            "server.mode": "development",
            "txWalFlush": 1,
            "server.httpIncomingHost": LOOPBACK,
            "server.httpIncomingPort": ports["graph_http"],
            "bolt.host": LOOPBACK,
            "bolt.port": ports["graph"],
            "server.plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
            "typeDefaultBuckets": 8,
            "command.timeout": 60_000,
            # A longer message would leave the client waiting for ever.
            "bolt.maxMessageSize": 64 * 1024 * 1024,
            # Must not meet server.defaultDatabases: the second start would fail.
            "server.databaseLoadAtStartup": "false",
        }

    def environment(self) -> dict[str, str]:
        """See Server.  Without a locale Java cannot open a folder whose name is not ASCII."""
        return {**super().environment(), "LC_ALL": "C.UTF-8"}

    def probe(self, ports: Mapping[str, int]) -> None:
        """See Server.  It cannot tell its process, but only this folder's knows the password."""
        self._require_http_ready(ports["graph_http"])
        password = self._password()
        try:
            with GraphDatabase.driver(
                self._uri(ports),
                auth=(USER, password),
                connection_timeout=5,
                max_transaction_retry_time=0,
            ) as driver:
                driver.execute_query("RETURN 1", database_=DATABASE)
        except ClientError as error:
            if error.code != _DATABASE_NOT_FOUND:
                raise NotReady(f"{error.code}") from None
            self._create_database(ports["graph_http"], password)
            raise NotReady("its database was only just created") from None
        except (Neo4jError, DriverError) as error:
            raise NotReady(f"{type(error).__name__}") from None

    def settings(self, ports: Mapping[str, int]) -> dict[str, str]:
        """See Server."""
        return {
            "GRAPH_URI": self._uri(ports),
            "GRAPH_USER": USER,
            "GRAPH_PASSWORD": self._password(),
            "GRAPH_DATABASE": DATABASE,
        }

    @staticmethod
    def _uri(ports: Mapping[str, int]) -> str:
        return f"bolt://{LOOPBACK}:{ports['graph']}"

    def _password(self) -> str:
        """Return the password of this folder, made once."""
        path = self.folder / "root.pw"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24))
        return path.read_text(encoding="utf-8")

    @staticmethod
    def _require_http_ready(port: int) -> None:
        # Bolt listens a second before databases can be used; this endpoint knows.
        status = _http(port, "GET", "/api/v1/ready")
        if status != http.client.NO_CONTENT:
            raise NotReady(f"its ready endpoint answers {status}")

    @staticmethod
    def _create_database(port: int, password: str) -> None:
        command = {"command": f"create database {DATABASE}"}
        status = _http(port, "POST", "/api/v1/server", command, password)
        if status not in (http.client.OK, http.client.CONFLICT):
            raise NotReady(f"creating its database answers {status}")


def _http(
    port: int, method: str, path: str, body: dict[str, str] | None = None, password: str = ""
) -> int:
    """Return the status of one request.  http.client knows no proxies, as it should be here."""
    token = b64encode(f"{USER}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {token}"} if password else {}
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise NotReady(f"{type(error).__name__}") from None
    finally:
        connection.close()


#: To standard output only; its own default also writes files of 100 MB.
_LOGGING = """\
handlers = java.util.logging.ConsoleHandler
.level = INFO
io.undertow.level = WARNING
org.xnio.level = WARNING
org.jboss.level = WARNING
java.util.logging.ConsoleHandler.level = INFO
java.util.logging.ConsoleHandler.formatter = com.arcadedb.log.LogFormatter
"""

_JVM_OPTIONS = (
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:+UseCompactObjectHeaders",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "--add-modules=jdk.incubator.vector",
    "--enable-native-access=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED",
    "--add-opens=java.base/java.nio.channels.spi=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF8",
    "-Dpolyglot.engine.WarnInterpreterOnly=false",
)
