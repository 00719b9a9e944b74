"""The kill matrix: a flow is recorded once, then stopped before and after each of its calls, and has to come right.

A group is one flow, stopped at every step, in one shop: each step has a case of its own, all of them die, time passes,
and then everything that comes again by itself comes again. So the runs of a group also compete with each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from itertools import cycle
from typing import Any

from infra.local.faults import ANY, Call, Fault, FaultKind, Killed
from tests.faults.books import Books
from tests.faults.coverage import calls_to_the_world
from tests.faults.photograph import Photograph
from tests.faults.shop import NOT_DONE, Case, Shop, kill
from tests.faults.table import PROPERTY
from tests.faults.world import World

Step = Callable[[Shop, Case], object]


def nothing(shop: Shop, case: Case) -> None:
    """What comes again where the schedule alone brings it back."""


def _at_once(shop: Shop) -> None:
    """Most flows can begin when they are prepared."""


@dataclass(frozen=True)
class Flow:
    """One flow: `run` is what is recorded and stopped.

    `prepare` makes a case, `later` lets the time pass that all cases need, and each of `ready` is done for all cases
    before the next. `again` is what comes back from outside by itself: the buyer, SQS or Stripe. `ends` looks at one
    case in the end, `soon` eleven minutes after the program died where all came again at once: nothing may wait for a
    later sweep to mend it (but with two runners one may just have died again). `always_told`: Stripe's event comes,
    however late.

    `whole`: every way to resume is tried; variants of a flow are resumed alone and at once, for the sake of time.
    `in_place`: the run changes nothing that is stored and does as much as there is, so it is recorded in the shop where
    it is stopped, on a few cases.
    """

    name: str
    prepare: Callable[[Shop], Case]
    run: Step
    later: Callable[[Shop], None] = _at_once
    ready: tuple[Step, ...] = ()
    again: Step = nothing
    soon: Step = nothing
    ends: Step = nothing
    always_told: bool = False
    whole: bool = False
    in_place: bool = False


class Mode(Enum):
    """How what was stopped is resumed."""

    ALONE = "alone"
    TWO = "two at a time"
    NO_TOKENS = "tokens removed"


DELAYS = {"at once": timedelta(0), "after 25 hours": timedelta(hours=25), "after 4 days": timedelta(days=4)}
SOON = "at once"
CASES_IN_PLACE = 3


@dataclass(frozen=True)
class Way:
    """One group: a flow and how it is resumed."""

    flow: Flow
    mode: Mode
    delay: str

    def __str__(self) -> str:
        return f"{self.flow.name}, {self.mode.value}, {self.delay}"


def ways(flows: Sequence[Flow]) -> list[Way]:
    """Every group of these flows. A token is good for ten minutes, so without tokens nothing needs to be late."""
    found = []
    for flow in flows:
        alone = DELAYS if flow.whole else (SOON,)
        found += [Way(flow, Mode.ALONE, delay) for delay in alone]
        if flow.whole:
            found += [Way(flow, Mode.TWO, delay) for delay in DELAYS]
            found.append(Way(flow, Mode.NO_TOKENS, SOON))
    return found


Beginning = tuple[Callable[[Shop], Case], Callable[[Shop], None]]
"""How cases are prepared, and the time that passes then."""


@dataclass(frozen=True)
class Begun:
    """A world with cases in it. `at_rest`: nothing waits to be done, so a case may be left alone.

    One that waits would come to an end of its own: after four days without what Stripe had to tell, for one.
    """

    seen: Photograph
    memory: Mapping[str, Any]
    cases: Sequence[Case]
    at_rest: bool

    def serves(self, number: int) -> bool:
        """Whether so many cases can be taken from it."""
        return len(self.cases) == number or (self.at_rest and len(self.cases) > number)


class Beginnings:
    """Worlds with cases in them. Flows that begin alike share one, also where one needs fewer cases than another."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made: dict[Beginning, list[Begun]] = defaultdict(list)

    def shop(self, flow: Flow, number: int, *, tokens: bool = True, two: bool = False) -> tuple[Shop, list[Case]]:
        """A shop in which every case is ready to be stopped."""
        begun = self._begun(flow, number)
        self._world.put_back(begun.seen, tokens=tokens)
        shop, cases = Shop.remembering(begun.memory, self._world, two=two), deepcopy(list(begun.cases[:number]))
        try:
            for step in flow.ready:
                for case in cases:
                    step(shop, case)
        except BaseException:
            shop.close()
            raise
        return shop, cases

    def _begun(self, flow: Flow, number: int) -> Begun:
        made = self._made[flow.prepare, flow.later]
        # What is recorded, or does as much as there is, has to be alone.
        alone = number == 1 or flow.in_place
        fitting = [begun for begun in made if (len(begun.cases) == number if alone else begun.serves(number))]
        if not fitting:
            fitting = [self._make(flow, number)]
            made += fitting
        return min(fitting, key=lambda begun: len(begun.cases))

    def _make(self, flow: Flow, number: int) -> Begun:
        self._world.put_back()
        shop = Shop(self._world)
        try:
            cases = [flow.prepare(shop) for _ in range(number)]
            flow.later(shop)
            return Begun(self._world.photograph(), shop.memory(), cases, shop.at_rest())
        finally:
            shop.close()


