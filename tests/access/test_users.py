"""Users: made, found, changed and removed by operators; their own name and password by each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.access.house import PASSWORD
from tests.bet_maker.calls import new_id, pages, placed, refused

if TYPE_CHECKING:
    import httpx2

    from tests.access.house import House, User
    from tests.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = "eleven otters in the rain"


async def operator_of(house: House) -> Served:
    """bet-maker, to its first operator."""
    return (await house.first()).bets


async def logged_in(house: House, username: str, password: str) -> httpx2.Response:
    """The answer to a login."""
    return await house.bets.post("/token", {"username": username, "password": password})


def named(answer: httpx2.Response) -> list[str]:
    """The fields that a 422 names."""
    return [error["field"] for error in refused(answer, 422, "invalid_request")["errors"]]


async def test_a_user_is_made_and_found(house: House) -> None:
    """201 with where they are; never with anything of the password."""
    operator = await operator_of(house)
    name = f"Dora.{new_id()}@Example.org"
    answer = await operator.post("/users", {"username": name, "password": PASSWORD})
    assert answer.status_code == 201
    user = answer.json()
    shown = {"username": name.lower(), "role": "user", "active": True}
    assert user == user | shown
    assert user.keys() == {"user_id", "created_at", "updated_at", *shown}
    assert answer.headers["location"].endswith(f"users/{user['user_id']}")
    assert (await operator.get(f"/users/{user['user_id']}")).json() == user
    for way in (name, name.lower(), name.upper()):
        assert (await logged_in(house, way, PASSWORD)).status_code == 200
    me = await house.log_in(name)
    assert (await me.bets.get("/users/me")).json() == user


@pytest.mark.parametrize(
    ("instead", "field"),
    [
        *(
            ({"username": bad}, "body.username")
            for bad in ("", "a b", "é", "a" * 65, "~1", 7, None)
        ),
        *(({"password": bad}, "body.password") for bad in ("short", "x" * 129, "password1234", 7)),
        ({"password": "é" * 1000}, "body.password"),
        *(({"role": bad}, "body.role") for bad in ("service", "anybody", "Operator", "", None, 1)),
        *(({name: 7}, "body") for name in ("user_id", "token_version", "active", "created_at")),
        *(({name: "x"}, "body") for name in ("password_hash", "removed_at", "balance", "is_admin")),
    ],
)
async def test_a_user_that_cannot_be_is_refused(
    house: House, instead: dict[str, Any], field: str
) -> None:
    """The field is named; what is not the operator's to set is unknown. Nobody is made."""
    operator = await operator_of(house)
    before = await pages(operator, "/users?limit=1000")
    new = {"username": new_id(), "password": PASSWORD} | instead
    assert named(await operator.post("/users", new)) == [field]
    assert await pages(operator, "/users?limit=1000") == before


@pytest.mark.parametrize("path", ["/users/me", "/users/{}"])
@pytest.mark.parametrize("name", ["user_id", "token_version", "password_hash", "created_at"])
async def test_nobody_sets_what_is_not_theirs(house: House, path: str, name: str) -> None:
    """A role or an id is not taken from those who change themselves, either."""
    user, operator = await house.user(), await operator_of(house)
    served = user.bets if path == "/users/me" else operator
    answer = await served.patch(path.format(user.user_id), {name: "1"})
    assert named(answer) == ["body"]
    for mine in ("role", "active"):
        assert named(await user.bets.patch("/users/me", {mine: "operator"})) == ["body"]
    assert (await user.bets.get("/users/me")).json()["role"] == "user"


@pytest.mark.parametrize(
    "form", ["0", "-1", "01", "1.0", "1e1", "+1", "a", "%D9%A1", "%00", "9" * 19]
)
async def test_an_id_that_cannot_be_is_refused(house: House, form: str) -> None:
    """422 for each call that takes one."""
    operator = await operator_of(house)
    for method in ("GET", "PATCH", "DELETE"):
        json: dict[str, Any] | None = {} if method == "PATCH" else None
        answer = await operator.client.request(method, f"/users/{form}", json=json)
        assert named(answer) == ["path.user_id"]


