"""`openenv.yaml`, held to what OpenEnv reads in it."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from openenv_lite.validation.declared import FIELDS, Block
from openenv_lite.validation.gate import Fault, gate
from openenv_lite.validation.layout import module_file
from openenv_lite.validation.site import Package

__all__ = ["manifest", "manifest_in"]

_LARGEST_BYTES = 2**20
_PLACE = " - at `$"


@gate("`openenv.yaml` says what OpenEnv reads in it: name, app, port, and `validation` in bounds")
def manifest(package: Package) -> str:
    """Every field of a known name has its type, and so has what is declared for validation."""
    found = manifest_in(package)
    faults = [*_faults_of(package, found)]
    if faults:
        raise Fault("; ".join(faults), f"Mend {package.folder.name}/openenv.yaml there")
    notes = [*_notes_on(found)]
    return "; ".join([f"{found['name']}, app {found.get('app', 'server.app:app')}", *notes])


def manifest_in(package: Package) -> dict[str, Any]:
    """What the package's manifest says, without what it leaves empty.

    Raises:
        Fault: There is none, or it is not a YAML mapping.
    """
    path = package.folder / "openenv.yaml"
    try:
        told = yaml.load(_text_of(path), _Loader)
    except OSError as error:
        raise Fault(
            f"openenv.yaml cannot be read: {error.strerror}",
            "Write one with at least `name: my_env` and `app: server.app:app`",
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Fault(f"openenv.yaml is no YAML: {error}", "Mend it at that place") from error
    if not isinstance(told, dict):
        raise Fault("openenv.yaml is no mapping", "Write `key: value`, one on a line")
    return {str(key): value for key, value in told.items() if value is not None}


def _text_of(path: Path) -> str:
    """What a file says; never of what has no end, as a device or pipe."""
    if path.exists() and not path.is_file():
        raise Fault(f"{path.name} is no file", "Write a file of this name")
    with path.open("rb") as file:
        read = file.read(_LARGEST_BYTES + 1)
    if len(read) > _LARGEST_BYTES:
        raise Fault(f"{path.name} is larger than 1 MiB", "Keep data in files of their own")
    return read.decode()


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml tells no types
    """Stops where mappings merged into each other (`<<`) grow beyond what a file could hold."""

    _merged = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put the pairs of merged mappings in their place."""
        super().flatten_mapping(node)
        self._merged += len(node.value)
        if self._merged > _LARGEST_BYTES:
            raise yaml.constructor.ConstructorError(
                None, None, "mappings that are merged grow too large", node.start_mark
            )


def _faults_of(package: Package, found: Mapping[str, Any]) -> Iterator[str]:
    for name in [name for name in found if name not in FIELDS]:
        for meant in difflib.get_close_matches(name, FIELDS, 1):
            yield f"{name}: nobody reads this; `{meant}` is meant"
    if "name" not in found:
        yield "name: missing"
    for name, kind in FIELDS.items():
        if name in found:
            yield from _faults_in(name, found[name], kind)
    if isinstance(found.get("app"), str):
        yield from _faults_of_app(package)
    if isinstance(found.get("validation"), dict):
        yield from _faults_of_block(found["validation"])


def _faults_in(path: str, value: Any, kind: Any) -> Iterator[str]:
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        said, _, place = str(error).partition(_PLACE)
        yield f"{path}{place.rstrip('`')}: {said[:1].lower()}{said[1:]}"


def _faults_of_app(package: Package) -> Iterator[str]:
    module, name = package.app
    if not all(part.isidentifier() for part in (*module.split("."), name)):
        yield "app: expected MODULE:NAME, as in server.app:app"
    elif module_file(package.folder, module) is None:
        yield f"app: there is no {module.replace('.', '/')}.py"


def _faults_of_block(block: Mapping[str, Any]) -> Iterator[str]:
    """Of each part, if there are any; else of what parts ask of each other."""
    fields = {field.name: field for field in msgspec.structs.fields(Block)}
    faults = [f"validation.{name}: no part of a manifest" for name in block if name not in fields]
    for name, field in fields.items():
        if block.get(name) is not None:
            faults += _faults_in(f"validation.{name}", block[name], field.type)
        elif field.required:
            faults.append(f"validation.{name}: missing")
    whole = {name: value for name, value in block.items() if value is not None}
    yield from faults or _faults_in("validation", whole, Block)


def _notes_on(found: Mapping[str, Any]) -> Iterator[str]:
    """What is no fault, and yet worth knowing."""
    unread = [name for name in found if name not in FIELDS]
    if unread:
        yield f"nobody reads {', '.join(unread)}"
    if ("action" in found) != ("observation" in found):
        yield "OpenEnv's AutoEnv reads `action` and `observation` only together"
    if "validation" not in found:
        yield "`openenv validate` wants a `validation` block too"
