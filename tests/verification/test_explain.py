"""`stakeline explain`: a bet's story in words, from whatever is known of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from stakeline.cli import commands
from stakeline.settings import WrongSetting
from tests import databases
from tests.databases import url_of
from tests.verification.damage import at, do
from tests.verification.season import BETS, LINE
from tests.verification.stories import AFTER_RESYNC, ASKED, STANDALONE, STORIES

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from tests.verification.conftest import Played

LOG_BEFORE = """\
What the line had said:
  that is not known: it was version 1, at seq 4
  of a log before the last resync

What it said later:
  in the log that is followed since a resync:
"""


def explain(folder: Path, bet_id: str, *more: str) -> Result:
    """What comes of `stakeline explain`."""
    words = ["explain", bet_id, *more]
    return CliRunner().invoke(commands.stakeline, words, env=at(folder))


def masked(played: Played, label: str, *more: str) -> str:
    """A bet's story; its id, the times of this run and the line's age are the same in all."""
    bet_id = played.labels[label]
    ended = explain(played.folder, bet_id, *more)
    assert ended.exit_code == 0, ended.output
    text = ended.stdout.replace(bet_id, "ID")
    text = re.sub(r"\b(?!2090)\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    return re.sub(r"heard \d+\.\d ms", "heard AGE ms", text)


@pytest.mark.parametrize("label", STORIES)
def test_the_story_of_each_fate(season_played: Played, label: str) -> None:
    """What was asked, what the line said before and after, and which rule decided."""
    assert masked(season_played, label) == STORIES[label]


def test_a_story_without_the_line(season_played: Played) -> None:
    """bet-maker's database alone tells what it knows, and that it is less."""
    assert masked(season_played, "late", "--only", "bet-maker") == (
        f"""\
bet ID: 10.00 on late

{ASKED.format(price="2.20")}
What the line had said:
  that is not known: line-provider's database was not read
  bet-maker took the bet on version 1, at seq 10

What it said later:
  that is not known: line-provider's database was not read

What decided:
  placed at TIME, not before betting closed at TIME, its first result, or an instant that \
the operator named
  so it is VOID: the stake goes back: 10.00
"""
    )


@pytest.mark.parametrize("label", AFTER_RESYNC)
def test_a_story_from_before_a_resync(resync_played: Played, label: str) -> None:
    """What the log said then is gone; what holds instead is said."""
    later, decided = AFTER_RESYNC[label]
    price = ASKED.format(price="2.00")
    assert masked(resync_played, label) == (
        f"bet ID: 10.00 on {label}\n\n{price}\n{LOG_BEFORE}{later}\nWhat decided:\n{decided}"
    )


@pytest.mark.parametrize("label", STANDALONE)
def test_a_standalone_story(standalone_played: Played, label: str) -> None:
    """There is no line to tell of, and no price."""
    assert masked(standalone_played, label) == (
        f"""\
bet ID: 10.00 on {label}

What was asked:
  a bet without a price: events are only identifiers here
  without a key
  placed at TIME, by bet-maker's own clock

What decided:
{STANDALONE[label]}"""
    )


def test_news_that_has_not_arrived(season_played: Played, tmp_path: Path) -> None:
    """What bet-maker has not applied yet decides nothing, and is told as such."""
    played = season_played.copied(tmp_path)
    script = "UPDATE cursor SET seq = 18, at = {at_corrected_2};"
    script += "UPDATE events SET status = 'LOSE', version = 2 WHERE event_id = 'corrected'"
    do(url_of(tmp_path, BETS), script.format(**played.labels))
    told = masked(played, "corrected")
    assert "    closed at TIME\n    bet-maker knows it by now: it is at seq 18\n" in told
    assert "    result WIN\n    bet-maker has not applied it yet: it is at seq 18\n" in told
    assert told.endswith("  the result is LOSE\n  so it is LOST: it pays 0.00\n")


FREEZE = "UPDATE events SET status = 'LOSE', frozen = 1, version = 2 WHERE event_id = 'corrected'"


def test_a_frozen_event(season_played: Played, tmp_path: Path) -> None:
    """Where bet-maker could not read the line's last word, the one before holds."""
    played = season_played.copied(tmp_path)
    do(
        url_of(tmp_path, LINE),
        "UPDATE feed SET event = '' WHERE event_id = 'corrected' AND version = 3",
    )
    do(url_of(tmp_path, BETS), FREEZE)
    told = masked(played, "corrected")
    assert "  bet-maker could not read what the line said last: its event is frozen\n" in told
    assert told.endswith("  so it is LOST: it pays 0.00\n")


def test_an_event_that_should_not_be_frozen(season_played: Played, tmp_path: Path) -> None:
    """Where the line's last word can be read, it decides, whatever bet-maker shows."""
    played = season_played.copied(tmp_path)
    do(url_of(tmp_path, BETS), FREEZE)
    assert masked(played, "corrected").endswith(
        "  so it is WON: it pays 10.00 x 2.40 = 24.00\n"
        "  bet-maker shows it as LOST: `stakeline verify` tells more\n"
    )


def test_a_bet_that_is_shown_otherwise(season_played: Played, tmp_path: Path) -> None:
    """Where bet-maker shows something else than what follows, that is said."""
    played = season_played.copied(tmp_path)
    do(url_of(tmp_path, BETS), "UPDATE events SET status = 'WIN' WHERE event_id = 'lost'")
    assert masked(played, "lost").endswith(
        "  so it is LOST: it pays 0.00\n"
        "  bet-maker shows it as WON: `stakeline verify` tells more\n"
    )


def test_another_line(season_played: Played, resync_played: Played, tmp_path: Path) -> None:
    """A log that is not followed tells nothing of the bet."""
    played = season_played.copied(tmp_path)
    databases.copy(url_of(resync_played.folder, LINE), url_of(tmp_path, LINE))
    told = masked(played, "won")
    assert "that is not known: line-provider's log is not the one that is followed\n" in told
    assert told.endswith("  so it is WON: it pays 10.00 x 1.95 = 19.50\n")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["00000000-0000-7000-8000-000000000000"], 1, "there is no bet with this id"),
        (["{LOST}", "elsewhere"], 2, "is not a database of bet-maker"),
    ],
)
def test_no_story(
    season_played: Played, words: list[str], code: int, told: str, tmp_path: Path
) -> None:
    """One line says why."""
    bet_id, *more = (word.format(**season_played.labels) for word in words)
    folder = season_played.folder
    if more:
        folder = season_played.copied(tmp_path).folder
        databases.copy(url_of(folder, LINE), url_of(folder, BETS))
    ended = explain(folder, bet_id)
    assert (ended.exit_code, ended.stdout) == (code, "")
    assert ended.stderr.startswith("stakeline explain: ")
    assert ended.stderr.endswith(f"{told}\n")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["7"], "BET_ID: must be a UUID"),
        (["{won}", "--only", "line-provider"], "--only: a bet is in bet-maker's database"),
    ],
)
def test_no_question(season_played: Played, words: list[str], told: str) -> None:
    """What cannot be asked is one line and status 2, as every wrong setting."""
    arguments = [word.format(**season_played.labels) for word in words]
    wrong = explain(season_played.folder, *arguments).exception
    assert isinstance(wrong, WrongSetting)
    assert str(wrong) == told


def test_an_id_in_capitals_is_the_same(season_played: Played) -> None:
    """As over HTTP."""
    assert explain(season_played.folder, season_played.labels["LOST"]).exit_code == 0
