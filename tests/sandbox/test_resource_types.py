"""Reading the package's annotations from many threads at once, as the first requests of a fresh machine do."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from infra.local.stripe_sandbox import resource_types
from infra.local.stripe_sandbox.resource_types import OBJECTS, FieldKind, fields_of

THREADS = 16


def test_sixteen_threads_that_read_first_all_read_the_same() -> None:
    resource_types._fields.cache_clear()
    resource_types._imports_for_checkers.cache_clear()
    begin = threading.Barrier(THREADS)

    def read(number: int) -> list[dict[str, FieldKind]]:
        begin.wait()
        return [fields_of(resource) for resource in OBJECTS.values()]

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(read, range(THREADS)))
    assert found == [found[0]] * THREADS
    assert all(found[0])
