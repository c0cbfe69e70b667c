"""Every Cypher text of the projection, for Neo4j 5, Memgraph and ArcadeDB alike.

Labels, types and property names come from the model, everything else is a
parameter.  `$rows` and `$keys` hold no nulls: MERGE with a null key makes a node
without the key in ArcadeDB.  Every node pattern that starts a search has the
user in it.
"""

from __future__ import annotations

from pipeline.projections.graph.model import (
    HUB_LABELS,
    LINKS,
    MOMENTS,
    RECORD_LABELS,
    RELATIONS,
    SHARED_LABELS,
    Relation,
)

#: Rows that one statement links, unlinks or deletes at the most.
CHUNK_ROWS = 2000

#: First statement of every write.  The first SET takes the lock of the node, so that the
#: second one reads what nobody can change any more until this transaction ends.
#: https://neo4j.com/docs/operations-manual/current/database-internals/concurrent-data-access/
FENCE = """
MERGE (u:User {user_id: $user_id, key: $user_id})
SET u.writes = coalesce(u.writes, 0) + 1
WITH u
SET u.fence = CASE WHEN coalesce(u.fence, 0) > $fence THEN u.fence ELSE $fence END
RETURN u.fence AS fence
"""


def _upsert(label: str) -> str:
    """Datetimes travel as text: the driver takes 40 µs to pack one, a server 1 µs to read it."""
    moments = ", ".join(f"n.{name} = datetime(row.moments.{name})" for name in MOMENTS[label])
    return f"""
UNWIND $rows AS row
MERGE (n:{label} {{user_id: $user_id, key: row.key}})
SET n = row.properties
{f"SET {moments}" if moments else ""}
"""


def _ensure(label: str) -> str:
    return f"""
UNWIND $rows AS row
MERGE (n:{label} {{user_id: $user_id, key: row.key}})
ON CREATE SET n += row.properties
"""


def _edges_of(label: str) -> str:
    return f"""
UNWIND $keys AS key
MATCH (n:{label} {{user_id: $user_id, key: key}})-[x]->(m)
RETURN key AS source, type(x) AS type, m.key AS target, properties(x) AS properties
"""


def _connect(relation: Relation) -> str:
    return f"""
UNWIND $rows AS row
MATCH (n:{relation.source} {{user_id: $user_id, key: row.source}})
UNWIND row.edges AS edge
MATCH (m:{relation.target} {{user_id: $user_id, key: edge.target}})
CREATE (n)-[x:{relation.type}]->(m)
SET x = edge.properties
"""


def _disconnect(relation: Relation) -> str:
    return f"""
UNWIND $rows AS row
MATCH (n:{relation.source} {{user_id: $user_id, key: row.source}})-[x:{relation.type}]->(m)
WHERE m.key = row.target
DELETE x
"""


def _adopt(link: Relation) -> str:
    """Link the targets `$keys` to the sources that were there before them."""
    return f"""
UNWIND $keys AS key
MATCH (m:{link.target} {{user_id: $user_id, key: key}})
MATCH (n:{link.source} {{user_id: $user_id, {link.property}: key}})
WHERE NOT EXISTS {{ (n)-[:{link.type}]->(m) }}
WITH n, m LIMIT {CHUNK_ROWS}
CREATE (n)-[:{link.type}]->(m)
RETURN count(*) AS rows
"""


def _release(link: Relation) -> str:
    """Remove the links to the targets `$keys`."""
    return f"""
UNWIND $keys AS key
MATCH (m:{link.target} {{user_id: $user_id, key: key}})<-[x:{link.type}]-()
WITH x LIMIT {CHUNK_ROWS}
DELETE x
RETURN count(*) AS rows
"""


def _delete(label: str) -> str:
    return f"""
UNWIND $keys AS key
MATCH (n:{label} {{user_id: $user_id, key: key}})
DETACH DELETE n
"""


def _drop_lonely(label: str) -> str:
    return f"""
UNWIND $keys AS key
MATCH (n:{label} {{user_id: $user_id, key: key}})
WHERE NOT EXISTS {{ (n)--() }}
DETACH DELETE n
"""


def _erase(label: str) -> str:
    # Neo4j uses its index on (user_id, key) only if the query says something of both.
    return f"""
MATCH (n:{label} {{user_id: $user_id}})
WHERE n.key IS NOT NULL
WITH n LIMIT {CHUNK_ROWS}
DETACH DELETE n
RETURN count(*) AS rows
"""


def _nodes(label: str) -> str:
    return f"""
MATCH (n:{label} {{user_id: $user_id}})
WHERE n.key IS NOT NULL
RETURN n.key AS key, properties(n) AS properties
"""


def _count(label: str) -> str:
    return f"""
MATCH (n:{label} {{user_id: $user_id}})
WHERE n.key IS NOT NULL
RETURN count(n) AS nodes
"""


def _edges(relation: Relation) -> str:
    return f"""
MATCH (n:{relation.source} {{user_id: $user_id}})-[x:{relation.type}]->(m)
WHERE n.key IS NOT NULL
RETURN n.key AS source, m.key AS target, m.user_id AS owner, labels(m) AS labels,
       properties(x) AS properties
"""


UPSERT = {label: _upsert(label) for label in RECORD_LABELS}
ENSURE = {label: _ensure(label) for label in SHARED_LABELS}
EDGES_OF = {label: _edges_of(label) for label in {r.source for r in RELATIONS.values()}}
CONNECT = {relation.type: _connect(relation) for relation in RELATIONS.values()}
DISCONNECT = {relation.type: _disconnect(relation) for relation in RELATIONS.values()}
ADOPT = {link.type: _adopt(link) for link in LINKS}
RELEASE = {link.type: _release(link) for link in LINKS if link.target in HUB_LABELS}
DELETE = {label: _delete(label) for label in RECORD_LABELS}
DROP_LONELY = {label: _drop_lonely(label) for label in SHARED_LABELS}
ERASE = {label: _erase(label) for label in (*RECORD_LABELS, *SHARED_LABELS)}
ERASE_USER = """
MATCH (n:User {user_id: $user_id, key: $user_id})
DETACH DELETE n
"""
NODES = {label: _nodes(label) for label in (*RECORD_LABELS, *SHARED_LABELS)}
COUNT = {label: _count(label) for label in ("User", *RECORD_LABELS, *SHARED_LABELS)}
EDGES = {relation.type: _edges(relation) for relation in RELATIONS.values()}

_TABLES = (
    UPSERT, ENSURE, EDGES_OF, CONNECT, DISCONNECT, ADOPT, RELEASE, DELETE, DROP_LONELY, ERASE,
    NODES, COUNT, EDGES,
)  # fmt: skip
#: Every text there is, for the tests.
ALL = (FENCE, ERASE_USER, *(text for table in _TABLES for text in table.values()))
