"""The databases as verification reads them: in one state each, changing nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import namedtuple
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

L = TypeVar("L")
R = TypeVar("R")

Row: TypeAlias = Any
"""A row of a query, its columns as attributes."""

PORTION = 1000
"""How many rows are in memory at a time."""
MARKS = {"line-provider": "SELECT epoch, seq FROM head", "bet-maker": "SELECT mode FROM cursor"}
"""What only this service's database answers; the first read also fixes the state that is seen."""


class Unverifiable(Exception):
    """A database cannot be read; the message is one line that says which and why.

    Attributes:
        database: `line-provider` or `bet-maker`.
        problem: where it is, and why it cannot be read.
    """

    def __init__(self, database: str, problem: str) -> None:
        super().__init__(f"{database}: {problem}")
        self.database = database
        self.problem = problem


class Disturbed(Unverifiable):
    """A service began to change a database that nobody had open: what was read may be anything."""


def ignore(_: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Databases:
    """The databases to read, on whatever engine each is; at least one is given.

    Attributes:
        line: line-provider's URL, or None.
        bets: bet-maker's URL, or None.
    """

    line: str | None
    bets: str | None


@dataclass(frozen=True, slots=True)
class Source(ABC):
    """One service's database, in the state in which it was when it was opened.

    Queries have `:name` where a value goes, and are SQL that every engine understands, but for
    `COLLATE BINARY`: by the bytes of a text, as ids are compared here.

    Attributes:
        name: `line-provider` or `bet-maker`.
        where: it is, for complaints; no password is in it.
        read: told how many rows of `rows` have been read since it was told last.
    """

    name: str
    where: str
    read: Callable[[int], None] = field(default=ignore, kw_only=True)

    @abstractmethod
    def rows(self, query: str, **values: object) -> AsyncGenerator[Row, None]:
        """The rows of a query of any length, in constant memory; several may be read in turns."""

    @abstractmethod
    async def all(self, query: str, **values: object) -> list[Row]:
        """The rows of a query that has few."""

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        ((number,),) = await self.all(f"SELECT count(*) FROM {table}")  # noqa: S608 - a constant
        return int(number)

    async def unsound(self) -> list[str]:
        """What the engine itself finds wrong with its storage, where it can be asked."""
        return []

    async def dangling(self) -> list[tuple[str, str, str]]:
        """Rows that refer to none, where the engine tells: (table, row, problem)."""
        return []


def kind_of_rows(columns: Iterable[str]) -> Callable[[Iterable[Any]], Row]:
    """What makes a row of its values; half the time would go into drivers' own rows."""
    kind = namedtuple("Row", columns)  # type: ignore[misc]  # noqa: PYI024
    return kind._make


async def merged(
    left: AsyncIterator[L],
    right: AsyncIterator[R],
    left_key: Callable[[L], Any],
    right_key: Callable[[R], Any],
) -> AsyncIterator[tuple[Any, Any]]:
    """Two streams side by side, both rising by their keys: an outer join in constant memory.

    Any number of rows of `left` may share a key; each comes with the row of `right` that has it, or
    with None. A row of `right` that has no partner comes with None, too.
    """
    row = await anext(right, None)
    met: Any = None
    async for one in left:
        key = left_key(one)
        while row is not None and right_key(row) < key:
            if right_key(row) != met:
                yield None, row
            row = await anext(right, None)
        if row is not None and right_key(row) == key:
            met = key
            yield one, row
        else:
            yield one, None
    while row is not None:
        if right_key(row) != met:
            yield None, row
        row = await anext(right, None)


async def none() -> AsyncIterator[Any]:
    """A stream without rows."""
    rows: tuple[Any, ...] = ()
    for row in rows:
        yield row
