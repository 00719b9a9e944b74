"""Many threads that begin together: what each said, or what it raised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")

THREADS = 16
_PATIENCE_SECONDS = 60


def at_once(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """What each job said, each in a thread of its own, all begun together. Raises the first error of any."""
    start = Barrier(len(jobs))

    def run(job: Callable[[], T]) -> T:
        start.wait(_PATIENCE_SECONDS)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        running = [pool.submit(run, job) for job in jobs]
        return [each.result(_PATIENCE_SECONDS) for each in running]


def told(refusal: type[Exception], job: Callable[[], T]) -> Callable[[], T | Exception]:
    """The job, for which being refused in this one way is an answer too."""

    def answer() -> T | Exception:
        try:
            return job()
        except refusal as error:
            return error

    return answer
