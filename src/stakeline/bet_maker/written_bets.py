"""A bet's JSON in SQL, which takes a fraction of what rows, objects and an encoder take.

`bodies.bet_json` writes one alike; a test holds the two together.
"""

from __future__ import annotations

_KNOWN = "coefficient IS NOT NULL"
_DECIMAL = {
    "sqlite": "printf('%d.%02d', {0} / 100, {0} % 100)",
    "postgresql": "CAST({0} * 0.01 AS text)",
}
"""Hundredths as a number with two decimals."""
_FRACTION = {
    "sqlite": "printf('.%06d', placed_at % 1000000)",
    "postgresql": "'.' || lpad(CAST(placed_at % 1000000 AS text), 6, '0')",
}
_SECOND = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%S', placed_at / 1000000, 'unixepoch')",
    "postgresql": "to_char(to_timestamp(placed_at / 1000000) AT TIME ZONE 'UTC',"
    """ 'YYYY-MM-DD"T"HH24:MI:SS')""",
}
_TIME = {
    dialect: f"{_SECOND[dialect]} || CASE placed_at % 1000000 WHEN 0 THEN '' ELSE {fraction} END"
    for dialect, fraction in _FRACTION.items()
}
"""`placed_at` as `clock.text` writes it, but for its `Z`."""


def line(dialect: str, *, with_users: bool) -> str:
    """The SQL of a bet's JSON; none of its texts has a character that JSON would escape.

    What cannot be written makes all of it null, which no answer is made of.
    """
    write = _DECIMAL[dialect].format
    fields = {
        '{"bet_id":"': "bet_id",
        '","event_id":"': "event_id",
        '","amount":': write("amount"),
        ',"coefficient":': f"CASE WHEN {_KNOWN} THEN {write('coefficient')} ELSE 'null' END",
        ',"potential_payout":': (
            f"CASE WHEN {_KNOWN} THEN {write('potential_payout')} ELSE 'null' END"
        ),
        ',"status":"': "status",
        '","payout":': f"""CASE
            WHEN NOT {_KNOWN} OR status = 'PENDING' THEN 'null'
            WHEN status = 'WON' THEN {write("potential_payout")}
            WHEN status = 'VOID' THEN {write("amount")}
            ELSE '0.00' END""",
        ',"placed_at":"': _TIME[dialect],
        'Z","event_version":': "event_version",
    }
    if with_users:
        fields[',"user_id":"'] = "user_id"
    end = '"}' if with_users else "}"
    return " || ".join(f"'{name}' || {value}" for name, value in fields.items()) + f" || '{end}'"