@pytest.mark.parametrize("user_id", ["1", "31337", str(2**63 - 1)])
async def test_the_anonymous_user_is_nobody(house: House, user_id: str) -> None:
    """Neither seen nor changed nor removed; like an id that nobody has."""
    operator = await operator_of(house)
    refused(await operator.get(f"/users/{user_id}"), 404, "user_not_found")
    refused(await operator.patch(f"/users/{user_id}", {"active": True}), 404, "user_not_found")
    refused(await operator.client.delete(f"/users/{user_id}"), 404, "user_not_found")
    taken = await operator.patch(f"/users/{user_id}", {"password": PASSWORD, "username": "zq7x"})
    refused(taken, 404, "user_not_found")
    listed = await pages(operator, "/users?limit=1000")
    assert user_id not in {user["user_id"] for page in listed for user in page}


async def test_nobody_logs_in_as_the_anonymous_user(house: House) -> None:
    """Nor takes its name, which the line's history may hold."""
    operator = await operator_of(house)
    for name in ("anonymous", "~1", "ANONYMOUS"):
        refused(await logged_in(house, name, PASSWORD), 401, "unauthenticated")
    anew = await operator.post("/users", {"username": "Anonymous", "password": PASSWORD})
    refused(anew, 409, "user_exists")


async def test_all_users_are_listed_by_pages(house: House) -> None:
    """In the order in which they were made, each once."""
    operator = await operator_of(house)
    made = [(await house.user()).user_id for _ in range(3)]
    listed = await pages(operator, "/users?limit=2")
    ids = [int(user["user_id"]) for page in listed for user in page]
    assert ids == sorted(set(ids))
    assert {*made} <= {str(user_id) for user_id in ids}
    assert all(len(page) == 2 for page in listed[:-1])
    whole = (await operator.get("/users?limit=1000")).json()
    assert whole == [user for page in listed for user in page]


async def test_a_name_is_taken_once(house: House) -> None:
    """In whatever case; though twenty ask for it at the same moment, or rename themselves to it."""
    operator, rival = await operator_of(house), await house.user()
    name = new_id()
    new = [{"username": f"{name}{'X' if n % 2 else 'x'}", "password": PASSWORD} for n in range(20)]
    answers = await asyncio.gather(
        *(operator.post("/users", one) for one in new),
        rival.bets.patch("/users/me", {"username": f"{name}x"}),
        operator.patch(f"/users/{rival.user_id}", {"username": f"{name}X"}),
    )
    kinds = sorted(answer.status_code for answer in answers[:20])
    assert kinds.count(409) >= 19
    for answer in answers:
        if answer.is_error:
            refused(answer, 409, "user_exists")
    listed = await pages(operator, "/users?limit=1000")
    names = [user["username"] for page in listed for user in page]
    assert names.count(f"{name}x") == 1
    assert len(names) == len(set(names))


