"""Placing bets: how many a second, how soon, all on one event, by several processes, too many."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import load, machine, reference
from benchmarks.house import EVENTS, house
from benchmarks.processes import constant, cpu_s
from benchmarks.table import Row, each
from tests import cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.house import Ground, House
    from benchmarks.load import Outcome

WARM_S = 1.0


def bets(ground: Ground) -> list[Row]:
    """`POST /bets` on 64 connections: beside pgbench's single rows, and a constant answer."""
    with house(ground, "bets") as ours, ExitStack() as stack:
        answer = ours.call(
            "POST",
            f"{ours.bets}/bets",
            {"event_id": ours.events[0], "amount": 10.5, "coefficient": 1.95},
            **{"Idempotency-Key": "the-first"},
        )
        bare = stack.enter_context(constant(ground.folder, answer))
        place(ours, WARM_S)
        constants, singles, outcomes, used_s = [], [], [], 0.0

        def own(seconds: float) -> Outcome:
            nonlocal used_s
            used_s -= cpu_s(ours.processes["bet-maker"].pid)
            outcome = place(ours, seconds)
            used_s += cpu_s(ours.processes["bet-maker"].pid)
            return outcome

        sides = own, partial(load.drive, bare, ours.placing(), connections=ours.connections)
        for _ in range(ground.rounds):
            before = load.by_turns(ground.seconds / 2, *sides)
            if ground.server is not None:
                singles.append(reference.single_rows(ours, ground.folder, ground.seconds))
            after = load.by_turns(ground.seconds / 2, *sides)
            own_ones, bare_ones = (load.joined(a + b) for a, b in zip(before, after, strict=True))
            outcomes.append(own_ones)
            constants.append(bare_ones)
    rates = [one.rate(201) for one in outcomes]
    own_us = used_s / sum(one.counts["201"] for one in outcomes) * 1_000_000
    bare_rates = [one.rate(201) for one in constants]
    cpu = load.most_cpu([*outcomes, *constants])
    words_of_own = told(f"{each(rates)}, {own_us:.0f} us of bet-maker's CPU a bet", outcomes)
    rows = []
    if singles:
        ratios = [rate / single for rate, single in zip(rates, singles, strict=True)]
        words = f"{words_of_own}; pgbench {each(singles)}"
        what = "POST /bets, of pgbench's single rows"
        rows.append(Row(what, ground.engine, ratios, "x", 1.0, detail=words, cpu=cpu))
    ratios = [rate / one for rate, one in zip(rates, bare_rates, strict=True)]
    words = f"{words_of_own}; constant {each(bare_rates)}"
    target = None if singles else 0.5
    what = "POST /bets, of a constant 201"
    rows.append(Row(what, ground.engine, ratios, "x", target, detail=words, cpu=cpu))
    return rows


def latency(ground: Ground) -> list[Row]:
    """How soon bets are answered at half of what is possible, from when each was due."""
    with house(ground, "latency") as ours:
        place(ours, WARM_S)
        rate = place(ours, ground.seconds).rate(201) / 2
        outcomes, disks = [], []
        for _ in range(ground.rounds):
            disks.append(machine.sync_times_ms(ground.folder)["p99"])
            outcomes.append(place(ours, ground.seconds, rate=rate))
    cpu, disk = load.most_cpu(outcomes), median(disks)
    worst = max(one.ms(201, "max") for one in outcomes)
    words = told(f"at {rate:,.0f}/s, worst {worst:.0f} ms", outcomes)
    return [
        Row(
            f"latency at half load, {name}",
            ground.engine,
            [one.ms(201, name) for one in outcomes],
            *("ms", target, False, words, cpu, disk),
        )
        for name, target in (("p50", 5.0), ("p99", 25.0))
    ]


def hot(ground: Ground) -> list[Row]:
    """All bets on one event, beside bets on 100."""
    with house(ground, "hot") as ours:
        place(ours, WARM_S)
        outcomes = pairs(ground, partial(place, ours), partial(place, ours, events=1))
    return [beside(ground, "all bets on one event, of bets on 100", 0.9, outcomes)]


def workers(ground: Ground) -> list[Row]:
    """Two processes beside one; and every bet that was taken is there, once."""
    with (
        house(ground, "workers-1") as one,
        house(ground, "workers-2", "--workers", "2") as two,
    ):
        place(one, WARM_S)
        warm = place(two, WARM_S)
        outcomes = pairs(ground, partial(place, one), partial(place, two))
        all_of_two = [warm, *(of_two for _, of_two in outcomes)]
        taken = sum(run.counts["201"] for run in all_of_two)
        unknown = sum(run.counts.get("503", 0) for run in all_of_two)
        counts = "SELECT count(*), count(DISTINCT (user_id, key)) FROM bets"
        ((stored, distinct),) = cluster.execute(two.database, counts)
    words = told(f"{taken:,} taken, {stored:,} stored, {distinct:,} distinct", all_of_two)
    # What was answered 503 may be there, once, or not.
    wrong = float(max(taken - stored, 0, stored - taken - unknown) + stored - distinct)
    what = "bets lost or doubled by --workers 2"
    return [
        beside(ground, "POST /bets with --workers 2, of one", 1.0, outcomes),
        Row(what, ground.engine, [wrong], "bets", 0.0, False, words),
    ]


def pairs(
    ground: Ground, first: Callable[[float], Outcome], second: Callable[[float], Outcome]
) -> list[tuple[Outcome, Outcome]]:
    """What came of both in each round, by turns."""
    rounds = (load.by_turns(ground.seconds, first, second) for _ in range(ground.rounds))
    return [(load.joined(one), load.joined(other)) for one, other in rounds]


def beside(ground: Ground, what: str, target: float, pairs: list[tuple[Outcome, Outcome]]) -> Row:
    """The row of the second ones' rates, of the first ones'."""
    first, second = ([one.rate(201) for one in side] for side in zip(*pairs, strict=True))
    ratios = [own / one for one, own in zip(first, second, strict=True)]
    words = told(f"{each(second)}; beside {each(first)}", [own for _, own in pairs])
    cpu = load.most_cpu(one for pair in pairs for one in pair)
    return Row(what, ground.engine, ratios, "x", target, detail=words, cpu=cpu)


def place(house: House, seconds: float, *, rate: float = 0, events: int = EVENTS) -> Outcome:
    """Place bets; 503 is the one other answer that there may be, and `told` tells of it."""
    requests = house.placing(events)
    outcome = load.drive(house.bets, requests, seconds, house.connections, rate=rate)
    assert set(outcome.counts) <= {"201", "503"}, outcome.counts
    return outcome


def told(words: str, outcomes: Iterable[Outcome]) -> str:
    """The words, and how many bets were told to come again, if any were."""
    count = sum(one.counts.get("503", 0) for one in outcomes)
    return f"{words}; {count:,} answered 503" if count else words
