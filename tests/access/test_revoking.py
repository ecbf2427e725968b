"""A token that is revoked is of no use from then on: for reads, bets, batches, exports."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from stakeline.auth import Principal
from stakeline.bet_maker import acceptance, bets, users
from stakeline.bet_maker.limits import Limits
from stakeline.bet_maker.tables import users as table
from stakeline.errors import Unauthenticated
from tests.access.house import BETS, PASSWORD, bearer
from tests.bet_maker.calls import new_id, placed, refused
from tests.bet_maker.replica import NOW, Replica, asked, event, item, open_replica
from tests.processes import Service, insist, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2

    from tests.access.house import House

CLIENTS = 64
ROUNDS = 4
TERMS: dict[str, dict[str, Any] | None] = {
    "password": {"password": "eleven otters in the rain"},
    "role": {"role": "operator"},
    "inactive": {"active": False},
    "removal": None,
}


async def revoke(operator: httpx2.AsyncClient, user_id: str, terms: dict[str, Any] | None) -> None:
    """Change the user, or remove them."""
    method = "DELETE" if terms is None else "PATCH"
    answer = await insist(lambda: operator.request(method, f"/users/{user_id}", json=terms))
    assert answer.is_success, answer.text


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("way", TERMS)
async def test_a_revoked_token_is_nobodys(lone: House, way: str) -> None:
    """At the next request, whatever it asks for; a new token is as good as ever."""
    user, operator = await lone.user(), await lone.first()
    event_id, key = new_id(), {"Idempotency-Key": "once"}
    bet = {"event_id": event_id, "amount": 10}
    made = await user.bets.post("/bets", bet, headers=key)
    assert made.status_code == 201
    await revoke(operator.bets.client, user.user_id, TERMS[way])
    made_here = f"/bets/{made.json()['bet_id']}"
    events = ("/events", "/events?limit=0", "/events/", "/events/?limit=0", "/events/?cursor=zq7x")
    for path in ("/bets", made_here, *events, "/users/me", "/bets/zq7x"):
        for accept in ("application/json", "application/x-ndjson", "text/csv"):
            answer = await user.bets.get(path, headers={"Accept": accept})
            refused(answer, 401, "unauthenticated")
    bad = {"event_id": event_id, "amount": "zq7x"}
    for path, body in (
        ("/bets", bet),
        ("/bet", bet),
        ("/bets", bad),
        ("/bets", bet | {"event_id": new_id()}),
        ("/bets/batch", {"bets": [bet] * 3}),
        ("/bets/batch", {"bets": [bad, bet]}),
        ("/bets/batch", {"bets": [bad]}),
        ("/bets/batch", {"bets": bad}),
    ):
        for headers in ({}, key):  # nor does a replay show what was placed
            answer = await user.bets.post(path, body, headers=headers)
            refused(answer, 401, "unauthenticated")
    seen = (await operator.bets.get(f"/bets?user={user.user_id}")).json()
    assert [one["bet_id"] for one in seen] == [made.json()["bet_id"]]
    if way in {"password", "role"}:
        password = (TERMS[way] or {}).get("password", PASSWORD)
        await placed((await lone.log_in(user.username, password)).bets, event_id)


@pytest.mark.asyncio(loop_scope="module")
async def test_who_asks_together_is_judged_apart(lone: House) -> None:
    """Users are looked up together; each is let in, or not, by their own token."""
    operator = await lone.first()
    good, revoked = await lone.user(), await lone.user()
    await revoke(operator.bets.client, revoked.user_id, {"active": False})
    both = [revoked.bets, good.bets] * CLIENTS
    for path in ("/events", "/bets"):
        # A busy machine says 503 to some of so many at once.
        answers = await asyncio.gather(*(insist(partial(one.get, path)) for one in both))
        assert [answer.status_code for answer in answers] == [401, 200] * CLIENTS
    anything = {"If-None-Match": "*"}  # nor are they told whether a page has changed
    answers = [await one.get("/events", headers=anything) for one in both[:2]]
    assert [answer.status_code for answer in answers] == [401, 304]


@pytest.mark.asyncio(loop_scope="module")
async def test_what_revokes_nothing_revokes_nothing(lone: House) -> None:
    """Another name, or the role and state that they have already."""
    user, operator = await lone.user(), await lone.first()
    for terms in ({"username": new_id()}, {"role": "user"}, {"active": True}, {}):
        await revoke(operator.bets.client, user.user_id, terms)
        await placed(user.bets, new_id())


@pytest.mark.asyncio(loop_scope="module")
async def test_a_batch_is_judged_as_one_while_its_token_is_revoked(lone: House) -> None:
    """Either all of its bets are taken, or none."""
    operator = await lone.first()
    for _ in range(ROUNDS):
        user = await lone.user()
        batch = {"bets": [{"event_id": new_id(), "amount": 1}] * 200}
        answers, _ = await asyncio.gather(
            asyncio.gather(*(user.bets.post("/bets/batch", batch) for _ in range(6))),
            revoke(operator.bets.client, user.user_id, {"active": False}),
        )
        taken = 0
        for answer in answers:
            if answer.status_code == 200:
                assert {one["status"] for one in answer.json()["results"]} == {201}
                taken += 200
            else:
                refused(answer, 401, "unauthenticated")
        seen = (await operator.bets.get(f"/bets?user={user.user_id}&limit=1000")).json()
        assert len(seen) == min(taken, 1000)


def bet_maker(folder: Path) -> Service:
    """A standalone bet-maker, closed; several have one database."""
    settings = {f"BET_MAKER_{name.upper()}": value for name, value in BETS.items()}
    return Service("bet-maker", folder, BET_MAKER_STANDALONE="1", **settings)


@pytest.mark.xdist_group("processes")
@pytest.mark.timeout(240)
async def test_after_the_answer_no_bet_is_accepted_any_more(tmp_path: Path) -> None:
    """64 clients bet through two processes meanwhile: what is there then is all there will be."""
    makers = [bet_maker(tmp_path) for _ in range(2)]
    async with running(*makers):
        first = await logged_in(makers[0], "first")
        makers[0].client.headers.update(bearer(first))
        makers[1].client.headers.update(bearer(first))
        for n, terms in zip(range(ROUNDS), cycle(TERMS.values()), strict=False):
            await revoked_under_load(makers, f"user{n}", terms)


async def revoked_under_load(
    makers: list[Service], name: str, terms: dict[str, Any] | None
) -> None:
    """One round: a user with 64 clients whose token is revoked."""
    operator = makers[0].client
    new = {"username": name, "password": PASSWORD}
    user_id = (await operator.post("/users", json=new)).json()["user_id"]
    token = await logged_in(makers[1], name)
    acknowledged: set[str] = set()
    begun = asyncio.Event()

    async def bet_on(maker: Service) -> None:
        body = {"event_id": name, "amount": 1}
        while True:
            answer = await insist(
                lambda: maker.client.post("/bets", json=body, headers=bearer(token))
            )
            if answer.status_code != 201:
                refused(answer, 401, "unauthenticated")
                return
            acknowledged.add(answer.json()["bet_id"])
            if len(acknowledged) > CLIENTS:
                begun.set()

    crowd = [asyncio.create_task(bet_on(makers[n % 2])) for n in range(CLIENTS)]
    await asyncio.wait_for(begun.wait(), 60)
    await revoke(operator, user_id, terms)
    at_once = await bets_of(operator, user_id)
    await asyncio.gather(*crowd)
    assert acknowledged <= at_once == await bets_of(makers[1].client, user_id)


async def logged_in(maker: Service, name: str) -> str:
    """A new token."""
    login = {"username": name, "password": PASSWORD}
    answer = await maker.client.post("/token", json=login)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def bets_of(operator: httpx2.AsyncClient, user_id: str) -> set[str]:
    """The ids of all bets of a user."""
    csv = await operator.get(f"/bets?user={user_id}", headers={"Accept": "text/csv"})
    return {line.partition(",")[0] for line in csv.text.splitlines()[1:]}


async def admitted(replica: Replica, name: str) -> Principal:
    """A user, as their token names them."""
    async with replica.database.write() as conn:
        user = await users.add(conn, NOW, name, "no hash", "user")
        version = await conn.scalar(
            sa.select(table.c.token_version).where(table.c.user_id == user.user_id)
        )
    return Principal(name, "user", user.user_id, version or 0)


async def end(replica: Replica, who: Principal) -> None:
    """Revoke the user's tokens."""
    async with replica.database.write() as conn:
        await users.change(conn, NOW, who.user_id, {"active": 0})


