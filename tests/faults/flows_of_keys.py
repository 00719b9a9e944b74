"""What callers of the API set going under an idempotency key, and send again until they have an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.idempotency import KEPT
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.errors import InvalidValue, TillError
from chalicelib.domain.money.amounts import Money
from chalicelib.services.idempotency import Answer, Answering, CallInProgress, Held, begin
from chalicelib.services.links import NewLink, create_link, switch_link
from chalicelib.services.ports import Index
from tests.faults.matrix import Flow
from tests.faults.shop import NOT_DONE, Case, Shop

LINE = LineItem("Print", 1, Money(2_000, "usd"))
Work = Callable[[Held], PaymentLink]


def _name(case: Case) -> str:
    return f"Print of order {case.number}"


def _shown(link: PaymentLink) -> Answer:
    return Answer(201, json.dumps({"id": link.id, "name": link.name, "active": link.active, "v": link.version}))


def _call(shop: Shop, case: Case, body: str, work: Work) -> Answer:
    """One request, as the boundary handles it: what is not done gives nothing back that it may not."""
    held = begin(shop.world.ports, shop.merchant.id, f"order {case.number}", body)
    if isinstance(held, Answer):
        return held
    held.answer_with(Answering(PaymentLink, _shown))
    try:
        return held.finish(_shown(work(held)))
    except (TillError, *NOT_DONE):
        held.let_go()
        raise


def _make(shop: Shop, case: Case, currency: str = "usd") -> Answer:
    new = NewLink(_name(case), currency, (LINE,))
    return _call(shop, case, currency, lambda held: create_link(held.ports, shop.merchant.id, new, actor="api"))


def _switch_on(shop: Shop, case: Case) -> Answer:
    link_id = shop.one_time.id
    return _call(
        shop, case, "on", lambda held: switch_link(held.ports, shop.merchant.id, link_id, on=True, actor="api")
    )


def _caller(shop: Shop) -> Case:
    return shop.buyer(shop.one_time)


def _links(shop: Shop, case: Case) -> list[PaymentLink]:
    found = shop.world.ports.records.newest(PaymentLink, Index.BY_MERCHANT, shop.merchant.id, limit=100)
    return [link for link in found.records if link.name == _name(case)]


def _again(shop: Shop, case: Case) -> None:
    """The caller sends the request again; after a day, when keys are new, only what it does not find there."""

    def again() -> None:
        with suppress(CallInProgress):
            # Told to wait, which the caller does: the next time is eleven minutes later.
            _make(shop, case)

    if shop.world.clock.now() - shop.died_at < KEPT or not _links(shop, case):
        shop.come_again(again)


def _refused(shop: Shop, case: Case) -> None:
    with suppress(InvalidValue):
        _make(shop, case, "xyz")


def _reused(shop: Shop, case: Case) -> bool:
    """The caller sends the corrected request; whether the key still stands for the wrong one."""
    try:
        _again(shop, case)
    except TillError as error:
        return error.code == "idempotency_key_reused"
    return False


def _corrected(shop: Shop, case: Case) -> None:
    """The caller corrects the request; where the key still stands for the wrong one, that is sent once more before."""
    if _reused(shop, case):
        with suppress(CallInProgress):
            _refused(shop, case)
        _reused(shop, case)


def _is_made_once(shop: Shop, case: Case) -> None:
    """There is one link, told of once, and the retry is told of it."""
    seen = shop.world.seen()
    [link] = [each for each in seen.all(PaymentLink) if each.name == _name(case)]
    events = [(each.type, each.object_id) for each in seen.events() if isinstance(each, Event)]
    told = [event for event in events if event == ("payment_link.created", link.id)]
    assert len(told) == 1, f"case {case.number} was told {len(told)} times"


def _told(shop: Shop) -> list[tuple[str, str]]:
    found, _ = shop.world.ports.records.events(shop.merchant.id, limit=100)
    return [(event.type, event.object_id) for event in found]


def _knows(shop: Shop, case: Case) -> None:
    [link] = _links(shop, case)
    answer = _make(shop, case)
    assert json.loads(answer.body) == {"id": link.id, "name": link.name, "active": True, "v": 1}
    assert answer.replayed


def _switched_again(shop: Shop, case: Case) -> None:
    def again() -> None:
        with suppress(CallInProgress):
            _switch_on(shop, case)

    shop.come_again(again)


def _still_on(shop: Shop, case: Case) -> None:
    answer = _switch_on(shop, case)
    assert json.loads(answer.body) == {"id": shop.one_time.id, "name": "Portrait session", "active": True, "v": 1}
    assert [event for event in _told(shop) if event[0] == "payment_link.updated"] == []


FLOWS = (
    Flow("keyed call", _caller, _make, again=_again, soon=_knows, ends=_is_made_once, whole=True),
    Flow("keyed call that is refused", _caller, _refused, again=_corrected, soon=_knows, ends=_is_made_once),
    Flow("keyed call that changes nothing", _caller, _switch_on, again=_switched_again, ends=_still_on),
)
