"""Reading: the events, a page of the history of a million bets, and all of it as a stream."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks import load, machine, reference
from benchmarks.house import house
from benchmarks.processes import constant, resident_mb
from benchmarks.stored import MILLION, fill
from benchmarks.table import Row, each
from tests import databases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.house import Ground, House

_PIECE = 1 << 20


def events(ground: Ground) -> list[Row]:
    """`GET /events` of 100 events at both services, beside a constant answer of the same bytes."""
    rows = []
    with house(ground, "events") as ours:
        user = next(iter(ours.users.values()))
        for service, at in (("bet-maker", ours.bets), ("line-provider", ours.line)):
            answer = ours.call("GET", f"{at}/events")
            assert len(answer.json()) == 100
            asking = [load.request("GET", f"{at}/events", user)]
            etag = answer.headers["etag"]
            known = [load.request("GET", f"{at}/events", user, "", f"If-None-Match: {etag}")]
            with constant(ground.folder, answer) as other:
                sides = [
                    partial(load.drive, url, requests)
                    for url, requests in ((other, asking), (at, asking), (at, known))
                ]
                rounds = [load.by_turns(ground.seconds, *sides) for _ in range(ground.rounds)]
            bare, whole, short = (
                [load.joined(one) for one in side] for side in zip(*rounds, strict=True)
            )
            of = [one.rate(200) for one in bare]
            for what, outcomes, status, target in (
                (f"GET /events of {service}, of a constant answer", whole, 200, 0.7),
                (f"304 to GET /events of {service}, of a constant whole", short, 304, None),
            ):
                rates = [one.rate(status) for one in outcomes]
                told = f"{each(rates)}; constant {each(of)}"
                ratios = [own / one for own, one in zip(rates, of, strict=True)]
                cpu = load.most_cpu([*outcomes, *bare])
                rows.append(Row(what, ground.engine, ratios, "x", target, detail=told, cpu=cpu))
    return rows


def page(ground: Ground) -> list[Row]:
    """A page of 100 anywhere in a million bets, of the operator's and of a user's own."""
    with house(ground, "page") as ours:
        fill(ours, MILLION, ours.events)
        anywhere = "SELECT bet_id FROM bets ORDER BY random() LIMIT 500"
        asking = [
            load.request("GET", f"{ours.bets}/bets?limit=100&cursor={bet_id}", token)
            for (bet_id,) in databases.execute(ours.database, anywhere)
            for token in (ours.operator, *list(ours.users.values())[:1])
        ]
        load.drive(ours.bets, asking, 1, connections=1)
        outcomes = [
            load.drive(ours.bets, asking, ground.seconds, connections=1)
            for _ in range(ground.rounds)
        ]
        disk = machine.sync_times_ms(ground.folder)["p99"]
    assert all(set(one.counts) == {"200"} for one in outcomes)
    told = f"p50 {median(one.ms(200, 'p50') for one in outcomes):.1f} ms, one after the other"
    figures = [one.ms(200, "p99") for one in outcomes]
    cpu = load.most_cpu(outcomes)
    what = "page of 100 of 1 M bets, p99"
    return [Row(what, ground.engine, figures, "ms", 10.0, False, told, cpu, disk)]


def export(ground: Ground) -> list[Row]:
    """A million bets as NDJSON, beside PostgreSQL's COPY of the same columns."""
    copied, streamed, grown = [], [], []
    with house(ground, "export") as ours:
        fill(ours, MILLION, ours.events)
        for _ in range(ground.rounds):
            if ground.server is not None:
                copied.append(reference.copied(ours.database))
            with _growing(ours.processes["bet-maker"].pid) as most:
                streamed.append(_lines_a_second(ours))
            grown.append(most[0])
    told = f"{each(streamed)}; COPY {each(copied)}" if copied else each(streamed)
    rows = []
    if copied:
        ratios = [own / one for own, one in zip(streamed, copied, strict=True)]
        what = "1 M bets as NDJSON, of COPY"
        rows.append(Row(what, ground.engine, ratios, "x", 0.5, detail=told))
    what = "1 M bets as NDJSON, growth of resident memory"
    return [*rows, Row(what, ground.engine, grown, "MB", 20.0, False, told)]


def _lines_a_second(house: House) -> float:
    """How fast the operator's export comes, all of which does."""
    accept = "Accept: application/x-ndjson"
    request = load.request("GET", f"{house.bets}/bets", house.operator, "", accept)
    parts = urlsplit(house.bets)
    lines, piece = 0, bytearray(_PIECE)
    began = time.perf_counter()
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as sock:
        sock.sendall(request.encode())
        end = b""
        while not end.endswith(b"0\r\n\r\n"):
            size = sock.recv_into(piece)
            assert size, "the export was cut"
            lines += piece.count(b"}\n", 0, size)
            end = (end + bytes(piece[max(0, size - 5) : size]))[-5:]
    assert abs(lines - MILLION) < MILLION / 1000, lines  # but for ends that fell between two pieces
    return lines / (time.perf_counter() - began)


@contextmanager
def _growing(pid: int) -> Iterator[list[float]]:
    """By how many MB the process grows at most, in a list that is filled when the block ends."""
    before, over, seen, result = resident_mb(pid), threading.Event(), [0.0], [0.0]

    def look() -> None:
        while not over.wait(0.05):
            seen.append(resident_mb(pid) - before)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield result
    finally:
        over.set()
        thread.join()
        result[0] = max(seen)