async def test_an_operator_changes_a_user(house: House) -> None:
    """What is omitted stays; the name, the password, the role, whether they may log in."""
    operator, user = await operator_of(house), await house.user()
    path, name = f"/users/{user.user_id}", new_id()
    before = (await operator.get(path)).json()
    changed = (await operator.patch(path, {"username": name})).json()
    assert changed == before | {"username": name, "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > before["updated_at"]
    assert (await user.bets.get("/users/me")).json() == changed  # a name revokes nothing
    assert (await operator.patch(path, {"role": "operator"})).json()["role"] == "operator"
    await operator.patch(path, {"password": OTHER})
    refused(await logged_in(house, name, PASSWORD), 401, "unauthenticated")
    raised = await house.log_in(name, OTHER)
    assert (await raised.bets.get("/users")).status_code == 200
    await operator.patch(path, {"active": False})
    refused(await logged_in(house, name, OTHER), 401, "unauthenticated")
    await operator.patch(path, {"active": True, "role": "user"})
    again = await house.log_in(name, OTHER)
    refused(await again.bets.get("/users"), 403, "forbidden")
    refused(await raised.bets.get("/users"), 401, "unauthenticated")


async def test_everybody_changes_their_own_name_and_password(house: House) -> None:
    """A new password wants the current one, and ends all tokens."""
    user, name = await house.user(), new_id()
    assert (await user.bets.patch("/users/me", {"username": name})).json()["username"] == name
    assert named(await user.bets.patch("/users/me", {"password": OTHER})) == ["body"]
    wrong = await user.bets.patch("/users/me", {"password": OTHER, "current_password": OTHER})
    assert named(wrong) == ["body.current_password"]
    assert (await user.bets.get("/users/me")).status_code == 200
    terms = {"password": OTHER, "current_password": PASSWORD}
    assert (await user.bets.patch("/users/me", terms)).status_code == 200
    refused(await user.bets.get("/users/me"), 401, "unauthenticated")
    refused(await logged_in(house, name, PASSWORD), 401, "unauthenticated")
    assert (await house.log_in(name, OTHER)).user_id == user.user_id


async def test_a_wrong_current_password_is_a_failed_login(house: House) -> None:
    """Who has stolen a token guesses the password five times, not for ever."""
    user = await house.user()
    terms = {"password": OTHER, "current_password": OTHER}
    for _ in range(5):
        assert named(await user.bets.patch("/users/me", terms)) == ["body.current_password"]
    answer = await user.bets.patch("/users/me", terms | {"current_password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert 0 < int(answer.headers["retry-after"]) <= 900
    assert (await logged_in(house, user.username, PASSWORD)).status_code == 429
    assert (await user.bets.get("/users/me")).status_code == 200


async def test_a_removed_users_bets_stay_and_settle(lone: House) -> None:
    """The name is free again, for somebody who sees none of them; an operator does."""
    operator, user = await operator_of(lone), await lone.user()
    event_id = new_id()
    bet = await placed(user.bets, event_id)
    assert (await operator.client.delete(f"/users/{user.user_id}")).status_code == 204
    for _ in range(2):
        refused(await operator.client.delete(f"/users/{user.user_id}"), 404, "user_not_found")
    refused(await operator.get(f"/users/{user.user_id}"), 404, "user_not_found")
    refused(await user.bets.get("/bets"), 401, "unauthenticated")
    refused(await logged_in(lone, user.username, PASSWORD), 401, "unauthenticated")
    await operator.put(f"/events/{event_id}", {"status": "WIN"})
    (seen,) = (await operator.get(f"/bets?user={user.user_id}")).json()
    assert (seen["bet_id"], seen["status"]) == (bet["bet_id"], "WON")
    heir = await lone.user(username=user.username)
    assert heir.user_id != user.user_id
    assert (await heir.bets.get("/bets")).json() == []
    refused(await heir.bets.get(f"/bets/{bet['bet_id']}"), 404, "bet_not_found")
    refused(await user.bets.get("/users/me"), 401, "unauthenticated")


async def test_an_operator_may_end_as_any_other(house: House) -> None:
    """Who takes their own role away has no operator's token any more, from that answer on."""
    operator = await house.user("operator")
    answer = await operator.bets.patch(f"/users/{operator.user_id}", {"role": "user"})
    assert answer.json()["role"] == "user"
    refused(await operator.bets.get("/users"), 401, "unauthenticated")
    again = await house.log_in(operator.username)
    refused(await again.bets.get("/users"), 403, "forbidden")


async def test_two_operators_change_one_another_at_once(house: House) -> None:
    """Neither waits for the other for ever; whoever is second is no operator any more."""
    for _ in range(5):
        pair: list[User] = [await house.user("operator") for _ in range(2)]
        one, other = pair
        answers = await asyncio.gather(
            one.bets.patch(f"/users/{other.user_id}", {"role": "user"}),
            other.bets.patch(f"/users/{one.user_id}", {"role": "user"}),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 401]
