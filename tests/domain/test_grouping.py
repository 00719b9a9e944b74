"""Which lines become which subscription."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.billing.grouping import Group, Grouping, group_lines, split_due
from chalicelib.domain.billing.recurrence import Frequency, Recurrence, Start, StartType
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.errors import TillError
from chalicelib.domain.money.amounts import Money

MONTHLY = Recurrence(Frequency.MONTHLY)
AGREED = datetime(2027, 1, 31, 20, 30, tzinfo=UTC)
STARTS = [
    Start(),
    Start(StartType.AFTER_DAYS, count=0),
    Start(StartType.AFTER_DAYS, count=7),
    Start(StartType.ON_DATE, on=date(2027, 3, 1)),
]
RECURRENCES = st.builds(
    Recurrence,
    st.sampled_from([Frequency.MONTHLY, Frequency.ANNUALLY]),
    st.sampled_from([None, 12]),
    st.sampled_from(STARTS[:2]),
    st.none(),
)


def line(recurring: Recurrence | None, name: str = "Item") -> LineItem:
    return LineItem(name, 1, Money(1_000, "usd"), recurring=recurring)


def test_lines_with_the_same_terms_are_one_subscription_and_one_time_lines_are_none() -> None:
    yearly = Recurrence(Frequency.ANNUALLY)
    lines = [line(None), line(MONTHLY), line(yearly), line(Recurrence(Frequency.MONTHLY)), line(None)]
    assert group_lines(lines) == Grouping((0, 4), (Group(MONTHLY, (1, 3)), Group(yearly, (2,))))


@pytest.mark.parametrize(
    "other",
    [
        replace(MONTHLY, frequency=Frequency.QUARTERLY),
        replace(MONTHLY, number_of_payments=12),
        replace(MONTHLY, start=Start(StartType.AFTER_DAYS, count=7)),
        replace(MONTHLY, start=Start(StartType.ON_DATE, on=date(2027, 3, 1))),
        replace(MONTHLY, anchor_day=1),
    ],
)
def test_any_difference_in_terms_makes_another_subscription(other: Recurrence) -> None:
    assert group_lines([line(MONTHLY), line(other)]).groups == (Group(MONTHLY, (0,)), Group(other, (1,)))


def test_nothing_groups_to_nothing() -> None:
    assert group_lines([]) == Grouping((), ())


def test_ten_subscriptions_and_two_hundred_lines_are_the_most() -> None:
    terms = [replace(MONTHLY, number_of_payments=number) for number in range(1, 12)]
    assert len(group_lines([line(each) for each in terms[:10]]).groups) == 10
    assert len(group_lines([line(MONTHLY)] * 200).groups[0].positions) == 200
    for lines in ([line(each) for each in terms], [line(MONTHLY)] * 201, [line(None)] * 201):
        with pytest.raises(TillError) as refusal:
            group_lines(lines)
        assert (refusal.value.code, refusal.value.param) == ("limit_reached", "lines")


@given(
    st.lists(st.none() | RECURRENCES, max_size=20).flatmap(
        lambda terms: st.tuples(st.just(terms), st.permutations(range(len(terms))))
    )
)
def test_the_order_of_lines_changes_no_subscription(case: tuple[list[Recurrence | None], list[int]]) -> None:
    terms, order = case
    lines = [line(each, str(number)) for number, each in enumerate(terms)]
    shuffled = [lines[place] for place in order]

    def contents(of: list[LineItem]) -> tuple[set[str], dict[Recurrence, set[str]]]:
        grouping = group_lines(of)
        return {of[place].name for place in grouping.one_time}, {
            group.recurrence: {of[place].name for place in group.positions} for group in grouping.groups
        }

    assert contents(lines) == contents(shuffled)


@given(st.lists(st.none() | RECURRENCES, max_size=20))
def test_every_line_is_in_exactly_one_place(terms: list[Recurrence | None]) -> None:
    grouping = group_lines([line(each) for each in terms])
    places = [*grouping.one_time, *(place for group in grouping.groups for place in group.positions)]
    assert sorted(places) == list(range(len(terms)))
    firsts = [group.positions[0] for group in grouping.groups]
    assert firsts == sorted(firsts)
    assert all(list(group.positions) == sorted(group.positions) for group in grouping.groups)


def test_one_time_lines_and_periods_that_begin_today_are_due_now() -> None:
    terms = [replace(MONTHLY, start=start) for start in STARTS]
    grouping = group_lines([line(terms[3]), line(terms[0]), line(None), line(terms[2]), line(terms[1]), line(terms[0])])
    split = split_due(grouping, agreed_at=AGREED, zone="America/New_York")
    assert split.now == (1, 2, 4, 5)
    assert [group.recurrence for group in split.starting_now] == [terms[0], terms[1]]
    assert [group.recurrence for group in split.starting_later] == [terms[3], terms[2]]
