"""A store of the tests' own, beside those of the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from own_redis import OwnRedis


@pytest.fixture(scope="session")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    """A Redis that tests may break, for they mend it again."""
    redis = OwnRedis(tmp_path_factory.mktemp("own_redis"))
    yield redis
    redis.close()
