"""`python -m tests.races.on_moto`: three of the races on moto's server, some of which must be lost: they have teeth.

DynamoDB never lets two puts of one absent item both win; moto, served to many threads, does. What holds on DynamoDB
Local and breaks here shows that these races can tell. How much breaks is chance, which is why no suite runs this.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Barrier
from typing import Any, Final

from moto.server import ThreadedMotoServer

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import NumberSeries
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.ports import Append, Insert, Update, WriteConflict
from chalicelib.storage.store import DynamoStore
from infra.local.dynamodb_local import DynamoDbLocal
from tests.races.arena import Arena, Floor
from tests.races.at_once import THREADS
from tests.storage.records import customer, event, new_id, new_merchant, series

EACH: Final = 3
"""Numbers that each of the writers takes."""
_PATIENCE_SECONDS: Final = 120

Wrong = str | None
"""What was seen to be wrong, in a few words."""


def put_if_absent(floor: Floor) -> Wrong:
    """Sixteen inserts of one record."""
    merchant = new_merchant()
    record = customer(merchant)
    store = floor.stores[0]

    def insert(number: int) -> bool:
        named = replace(record, name=f"writer {number}")
        return _won(store, Append(event(merchant)), Insert(named))

    won = _everyones(insert)
    stored = store.find(Customer, record.id)
    if won.count(True) != 1:
        return f"{won.count(True)} winners of one insert"
    return None if stored is not None and stored.name == f"writer {won.index(True)}" else "not the winner's record"


def counter(floor: Floor) -> Wrong:
    """Sixteen writers who take numbers of one series."""
    merchant = new_merchant()
    store, name = floor.stores[0], series(merchant).id
    store.commit(new_id("op"), [Insert(series(merchant))])

    def take(number: int) -> list[int]:
        taken: list[int] = []
        for _ in range(EACH * THREADS * 4):
            read = store.get(NumberSeries, name)
            if _won(store, Update(replace(read, last=read.last + 1)), Append(event(merchant))):
                taken.append(read.last + 1)
            if len(taken) == EACH:
                break
        return taken

    said = _everyones(take)
    taken = [number for numbers in said if isinstance(numbers, list) for number in numbers]
    last = store.get(NumberSeries, name).last
    if len(set(taken)) != len(taken):
        return f"{len(taken) - len(set(taken))} of {len(taken)} numbers taken twice"
    if sorted(taken) != list(range(1, EACH * THREADS + 1)):
        return f"{len(taken)} numbers taken, the series says {last}"
    return None


def booking(floor: Floor) -> Wrong:
    """Sixteen buyers on one link."""
    floor.sweep()
    arena = Arena(floor)
    forms = [arena.form(arena.one_time, email=f"buyer{number}@example.com") for number in range(THREADS)]
    said = _everyones(lambda number: arena.press(number, forms[number]).ending)
    numbers = {invoice.number for invoice in arena.all(Invoice)}
    charged = len(arena.charged())
    if (said.count(Ending.PAID), len(numbers), charged) != (THREADS, THREADS, THREADS):
        return f"{charged} charged, {said.count(Ending.PAID)} told so, {len(numbers)} numbers"
    try:
        arena.check()
    except AssertionError as wrong:
        return str(wrong).partition("\n")[0]
    return None


RACES: Final[tuple[tuple[Callable[[Floor], Wrong], int], ...]] = ((put_if_absent, 8), (counter, 4), (booking, 2))
"""Each with how often it is run; moto needs a minute for sixteen bookings."""


def _won(store: DynamoStore, *writes: Any) -> bool:
    try:
        store.commit(new_id("op"), writes)
    except WriteConflict:
        return False
    return True


def _everyones(job: Callable[[int], object]) -> list[object]:
    """What each of sixteen threads said, or its error: an emulator may fail in ways that nobody foresees."""
    start = Barrier(THREADS)

    def run(number: int) -> object:
        start.wait(_PATIENCE_SECONDS)
        return job(number)

    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(run, number) for number in range(THREADS)]
    return [each.exception() or each.result() for each in running]


@contextmanager
def _moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def _dynamodb_local() -> Iterator[str]:
    database = DynamoDbLocal()
    try:
        yield database.start()
    finally:
        database.stop()


def _race(name: str, endpoint: str) -> int:
    """Run everything on one database and print it; how many runs were lost."""
    floor = Floor(endpoint)
    lost = 0
    try:
        for race, runs in RACES:
            seen = [wrong for _ in range(runs) if (wrong := race(floor)) is not None]
            lost += len(seen)
            sys.stdout.write(f"{name:<15} {race.__name__:<14} {runs - len(seen)} of {runs} right")
            sys.stdout.write(f"; the others: {', '.join(sorted(set(seen)))}\n" if seen else "\n")
            sys.stdout.flush()
    finally:
        floor.stop()
    return lost


def main() -> int:
    """0 where moto went red and DynamoDB Local stayed green, which is how it should be."""
    os.environ.update({"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_CONFIG_FILE": os.devnull})
    logging.disable(logging.CRITICAL)
    with _dynamodb_local() as endpoint:
        lost_locally = _race("DynamoDB Local", endpoint)
    with _moto() as endpoint:
        lost_on_moto = _race("moto", endpoint)
    if lost_on_moto and not lost_locally:
        sys.stdout.write(f"Red on moto in {lost_on_moto} of {sum(runs for _, runs in RACES)} runs, as it must be.\n")
        return 0
    sys.stdout.write("Not as it must be: red on moto, green on DynamoDB Local.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
