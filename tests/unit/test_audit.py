"""`make audit`: what keeps it from an answer is a failure, and so is any weakness it is told."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.ports import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("audit")
WEAK = {
    "vulns": [
        {
            "id": "TEST-1",
            "summary": "Anybody may win.",
            "affected": [{"package": {"name": "fastapi", "ecosystem": "PyPI"}}],
        }
    ]
}


@contextmanager
def advisories(status: int, told: dict[str, Any]) -> Iterator[str]:
    """The address of an advisory service that tells this of FastAPI, and nothing of the others."""

    class Advisories(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(told if asked["package"]["name"] == "fastapi" else {}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((HOST, 0), Advisories) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()


def audit(tmp_path: Path, url: str) -> subprocess.CompletedProcess[str]:
    """What `make audit` says when it asks the service at `url`."""
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        f"fastapi==0.165.0 --hash=sha256:{'0' * 64}\nidna==3.15 --hash=sha256:{'1' * 64}\n"
    )
    (tmp_path / "requirements-run.lock").write_text(lock.read_text())
    command = ["make", "-s", "-o", "setup", "-f", str(ROOT / "Makefile"), "audit"]
    settings = [f"BIN={ROOT}/.venv/bin", f"AUDIT=-s osv --osv-url {url} --timeout 5"]
    return subprocess.run(
        [*command, *settings],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_audit_passes_where_nothing_is_known(tmp_path: Path) -> None:
    """Both lock files were asked about, and every package was answered."""
    with advisories(200, {}) as url:
        done = audit(tmp_path, url)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("No known vulnerabilities found") == 2


def test_an_audit_fails_at_a_weakness(tmp_path: Path) -> None:
    """One package with one weakness is told by its id."""
    with advisories(200, WEAK) as url:
        done = audit(tmp_path, url)
    assert done.returncode != 0
    assert "TEST-1" in done.stdout


@pytest.mark.parametrize("status", [500, 404, 429])
def test_an_audit_that_is_refused_an_answer_fails(tmp_path: Path, status: int) -> None:
    """A service that answers, but not the question, has not said that all is well."""
    with advisories(status, {}) as url:
        assert audit(tmp_path, url).returncode != 0


def test_an_audit_that_nobody_answers_fails(tmp_path: Path) -> None:
    """Nobody listens there."""
    done = audit(tmp_path, f"http://{HOST}:{free_port()}")
    assert done.returncode != 0
    assert "No known vulnerabilities found" not in done.stderr