class Matrix:
    """The groups that were run, and where the program was stopped in them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._beginnings = Beginnings(world)
        self._steps: dict[str, int] = {}
        self._run: set[str] = set()

    def hold(self, way: Way, record_property: Callable[[str, object], None]) -> None:
        """Run a group and add it to the table. Fails where anything is not right in the end."""
        flow = way.flow
        if flow.name not in self._steps and not flow.in_place:
            self._steps[flow.name] = len(record(self._beginnings, flow))
        self._run.add(str(way))
        stopped = Group(self._world, self._beginnings, way, self._steps.get(flow.name, 0))
        try:
            stopped.run()
        finally:
            record_property(PROPERTY, [flow.name, stopped.steps, stopped.runs, stopped.held])

    def ran_all(self, flows: Sequence[Flow]) -> bool:
        """Whether every group of these flows was run, so that coverage means something."""
        return self._run >= {str(way) for way in ways(flows)}

    def never_stopped(self, rooms: Sequence[str]) -> list[str]:
        """The calls to the world in these rooms of chalicelib/services that no run was stopped at."""
        missing = []
        for (file, first), (last, words) in calls_to_the_world(*rooms).items():
            sides: set[str] = set()
            for line in range(first, last + 1):
                sides |= self._world.seam.stopped_at.get((file, line), set())
            if "after" not in sides:
                missing.append(f"{file} {words}")
        return missing


def record(beginnings: Beginnings, flow: Flow) -> list[Call]:
    """The calls of a clean run."""
    shop, [case] = beginnings.shop(flow, 1)
    try:
        return _recorded(shop, flow, case)
    finally:
        shop.close()


def _recorded(shop: Shop, flow: Flow, case: Case) -> list[Call]:
    with shop.world.seam.life() as life, suppress(*NOT_DONE):
        flow.run(shop, case)
    assert life.calls, f"{flow.name} asks nothing of the world"
    return life.calls


class Group:
    """One flow in one shop, stopped at every step. `steps`, `runs` and `held` are right once it has run."""

    def __init__(self, world: World, beginnings: Beginnings, way: Way, steps: int) -> None:
        self.steps = steps
        self.runs = self.held = 0
        self._world = world
        self._beginnings = beginnings
        self._way = way

    def run(self) -> None:
        """Stop it everywhere, let the time pass, let everything come again, and look."""
        flow = self._way.flow
        number = CASES_IN_PLACE if flow.in_place else len(_plans(self.steps, self._way))
        tokens, two = self._way.mode is not Mode.NO_TOKENS, self._way.mode is Mode.TWO
        shop, cases = self._beginnings.shop(flow, number, tokens=tokens, two=two)
        try:
            self._stop(shop, cases)
            shop.died_at = self._world.clock.now()
            shop.let_pass(DELAYS[self._way.delay])
            self._come_right(shop, cases)
            self._look(shop, cases)
        finally:
            shop.close()
        self.held = self.runs

    def _stop(self, shop: Shop, cases: list[Case]) -> None:
        flow = self._way.flow
        if flow.in_place:
            self.steps = len(_recorded(shop, flow, cases[0]))
        plans = _plans(self.steps, self._way)
        self.runs = len(plans)
        for position, (case, plan) in enumerate(zip(cycle(cases), plans, strict=False)):
            with self._world.seam.life([plan]) as life, suppress(Killed, *NOT_DONE):
                flow.run(shop, case)
            assert life.killed or plan.kind is FaultKind.LOST_REPLY, f"step {position} never came: {life.calls}"
        self._world.sandbox.behave()

    def _come_right(self, shop: Shop, cases: list[Case]) -> None:
        for span in (timedelta(0), timedelta(minutes=11)):
            shop.let_pass(span)
            for case in cases:
                self._way.flow.again(shop, case)
            shop.settle()
        if self._way.delay == SOON and not shop.two:
            for case in cases:
                self._way.flow.soon(shop, case)
        # Long enough for what is abandoned to be closed, and too short for the next period.
        shop.let_pass(timedelta(hours=25))
        shop.two = False
        shop.settle()

    def _look(self, shop: Shop, cases: list[Case]) -> None:
        for case in cases:
            self._way.flow.ends(shop, case)
        told = DELAYS[self._way.delay] < timedelta(days=3) or self._way.flow.always_told
        faults = Books(self._world).faults(deaths_in_a_row=shop.died_again, settled=told)
        assert faults == []


def _plans(steps: int, way: Way) -> list[Fault]:
    nths = range(1, steps + 1)
    after = [kill(nth, after=True) for nth in nths]
    if way.mode is Mode.NO_TOKENS:
        # Who lives on sends a request again, which is what tokens are for.
        return [*after, *(Fault(ANY, ANY, FaultKind.LOST_REPLY, effect=True, nth=nth) for nth in nths)]
    # Between two calls nothing leaves the process, so stopping before a call leaves what stopping after the one before
    # it leaves. Both are done once for each flow that is resumed in every way.
    both = way.flow.whole and way.mode is Mode.ALONE and way.delay == SOON
    return [*(kill(nth, after=False) for nth in (nths if both else [1])), *after]
