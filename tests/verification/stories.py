"""What `stakeline explain` must tell of the bets of a season, times and ages masked."""

from __future__ import annotations

ASKED = """\
What was asked:
  to bet 10.00 at whatever the price is
  the price given was {price}
  without a key
  placed at TIME, by line-provider's clock, at the latest
  the line had been heard AGE ms before, at TIME
"""
SAID = """\
What the line had said:
  version 1, seq {seq}, at TIME by anonymous:
    price {price}, status NEW, bets until 2090-01-01T00:00:00Z
  bet-maker was at seq 10 when it took the bet
"""
STORIES = {
    "won": """\
bet ID: 10.00 on won (Won v Named)

What was asked:
  to bet 10.00 at whatever the price is
  the price given was 1.95
  with the key k1
  placed at TIME, by line-provider's clock, at the latest
  the line had been heard AGE ms before, at TIME

What the line had said:
  version 1, seq 1, at TIME by anonymous:
    price 1.95, status NEW, bets until 2090-01-01T00:00:00Z
  bet-maker was at seq 10 when it took the bet

What it said later:
  version 2, seq 13, at TIME by anonymous:
    result WIN
    closed at TIME
    bet-maker knows it by now: it is at seq 23
  1 more of its price or name only

What decided:
  placed at TIME, before betting closed at TIME, the moment of its first result
  the result is WIN
  so it is WON: it pays 10.00 x 1.95 = 19.50
""",
    "half": """\
bet ID: 0.10 on won (Won v Named)

What was asked:
  to bet 0.10 at 1.95, and at no other price
  the price given was 1.95
  with the key k2
  placed at TIME, by line-provider's clock, at the latest
  the line had been heard AGE ms before, at TIME

What the line had said:
  version 1, seq 1, at TIME by anonymous:
    price 1.95, status NEW, bets until 2090-01-01T00:00:00Z
  bet-maker was at seq 10 when it took the bet

What it said later:
  version 2, seq 13, at TIME by anonymous:
    result WIN
    closed at TIME
    bet-maker knows it by now: it is at seq 23
  1 more of its price or name only

What decided:
  placed at TIME, before betting closed at TIME, the moment of its first result
  the result is WIN
  so it is WON: it pays 0.10 x 1.95 = 0.1950, half up = 0.20
""",
    "lost": f"""\
bet ID: 10.00 on lost

{ASKED.format(price="3.10")}
{SAID.format(seq=2, price="3.10")}
What it said later:
  version 2, seq 14, at TIME by anonymous:
    result LOSE
    closed at TIME
    bet-maker knows it by now: it is at seq 23

What decided:
  placed at TIME, before betting closed at TIME, the moment of its first result
  the result is LOSE
  so it is LOST: it pays 0.00
""",
    "late": f"""\
bet ID: 10.00 on late

{ASKED.format(price="2.20")}
{SAID.format(seq=3, price="2.20")}
What it said later:
  version 2, seq 16, at TIME by anonymous:
    result WIN
    closed at TIME
    bet-maker knows it by now: it is at seq 23

What decided:
  placed at TIME, not before betting closed at TIME, the instant that the operator named
  so it is VOID: the stake goes back: 10.00
""",
    "off": f"""\
bet ID: 10.00 on off

{ASKED.format(price="2.30")}
{SAID.format(seq=4, price="2.30")}
What it said later:
  version 2, seq 15, at TIME by anonymous:
    result VOID
    closed at TIME
    bet-maker knows it by now: it is at seq 23

What decided:
  placed at TIME, before betting closed at TIME, the moment of its first result
  the event was called off
  so it is VOID: the stake goes back: 10.00
""",
    "corrected": f"""\
bet ID: 10.00 on corrected

{ASKED.format(price="2.40")}
{SAID.format(seq=5, price="2.40")}
What it said later:
  version 2, seq 18, at TIME by anonymous:
    result LOSE
    closed at TIME
    bet-maker knows it by now: it is at seq 23
  version 3, seq 19, at TIME by anonymous because "goal given after review":
    result WIN
    bet-maker knows it by now: it is at seq 23

What decided:
  placed at TIME, before betting closed at TIME, the moment of its first result
  the result is WIN
  so it is WON: it pays 10.00 x 2.40 = 24.00
""",
    "undone": f"""\
bet ID: 10.00 on undone

{ASKED.format(price="2.00")}
{SAID.format(seq=7, price="2.00")}
What it said later:
  version 2, seq 20, at TIME by anonymous:
    result WIN
    closed at TIME
    bet-maker knows it by now: it is at seq 23
  version 3, seq 21, at TIME by anonymous:
    no result in force
    bet-maker knows it by now: it is at seq 23

What decided:
  placed at TIME, before betting closed at TIME, the moment of its first result
  no result is in force
  so it is PENDING
""",
    "moved": f"""\
bet ID: 10.00 on moved

{ASKED.format(price="2.00")}
{SAID.format(seq=8, price="2.00")}
What it said later:
  version 2, seq 12, at TIME by anonymous:
    bets until TIME
    closed at TIME
    bet-maker knows it by now: it is at seq 23

What decided:
  placed at TIME, not before betting closed at TIME, its deadline
  so it is VOID: the stake goes back: 10.00
""",
    "better": """\
bet ID: 10.00 on open

What was asked:
  to bet 10.00 at 2.05 or a better price
  the price given was 2.10
  without a key
  placed at TIME, by line-provider's clock, at the latest
  the line had been heard AGE ms before, at TIME

What the line had said:
  version 2, seq 11, at TIME by anonymous:
    price 2.10, status NEW, bets until 2090-01-01T00:00:00Z
  bet-maker was at seq 11 when it took the bet

What it said later:
  nothing

What decided:
  placed at TIME, before betting closes at 2090-01-01T00:00:00Z, its deadline
  no result is in force
  so it is PENDING
""",
}

AFTER_RESYNC = {
    "again": (
        """\
  version 1, seq 3, at TIME by anonymous:
    no result in force
    bets until 2090-01-01T00:00:00Z
    bet-maker knows it by now: it is at seq 5
  version 2, seq 4, at TIME by anonymous:
    result WIN
    closed at TIME
    bet-maker knows it by now: it is at seq 5
""",
        """\
  placed at TIME, before betting closed at TIME, under an earlier log, which holds for ever
  the result is WIN
  so it is WON: it pays 10.00 x 2.00 = 20.00
""",
    ),
    "settled": (
        """\
  version 1, seq 2, at TIME by anonymous:
    no result in force
    bets until 2090-01-01T00:00:00Z
    bet-maker knows it by now: it is at seq 5
""",
        """\
  the log that is followed does not say how it ended, so what was known holds
  placed at TIME, before betting closed at TIME, its first result, or an instant that the \
operator named
  the result is WIN
  so it is WON: it pays 10.00 x 2.00 = 20.00
""",
    ),
    "missing": (
        "  nothing\n",
        """\
  the log that is followed does not say how it ended, so what was known holds
  placed at TIME, before betting closes at 2090-01-01T00:00:00Z, its deadline
  no result is in force
  so it is PENDING
""",
    ),
}
"""What the log said since a resync, and what decided."""
STANDALONE = {
    "won": """\
  placed at TIME, before betting closed at TIME, the moment of its first result
  the result is WIN
  so it is WON
""",
    "open": """\
  placed at TIME, betting is still open
  no result is in force
  so it is PENDING
""",
}
"""What decided, without a line."""