async def test_who_revokes_waits_for_bets_that_are_being_accepted(tmp_path: Path) -> None:
    """Their commit comes before the revocation's answer."""
    async with one_user(tmp_path) as (replica, who):
        async with replica.database.write() as conn:
            inserted, _ = await acceptance.insert_within(
                conn, [bet_by(who)], Limits(), standalone=False
            )
            assert len(inserted) == 1
            revoking = asyncio.create_task(end(replica, who))
            await asyncio.sleep(0.3)
            assert not revoking.done()
        await revoking
        assert await replica.number_of_bets() == 1


async def test_a_bet_waits_for_a_revocation_under_way(tmp_path: Path) -> None:
    """It is refused once that is committed, though it was judged from before it was."""
    async with one_user(tmp_path) as (replica, who):
        async with replica.database.write() as conn:
            await users.change(conn, NOW, who.user_id, {"active": 0})
            placing = asyncio.create_task(replica.place(bet_by(who)))
            await asyncio.sleep(0.3)
            assert not placing.done()
        (answer,) = await placing
        assert isinstance(answer, Unauthenticated)
        assert await replica.number_of_bets() == 0


@asynccontextmanager
async def one_user(folder: Path) -> AsyncIterator[tuple[Replica, Principal]]:
    """A replica with an open event and a user."""
    async with open_replica(folder) as replica:
        await replica.apply(item(1, of=event()))
        yield replica, await admitted(replica, "anna")


def bet_by(who: Principal) -> bets.Asked:
    """A bet of the user."""
    return asked(user_id=who.user_id, token_version=who.token_version)
