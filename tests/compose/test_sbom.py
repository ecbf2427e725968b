"""`make sbom`: what is in the image that compose builds."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.compose.stack import ROOT

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = ["make", "-s", "-C", str(ROOT), "sbom"]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """The components that it lists, by their package URLs."""
    file = tmp_path_factory.mktemp("sbom") / "sbom.cdx.json"
    subprocess.run([*COMMAND, f"SBOM={file}"], check=True)
    document = json.loads(file.read_text())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    return {part["purl"]: part for part in document["components"]}


def test_every_locked_package_is_listed(parts: dict[str, dict[str, object]]) -> None:
    """At its version, with a hash; and ours; those for other systems are not."""
    lock = (ROOT / "requirements-run.lock").read_text()
    for name, version in re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==(\S+) \\$", lock, re.MULTILINE):
        assert parts[f"pkg:pypi/{name}@{version}"]["externalReferences"], name
    assert any(purl.startswith("pkg:pypi/stakeline@") for purl in parts)
    assert not any("colorama" in purl for purl in parts)


def test_debian_is_listed(parts: dict[str, dict[str, object]]) -> None:
    """With versions."""
    assert any(purl.startswith("pkg:deb/debian/libc6@") for purl in parts)
    assert all(part["version"] for part in parts.values())


def test_an_image_without_a_locked_package_is_told(tmp_path: Path) -> None:
    """A package that is locked and not installed fails the command; nothing is written."""
    lock = tmp_path / "requirements-run.lock"
    lock.write_text(f"absent==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    file = tmp_path / "sbom.cdx.json"
    done = subprocess.run(
        [*COMMAND, f"SBOM={file}", f"LOCK={lock}"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "not in the image: absent 1.0" in done.stderr
    assert not file.exists()
