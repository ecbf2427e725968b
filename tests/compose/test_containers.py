"""What the containers may do: as little as they need."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.compose.stack import Container, docker

if TYPE_CHECKING:
    from tests.compose.stack import Stack

SERVICES = ("postgres", "rabbitmq", "line-provider", "bet-maker", "nginx")


@pytest.fixture(params=SERVICES)
def container(request: pytest.FixtureRequest, stack: Stack) -> Container:
    """One container of each service."""
    return stack.containers(request.param)[0]


def test_all_of_them_run_and_are_healthy(stack: Stack) -> None:
    """Two of each service of ours, one of what they need, and each says that it is well."""
    containers = stack.containers()
    names = sorted(container.service for container in containers)
    assert names == sorted([*SERVICES, "line-provider", "bet-maker"])
    for container in containers:
        assert container.inspect()["State"]["Health"]["Status"] == "healthy", container.name


def test_the_databases_were_migrated_first(stack: Stack) -> None:
    """By a container that ended well before any service started."""
    (migrate,) = stack.compose("ps", "--all", "--quiet", "migrate").split()
    state = Container(migrate).inspect()["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)
    # Each start of a service by hand runs it again: its first words count, a line a database.
    said = stack.compose("logs", "--timestamps", "--no-color", "--no-log-prefix", "migrate")
    first = [line.split() for line in said.splitlines()[:2]]
    assert {words[1] for words in first} == {"line-provider:", "bet-maker:"}
    for container in stack.containers("line-provider", "bet-maker"):
        assert max(words[0] for words in first) <= container.inspect()["State"]["StartedAt"]


def test_only_the_gateway_is_published_and_on_loopback(stack: Stack) -> None:
    """Nobody outside of this machine reaches anything, nobody at all anything but the gateway."""
    published = {
        (container.service, binding["HostIp"])
        for container in stack.containers()
        for bindings in container.inspect()["NetworkSettings"]["Ports"].values()
        for binding in bindings or ()
    }
    assert published == {("nginx", "127.0.0.1")}


def test_only_the_gateway_has_a_way_out(stack: Stack) -> None:
    """The others are on a network that leads nowhere else."""
    (inside,) = json.loads(docker("network", "inspect", f"{stack.project}_inside"))
    assert inside["Internal"] is True
    for container in stack.containers():
        networks = {name.rpartition("_")[2] for name in _networks(container)}
        assert networks == ({"inside", "outside"} if container.service == "nginx" else {"inside"})


def _networks(container: Container) -> list[str]:
    return list(container.inspect()["NetworkSettings"]["Networks"])


def test_nobody_is_root(container: Container) -> None:
    """Not the first process, and none of those it started."""
    uids = docker("top", container.id, "-eo", "pid,uid").split()[3::2]
    assert uids
    assert "0" not in uids
    if container.service in {"line-provider", "bet-maker"}:
        assert set(uids) == {"10001"}


def test_nothing_can_be_written_but_data(container: Container) -> None:
    """Not even by root, who is not there."""
    for folder in ("/", "/etc", "/usr/bin", "/var/lib", "/opt"):
        status, said = container.exec("touch", f"{folder}/probe", user="0")
        assert status != 0, folder
        assert "Read-only file system" in said


def test_no_process_can_do_more_than_a_user(container: Container) -> None:
    """No capability is left, and none can be had by running a program."""
    known = container.inspect()["HostConfig"]
    assert known["CapDrop"] == ["ALL"]
    assert not known["CapAdd"]
    assert not known["Privileged"]
    _, status = container.exec("cat", "/proc/1/status")
    for capabilities in ("CapPrm", "CapEff", "CapBnd"):
        assert re.search(rf"^{capabilities}:\t0+$", status, re.MULTILINE), status
    assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)


def test_nobody_takes_the_whole_machine(container: Container) -> None:
    """Memory, processes and logs have limits; what ends is started again."""
    known = container.inspect()["HostConfig"]
    assert 0 < known["Memory"] <= 1024**3
    assert 0 < known["PidsLimit"] <= 500
    assert known["LogConfig"]["Config"]["max-size"]
    assert known["LogConfig"]["Config"]["max-file"]
    assert known["RestartPolicy"]["Name"] == "unless-stopped"


def test_the_image_holds_no_more_than_it_needs(stack: Stack) -> None:
    """No password, no tool of development, no source of ours but the package."""
    image = stack.image("bet-maker")
    (known,) = json.loads(docker("image", "inspect", image))
    told = json.dumps(known["Config"]) + docker("history", "--no-trunc", image)
    assert not re.search("PASSWORD|SECRET|TOKEN", told.upper())
    assert [name for name, secret in stack.secrets().items() if secret in told] == []
    assert (known["Config"]["User"], known["Config"]["StopSignal"]) == ("10001:10001", "SIGTERM")
    look = "import importlib.util as u; print([n for n in ('pytest', 'mypy') if u.find_spec(n)])"
    assert stack.exec("bet-maker", "python", "-c", look) == (0, "[]\n")
    assert stack.exec("bet-maker", "ls", "-A", "/var/lib/stakeline", "/source")[0] != 0


def test_there_is_no_user_that_everybody_knows(stack: Stack) -> None:
    """RabbitMQ has no guest, PostgreSQL wants a password from who comes over the network."""
    status, users = stack.exec("rabbitmq", "rabbitmqctl", "--quiet", "list_users")
    assert status == 0, users
    assert [line.split("\t")[0] for line in users.splitlines()] == ["user", "stakeline"]
    for password in ("", ":postgres", ":line_provider", ":wrong"):
        connect = (
            "import asyncio, asyncpg; "
            f"asyncio.run(asyncpg.connect('postgresql://line_provider{password}@postgres/'))"
        )
        status, said = stack.exec("line-provider", "python", "-c", connect)
        assert status != 0
        assert "asyncpg.exceptions.InvalidPasswordError" in said or "password" in said.lower(), said


def test_a_service_sees_its_own_database_only(stack: Stack) -> None:
    """Neither role may connect to the other's database, nor do anything but with its own."""
    for role, database in (("line_provider", "bet_maker"), ("bet_maker", "line_provider")):
        psql = ("psql", "-h", "/run/postgresql", "-U", role, "-d", database, "-c", "SELECT 1")
        status, said = stack.exec("postgres", *psql)
        assert status != 0
        assert "permission denied for database" in said
        query = (
            f"SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname='{role}'"  # noqa: S608
        )
        asked = ("psql", "-U", "postgres", "-Atc", query)
        assert stack.exec("postgres", *asked) == (0, "f\n")
