"""Verifying one database or both: what is read in which order, and what is held against what."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stakeline.verification import fates, receipts, replica, source
from stakeline.verification.bets import verify_unique
from stakeline.verification.line import SCANS, verify_line
from stakeline.verification.opening import opened
from stakeline.verification.report import Offence, Report
from stakeline.verification.source import Disturbed, Unverifiable, ignore

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
        report.add(Offence("unreadable", error.database, "", "", f"{error.problem}: {what}"))
    return report


async def _verify(line: Source | None, bets: Source | None, report: Report, watch: Watch) -> None:
    for database in (line, bets):
        if database is not None:
            for problem in await database.unsound():
                report.add(Offence("integrity", database.name, "", "", problem))
            for table, key, problem in await database.dangling():
                report.add(Offence("foreign-key", database.name, table, key, problem))
    watch.begin(await _rows(line, bets))
    if line is not None:
        await verify_line(line, report)
    if bets is None:
        return
    await verify_unique(bets, report)
    followed = await replica.read_cursor(bets, report)
    if followed is None:
        return  # without it, no bet and no row can be judged
    if line is not None and (
        followed.standalone
        or followed.epoch is None
        or not await replica.follows(followed, line, report)
    ):
        line = None
    await replica.verify(bets, followed, line, report)
    known = source.none() if line is None else replica.line_at(line, followed.seq)
    await fates.verify(bets, followed, known, report)
    if line is not None:
        await receipts.verify(bets, followed, line, report)


async def _rows(line: Source | None, bets: Source | None) -> int:
    """How many rows will be read if all goes well."""
    items = 0 if line is None else await line.count("feed")
    total = 0 if line is None else items * SCANS + await line.count("events")
    if bets is not None:
        scans = 1 if line is None else 3
        total += await bets.count("events") + await bets.count("bets") * scans
        total += 0 if line is None else items * 3
    return total
