"""What schemathesis loads beside its settings: exceptions, NDJSON, and the figures of a run."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import schemathesis
from schemathesis import cli
from schemathesis.engine.events import ScenarioFinished

from tests.fuzz.exceptions import NOBODY, reason_for

if TYPE_CHECKING:
    from schemathesis.core.failures import Failure

FIGURES = "STAKELINE_FUZZ_FIGURES"
"""The environment variable that says where the figures of a run go."""
STANDALONE = "STAKELINE_FUZZ_STANDALONE"
"""The one that says that the bet-maker has no prices."""
SPARED = "STAKELINE_FUZZ_SPARED"
"""The one that names the user who asks: they must not remove themselves half way."""
excepted: Counter[str] = Counter()


@schemathesis.hook
def before_load_schema(
    context: schemathesis.HookContext,  # noqa: ARG001 - its place in the signature
    raw_schema: dict[str, Any],
) -> None:
    """Standalone there are no prices; the document is that of both modes, and offers them."""
    if STANDALONE in os.environ:
        models = raw_schema["components"]["schemas"]
        batch = models["Batch"]["properties"]["bets"]["items"]
        for model in (models["NewBet"], batch):
            model["properties"]["coefficient"] = {"type": "null"}


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext,  # noqa: ARG001 - its place in the signature
    case: schemathesis.Case[Any],
    kwargs: dict[str, Any],  # noqa: ARG001 - the same
) -> None:
    """Let the user who asks be: another one, whom there is not, is changed or removed instead."""
    user = case.path_parameters.get("user_id") if case.path_parameters else None
    if case.method != "GET" and user is not None and str(user) == os.environ.get(SPARED):
        case.path_parameters["user_id"] = NOBODY


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext,  # noqa: ARG001 - its place in the signature
    failure: Failure,
    case: schemathesis.Case[Any],
    response: schemathesis.Response,
) -> bool:
    """False for what is no fault, by the reason in exceptions.py."""
    reason = reason_for(failure, case, response)
    if reason is not None:
        excepted[reason] += 1
    return reason is None


@schemathesis.deserializer("application/x-ndjson")
def read_lines(_: object, response: schemathesis.Response) -> list[Any]:
    """NDJSON as the array that it is documented as."""
    return [json.loads(line) for line in response.content.splitlines()]


@cli.handler()
class Figures(cli.EventHandler[Any]):
    """Counts the cases of each operation and phase, and says so in a file at the end."""

    def __init__(self, *_: object, **__: object) -> None:
        self.cases: Counter[tuple[str, str]] = Counter()
        self.answers: Counter[int] = Counter()

    def handle_event(self, ctx: object, event: object) -> None:  # noqa: ARG002
        """Count what a scenario did."""
        if isinstance(event, ScenarioFinished):
            for node in event.recorder.cases.values():
                self.cases[node.value.operation.label, event.phase.value] += 1
            for interaction in event.recorder.interactions.values():
                if interaction.response is not None:
                    self.answers[interaction.response.status_code] += 1

    def shutdown(self, ctx: object) -> None:  # noqa: ARG002
        """Write the figures."""
        figures = {
            "cases": [[*where, count] for where, count in sorted(self.cases.items())],
            "answers": sorted(self.answers.items()),
            "excepted": excepted,
        }
        Path(os.environ[FIGURES]).write_text(json.dumps(figures), encoding="utf-8")
