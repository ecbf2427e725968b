"""Verifying one database or both: what is read in which order, and what is held against what."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stakeline.verification import bets, fates, line, receipts, replica, source
from stakeline.verification.report import Offence, Report
from stakeline.verification.source import Disturbed, Unverifiable, ignore, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from stakeline.verification.source import Databases, Source


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told how far it is: first how many rows there are to read, then how many were."""

    begin: Callable[[int], None] = ignore
    advance: Callable[[int], None] = ignore


async def verify(databases: Databases, watch: Watch | None = None) -> Report:
    """All that is wrong in the databases; running services are not disturbed.

    bet-maker's state is fixed before line-provider's, so the line is never behind: what it has
    beyond the cursor is no offence.

    Raises:
        Unverifiable: a database cannot be read, and nothing was found before.
        Disturbed: a service opened a database that had been found unused; whatever was found is
            forgotten.
    """
    report, watch = Report(), watch or Watch()
    try:
        async with AsyncExitStack() as stack:
            found: dict[str, Source] = {}
            urls = {"bet-maker": databases.bets, "line-provider": databases.line}
            for name, url in urls.items():
                if url is not None:
                    found[name] = await stack.enter_async_context(opened(name, url, watch.advance))
            report.verified = sorted(found)
            await _verify(found.get("line-provider"), found.get("bet-maker"), report, watch)
    except (TypeError, ValueError):  # only tables that are not STRICT any more can be so
        what = "a column holds a value of another kind; what follows it was not checked"
        report.add(Offence("column-kind", " ".join(report.verified), "", "", what))
    except Unverifiable as error:
        if report.clean or isinstance(error, Disturbed):
            raise
        what = "cannot be read on; what follows was not checked"
        report.add(Offence("unreadable", "", "", "", f"{error}: {what}"))
    return report


async def _verify(store: Source | None, taker: Source | None, report: Report, watch: Watch) -> None:
    for database in (store, taker):
        if database is not None:
            for problem in await database.unsound():
                report.add(Offence("integrity", database.name, "", "", problem))
            for table, key, problem in await database.dangling():
                report.add(Offence("foreign-key", database.name, table, key, problem))
    watch.begin(await _rows(store, taker))
    if store is not None:
        await line.verify(store, report)
    if taker is None:
        return
    await bets.verify_unique(taker, report)
    followed = await replica.read_cursor(taker, report)
    if followed is None:
        return  # without it, no bet and no row can be judged
    if store is not None and (
        followed.standalone
        or followed.epoch is None
        or not await replica.follows(followed, store, report)
    ):
        store = None
    await replica.verify(taker, followed, store, report)
    known = source.none() if store is None else replica.line_at(store, followed.seq)
    await fates.verify(taker, followed, known, report)
    if store is not None:
        await receipts.verify(taker, followed, store, report)


async def _rows(store: Source | None, taker: Source | None) -> int:
    """How many rows will be read if all goes well."""
    items = 0 if store is None else await store.count("feed")
    total = 0 if store is None else items * line.SCANS + await store.count("events")
    if taker is not None:
        scans = 1 if store is None else 2
        total += await taker.count("events") + await taker.count("bets") * scans
        total += 0 if store is None else items * 3
    return total
