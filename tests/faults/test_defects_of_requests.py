"""The defects seen in public solutions, tried here: money, times, ids, retries.

Default secrets, and bets of other users, come with users and tokens in issue 5.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from pydantic import ValidationError

from stakeline.bet_maker.settings import Settings as BetMakerSettings
from stakeline.line_provider.settings import Settings as LineProviderSettings
from tests.faults.betting import both_in, offered, passed, persist
from tests.serving import Served, until_known

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Both

shared_loop = pytest.mark.asyncio(loop_scope="module")
JSON = {"Content-Type": "application/json"}
BET = {"event_id": "a", "amount": 1}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    """Both services, shared by tests that each have events of their own."""
    async with both_in(tmp_path_factory.mktemp("shared")) as both:
        yield both


# "money and odds as floats"


@shared_loop
@pytest.mark.parametrize(
    ("amount", "coefficient", "payout"),
    [
        ("0.01", "0.01", "0.00"),
        ("0.50", "1.15", "0.58"),  # floats: 0.57
        ("10.05", "1.50", "15.08"),  # floats: 15.07
        ("1.10", "1.10", "1.21"),  # floats: 1.2100000000000002
        ("8.15", "2.30", "18.75"),  # floats: 18.74
        ("90071992.93", "10000.00", "900719929300.00"),
        ("999999999.99", "10000.00", "9999999999900.00"),
    ],
)
async def test_money_is_exact_to_the_cent(
    shared: Both, amount: str, coefficient: str, payout: str
) -> None:
    """Every digit comes back as it was sent; payouts are rounded half up, not as floats fall."""
    event_id = f"money-{amount}"
    event = f'{{"event_id":"{event_id}","coefficient":{coefficient}}}'
    await shared.line.client.post("/events", content=event, headers=JSON)
    await until_known(shared.bets, event_id)
    body = f'{{"event_id":"{event_id}","amount":{amount}}}'
    placed = await shared.bets.client.post("/bets", content=body, headers=JSON)
    money = f'"amount":{amount},"coefficient":{coefficient},"potential_payout":{payout},'
    assert money in placed.text
    await passed(placed.json()["placed_at"])
    await shared.line.post(f"/events/{event_id}/result", {"status": "WIN"})
    await until_known(shared.bets, event_id, status="WIN")
    settled = (await shared.bets.get(f"/bets?event_id={event_id}")).text
    assert f'{money}"status":"WON","payout":{payout},' in settled


# "negative amounts accepted; 1e9 a 500"


@shared_loop
@pytest.mark.parametrize("amount", ["-1", "-0.01", "0", "1e9", "1000000000", "1E400", "NaN"])
async def test_an_amount_out_of_bounds_is_refused(shared: Both, amount: str) -> None:
    """422, or 400 for what is no JSON; no bet is made."""
    await shared.line.put("/events/bounds", {"coefficient": 1.5})
    await until_known(shared.bets, "bounds")
    body = f'{{"event_id":"bounds","amount":{amount}}}'
    refused = await shared.bets.client.post("/bets", content=body, headers=JSON)
    assert refused.status_code == (400 if amount == "NaN" else 422)
    assert (await shared.bets.get("/bets?event_id=bounds")).json() == []


# "a ...Z deadline a 500; naive local times"


@shared_loop
@pytest.mark.parametrize(
    "deadline",
    ["2090-01-01T00:00:00Z", "2090-01-01t00:00:00z", "2090-01-01T05:30:00.000+05:30", 3786912000],
)
async def test_every_form_of_a_deadline_is_the_same_instant(
    shared: Both, deadline: str | int
) -> None:
    """RFC 3339 with Z or an offset, or unix seconds: shown in UTC."""
    created = await shared.line.post("/events", {"coefficient": 1.5, "deadline": deadline})
    assert created.status_code == 201
    assert created.json()["deadline"] == "2090-01-01T00:00:00Z"


@shared_loop
async def test_a_local_time_without_its_zone_is_refused(shared: Both) -> None:
    """Nobody can tell when it is."""
    body = {"coefficient": 1.5, "deadline": "2090-01-01T00:00:00"}
    assert (await shared.line.post("/events", body)).status_code == 422


# "an empty body stored, after which every read is a 500"


@shared_loop
@pytest.mark.parametrize(("body", "status"), [("", 400), ("{}", 422), ("null", 422), ("[]", 422)])
async def test_an_empty_body_is_not_stored(shared: Both, body: str, status: int) -> None:
    """It is refused, and the lists are read as before."""
    for service, path in ((shared.line, "/events"), (shared.bets, "/bets")):
        before = await service.get(path)
        refused = await service.client.post(path, content=body, headers=JSON)
        assert refused.status_code == status
        after = await service.get(path)
        assert (after.status_code, after.content) == (200, before.content)


# "200 concurrent creates giving 28 distinct ids"


@shared_loop
async def test_200_events_and_200_bets_at_once_have_400_ids(shared: Both) -> None:
    """Every one is there under its own id."""
    await offered(shared, "many")
    for service, path, body, id_name in (
        (shared.line, "/events", {"coefficient": 1.5}, "event_id"),
        (shared.bets, "/bets", BET | {"event_id": "many"}, "bet_id"),
    ):
        create = partial(service.post, path, body)
        async with asyncio.TaskGroup() as group:  # if one fails, none goes on
            tasks = [group.create_task(persist(create)) for _ in range(200)]
        answers = [task.result() for task in tasks]
        made = {answer.json()[id_name] for answer in answers}
        assert {answer.status_code for answer in answers} == {201}
        assert len(made) == 200
        listed = (await service.get(f"{path}?limit=1000")).json()
        assert made <= {thing[id_name] for thing in listed}


# "retries that make second bets"


@shared_loop
async def test_100_retries_at_once_make_one_bet(shared: Both) -> None:
    """All get the same bet, one as its maker, whatever the call they come by."""
    await offered(shared, "once")
    bet, key = BET | {"event_id": "once"}, {"Idempotency-Key": "once"}
    paths = ("/bets", "/bet") * 50
    answers = await asyncio.gather(*(shared.bets.post(path, bet, headers=key) for path in paths))
    assert {answer.status_code for answer in answers} == {201}
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    batch = await shared.bets.post("/bets/batch", {"bets": [bet | {"key": "once"}] * 2})
    ids = {answer.json()["bet_id"] for answer in answers}
    ids |= {result["bet"]["bet_id"] for result in batch.json()["results"]}
    (made,) = (await shared.bets.get("/bets?event_id=once")).json()
    assert ids == {made["bet_id"]}


# "placed bets deleted"


async def test_a_placed_bet_cannot_be_deleted_or_changed(standalone: Served) -> None:
    """No call does it, and no result of its event."""
    placed = (await standalone.post("/bets", BET)).json()
    for path in ("/bets", f"/bets/{placed['bet_id']}", "/events/a"):
        for method in ("DELETE", "PATCH") if path == "/events/a" else ("DELETE", "PATCH", "PUT"):
            refused = await standalone.client.request(method, path, json=BET)
            assert refused.status_code == 405
    for status in ("WIN", "VOID", "LOSE"):
        assert (await standalone.put("/events/a", {"status": status})).status_code == 200
        (bet,) = (await standalone.get("/bets")).json()
        assert bet | {"status": "PENDING", "payout": None} == placed


# "other users' bets visible; unauthenticated status changes; default secrets": there are no users,
# tokens or secrets before issue 5, and so nobody but this machine's user gets at the services.


@pytest.mark.parametrize("kind", [LineProviderSettings, BetMakerSettings])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.com", ""])  # noqa: S104
def test_without_users_only_this_machine_is_listened_to(
    kind: type[LineProviderSettings | BetMakerSettings], host: str
) -> None:
    """Any address that others can reach is a wrong setting."""
    with pytest.raises(ValidationError, match="loopback"):
        kind.model_validate({"host": host, "standalone": True})


@shared_loop
async def test_only_the_operator_call_gives_a_result(shared: Both) -> None:
    """Bet-maker's users cannot, and no other call of line-provider lets a status in."""
    await offered(shared, "guarded")
    refused = await shared.bets.put("/events/guarded", {"status": "WIN"})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_standalone")
    for call in (shared.line.put, shared.line.patch):
        assert (await call("/events/guarded", {"status": "WIN"})).status_code == 422
    for service in (shared.line, shared.bets):
        assert (await service.get("/events/guarded")).json()["status"] == "NEW"
