"""Tells what is in an image as CycloneDX JSON: `python deploy/sbom.py IMAGE LOCK > sbom.cdx.json`.

Python packages with their versions, licences and the hashes that LOCK admits, and Debian packages.
It fails, and writes nothing, if a package of LOCK is not in the image at its version, or if what it
would write does not fit CycloneDX's own schema. pip-audit and schemathesis bring what it needs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
from cyclonedx import schema
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOOK = """
import json, sys
from importlib.metadata import distributions
licence = lambda about: about.get("License-Expression") or about.get("License")
print(json.dumps({
    "packages": [[d.name, d.version, licence(d.metadata)] for d in distributions()],
    "marks": {
        "sys_platform": sys.platform,
        "implementation_name": sys.implementation.name,
        "python_full_version": "%d.%d.%d" % sys.version_info[:3],
    },
}))
"""
DEBIAN = "${Package} ${Version} ${Architecture}\\n"
SCHEMAS = Path(schema.__file__).parent / "_res"
LONGEST_LICENCE = 64
"""Longer ones are whole texts, not names."""


def main(image: str, lock: str) -> None:
    """Write the list of what is in `image`, which must hold all of the file `lock`."""
    seen = json.loads(run(image, "python", "-c", LOOK))
    hashes = read_lock(Path(lock).read_text(encoding="utf-8"), seen["marks"])
    found = {(canonicalize_name(name), version) for name, version, _ in seen["packages"]}
    absent = sorted(" ".join(one) for one in hashes.keys() - found)
    if absent or not hashes:
        sys.exit(f"not in the image: {', '.join(absent) or f'anything of {lock}'}")
    bom = Bom(components=[python_package(*package, hashes) for package in seen["packages"]])
    for line in run(image, "dpkg-query", "-W", "-f", DEBIAN).splitlines():
        bom.components.add(debian_package(*line.split()))
    bom.metadata.component = Component(name=image, type=ComponentType.CONTAINER, bom_ref=image)
    bom.register_dependency(bom.metadata.component, bom.components)
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    check(json.loads(text))
    print(text)


def run(image: str, program: str, *arguments: str) -> str:
    """What a program of the image says."""
    command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", program, image]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=True).stdout


def read_lock(text: str, marks: dict[str, str]) -> dict[tuple[str, str], list[str]]:
    """The packages, with versions, that a lock file has for a machine; each with its SHA-256s."""
    hashes = {}
    for entry in re.split(r"\n(?=\S)", text.replace("\\\n", " ")):
        said, *digests = entry.split("--hash=sha256:")
        requirement = Requirement(said)
        if requirement.marker is None or requirement.marker.evaluate(dict(marks)):
            (version,) = requirement.specifier
            name = canonicalize_name(requirement.name)
            hashes[name, version.version] = [digest.strip() for digest in digests]
    return hashes


def python_package(
    name: str, version: str, licence: str | None, hashes: dict[tuple[str, str], list[str]]
) -> Component:
    """A Python package of the image."""
    purl = PackageURL("pypi", None, canonicalize_name(name), version)
    digests = hashes.get((canonicalize_name(name), version), [])
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(str(purl)),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in digests],
        comment="one of these files, by the lock file",
    )
    named = licence is not None and len(licence) <= LONGEST_LICENCE and "\n" not in licence
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        licenses=[LicenseFactory().make_from_string(licence)] if named else [],
        external_references=[files] if digests else [],
    )


def debian_package(name: str, version: str, architecture: str) -> Component:
    """A Debian package of the image."""
    purl = PackageURL("deb", "debian", name, version, {"arch": architecture})
    return Component(
        name=name, version=version, type=ComponentType.LIBRARY, purl=purl, bom_ref=str(purl)
    )


def check(document: dict[str, Any]) -> None:
    """Nothing, if the document fits the schema of CycloneDX 1.6.

    Raises:
        ValueError: it does not.
    """
    beside = [
        (f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", read_schema(name))
        for name in ("spdx", "jsf-0.82", "cryptography-defs")
    ]
    registry = jsonschema_rs.Registry(beside)
    jsonschema_rs.validator_for(read_schema("bom-1.6"), registry=registry).validate(document)


def read_schema(name: str) -> dict[str, Any]:
    """A schema that cyclonedx-python-lib brings."""
    text = (SCHEMAS / f"{name}.SNAPSHOT.schema.json").read_text(encoding="utf-8")
    said: dict[str, Any] = json.loads(text)
    return said


if __name__ == "__main__":
    main(*sys.argv[1:])
