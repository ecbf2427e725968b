"""Writes `.env`, with which docker compose starts: passwords, tokens and a secret, made up.

    python deploy/env.py .env [1]

With 1 the stack is open: anybody on this machine may do anything. What is in the file stays as it
is, for PostgreSQL keeps the passwords that it was set up with; only what is missing is added.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from pathlib import Path

PASSWORDS = ("POSTGRES", "LINE_PROVIDER_DATABASE", "BET_MAKER_DATABASE", "RABBITMQ")
CLOSED = """\
The first user is operator, with BET_MAKER_FIRST_USER_PASSWORD in .env as the password.
docker compose up --build --wait starts all, http://127.0.0.1:8001/docs has Authorize to log in.
"""
OPEN = """\
Whoever can reach this machine's loopback may do anything: there are no users.
docker compose up --build --wait starts all.
"""


def wanted(*, is_open: bool) -> dict[str, str]:
    """What the file is to have, by name; every value made up anew."""
    names = {f"STAKELINE_{name}_PASSWORD": secrets.token_hex(24) for name in PASSWORDS}
    if is_open:
        return names | {"STAKELINE_OPEN": "1", "BET_MAKER_JWT_SECRET": ""}
    return names | {
        "BET_MAKER_JWT_SECRET": secrets.token_hex(32),
        "BET_MAKER_LINE_PROVIDER_TOKEN": secrets.token_hex(24),
        "LINE_PROVIDER_OPERATOR_TOKENS": f"operator={secrets.token_hex(24)}",
        "BET_MAKER_FIRST_USER_USERNAME": "operator",
        "BET_MAKER_FIRST_USER_PASSWORD": secrets.token_hex(16),
    }


def main(path: Path, *, open_asked: bool) -> None:
    """Add what is missing; end with one line if the file is of a stack of the other kind."""
    text = path.read_text() if path.exists() else ""
    given = dict(re.findall(r"^\s*(?:export\s+)?(\w+)\s*=[ \t]*(.*?)\s*$", text, re.MULTILINE))
    is_open = given.get("STAKELINE_OPEN") == "1" or open_asked
    if is_open and given.get("BET_MAKER_JWT_SECRET"):
        sys.exit("make env: this .env is of a stack with users; an open one begins without .env")
    if is_open and not open_asked:
        sys.exit(
            "make env: .env opens the stack; remove STAKELINE_OPEN and BET_MAKER_JWT_SECRET from it"
            " to close it"
        )
    lacking = {name: value for name, value in wanted(is_open=is_open).items() if name not in given}
    if "BET_MAKER_JWT_SECRET" in given:  # the first user was there, and may have been taken out
        lacking = {name: value for name, value in lacking.items() if "FIRST_USER" not in name}
    if lacking:
        if text and not text.endswith("\n"):
            text += "\n"
        new = path.with_name(f"{path.name}.new")
        os.umask(0o077)  # only its owner can read it
        new.write_text(text + "".join(f"{name}={value}\n" for name, value in lacking.items()))
        new.replace(path)
    sys.stdout.write((OPEN if is_open else CLOSED) if lacking else "Nothing is missing in .env.\n")


if __name__ == "__main__":
    if sys.argv[2:] not in ([], [""], ["0"], ["1"]):
        sys.exit("make env: OPEN is 1, or nothing")
    main(Path(sys.argv[1]), open_asked=sys.argv[2:] == ["1"])
