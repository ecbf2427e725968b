"""Many who change the line at the same time."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.line_provider.calls import created, new_id
from tests.serving import line_provider, patiently, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def items(line: Served) -> list[dict[str, Any]]:
    """The whole feed."""
    found: list[dict[str, Any]] = []
    while True:
        page = (await line.get(f"/feed?after={len(found)}&limit=1000&wait=0")).json()
        found += page["items"]
        if len(found) == page["head"]:
            return found


async def test_a_hundred_writers_leave_no_gap(tmp_path: Path) -> None:
    """A hundred creates at once in two processes are a hundred events, seqs 1 to 100."""
    async with serving(line_provider(tmp_path)) as one, serving(line_provider(tmp_path)) as other:
        answers = await asyncio.gather(
            *(
                patiently(partial(line.post, "/events", {"event_id": f"e{n}", "coefficient": 2}))
                for n, line in enumerate([one, other] * 50)
            )
        )
        assert {answer.status_code for answer in answers} <= {201, 200}  # 200: made before a 503
        assert len({answer.json()["event_id"] for answer in answers}) == 100
        log = await items(one)
        assert [item["seq"] for item in log] == list(range(1, 101))
        times = [item["at"] for item in log]
        assert times == sorted(set(times))
        assert await items(other) == log


async def test_one_id_asked_for_at_once_is_one_event(line: Served) -> None:
    """Of twenty equal creates one makes the event; of twenty that differ, too."""
    event_id = new_id()
    body = {"event_id": event_id, "coefficient": 2}
    answers = await asyncio.gather(*(line.post("/events", body) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 19}
    bodies = [{"event_id": new_id(), "coefficient": 2}] * 20
    answers = await asyncio.gather(
        *(line.post("/events", one | {"name": f"{n}"}) for n, one in enumerate(bodies))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}


async def test_two_operators_never_overwrite_one_another(line: Served) -> None:
    """With If-Match there are as many versions as answers of 200 that changed something."""
    event_id = new_id()
    await created(line, event_id, coefficient=1)

    async def operate(first: int) -> Counter[int]:
        """Fifteen changes, each on the version last read."""
        answers: Counter[int] = Counter()
        for number in range(15):
            event = await patiently(partial(line.get, f"/events/{event_id}"))
            answer = await line.patch(
                f"/events/{event_id}",
                {"coefficient": first + number},
                headers={"If-Match": event.headers["etag"]},
            )
            answers[answer.status_code] += 1
        return answers

    one, other = await asyncio.gather(operate(100), operate(200))
    answers = one + other
    event = (await line.get(f"/events/{event_id}")).json()
    assert answers.keys() <= {200, 412, 503}  # 503: on a slow machine, and made or not
    assert 1 + answers[200] <= event["version"] <= 1 + answers[200] + answers[503]
    history = (await line.get(f"/events/{event_id}/history?limit=1000")).json()
    assert [version["version"] for version in history] == list(range(1, event["version"] + 1))


async def test_of_two_results_at_once_one_counts(line: Served) -> None:
    """Two operators decide differently at the same time: one 200, one `already_decided`."""
    for _ in range(5):
        event_id = new_id()
        await created(line, event_id)
        answers = await asyncio.gather(
            *(
                line.post(f"/events/{event_id}/result", {"status": status})
                for status in ("WIN", "LOSE")
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        (event,) = [answer.json() for answer in answers if answer.is_success]
        assert (await line.get(f"/events/{event_id}")).json() == event
        assert event["version"] == 2
