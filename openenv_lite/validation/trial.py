"""All gates of a target, one after the other."""

from pathlib import Path

from openenv_lite.client.target import Target
from openenv_lite.errors import ConfigurationError
from openenv_lite.validation.contract import contract_laws
from openenv_lite.validation.discovery import tool_discovery
from openenv_lite.validation.endpoints import (
    health_endpoint,
    mcp_endpoint,
    metadata_endpoint,
    mode_endpoint_consistency,
    openapi_version_available,
    schema_endpoint,
)
from openenv_lite.validation.gate import Failed, Fault, Gate, Passed, Skipped, Unmet, Verdict
from openenv_lite.validation.imports import flat_import, package_import
from openenv_lite.validation.layout import layout
from openenv_lite.validation.manifest import manifest, manifest_in
from openenv_lite.validation.playing import random_turns, rollout
from openenv_lite.validation.production import production
from openenv_lite.validation.serving import environment_listed, server_start
from openenv_lite.validation.site import Limits, Package, Site

__all__ = ["PACKAGE_GATES", "SERVER_GATES", "Trial", "site_named"]

_ENDPOINTS = (
    openapi_version_available,
    health_endpoint,
    metadata_endpoint,
    schema_endpoint,
    mcp_endpoint,
    mode_endpoint_consistency,
)

PACKAGE_GATES: tuple[Gate, ...] = (
    *(layout, manifest, package_import, flat_import, server_start, environment_listed),
    *_ENDPOINTS,
    *(tool_discovery, rollout, production, contract_laws),
)
SERVER_GATES: tuple[Gate, ...] = (*_ENDPOINTS, tool_discovery, random_turns, contract_laws)

_SCHEMES = ("http://", "https://")


def site_named(target: str, limits: Limits) -> Site:
    """What is to be validated.

    Args:
        target: A folder, or a URL.
        limits: For all that is done with it.

    Raises:
        ConfigurationError: It is neither.
    """
    if target.startswith(_SCHEMES):
        _check_url(target)
        return Site(target, limits)
    if not Path(target).is_dir():
        raise ConfigurationError(
            f"{target!r} is no folder: name an environment's folder, or the URL of a server, as "
            "in http://localhost:8000"
        )
    package = Package(Path(target), limits)
    try:
        package.manifest = manifest_in(package)
    except Fault:
        return package  # the gate tells
    return package


def _check_url(url: str) -> None:
    try:
        Target.of(url, None, {})
    except ValueError as error:
        raise ConfigurationError(f"{url!r} is no URL of a server: {error}") from error


class Trial:
    """The gates of one target.

    Args:
        site: The target.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self.gates = PACKAGE_GATES if isinstance(site, Package) else SERVER_GATES
        self._shut: dict[str, str] = {}
        """By gate: why what lies behind it proves nothing."""

    def verdict(self, gate: Gate) -> Verdict:
        """What comes of a gate; those before it were tried."""
        for name in gate.after:
            if name in self._shut:
                self._shut[gate.name] = self._shut[name]
                return Skipped(f"it proves nothing while {self._shut[name]}")
        verdict = self._tried(gate)
        if isinstance(verdict, Failed):
            self._shut[gate.name] = f"{gate.name} fails"
        return verdict

    def _tried(self, gate: Gate) -> Verdict:
        try:
            return Passed(gate.test(self._site))
        except Unmet as error:
            return Skipped(str(error))
        except Fault as error:
            return Failed(error.fault, error.remedy, error.details)
        except Exception as error:  # noqa: BLE001  one gate's fault must not cost the others
            told = f"A fault of the check itself: {type(error).__name__}: {error}"
            return Failed(told, "Report it to openenv-lite, with the package", "")
