"""What a manifest may declare, as types: those of OpenEnv 0.10, with the bounds of its policy."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

__all__ = ["FIELDS", "Block"]

Text = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Margin = Annotated[float, Meta(ge=0.1)]
Tolerance = Annotated[float, Meta(ge=0, le=0.1)]
Variance = Annotated[float, Meta(ge=0, le=0.2)]
Hour = Annotated[float, Meta(gt=0, le=3600)]
FIELDS: dict[str, Any] = {
    "spec_version": Literal[1],
    "name": Text,
    "version": Text,
    "type": Text,
    "runtime": Text,
    "app": Text,
    "port": Annotated[int, Meta(ge=1, le=65535)],
    "description": str,
    "action": Text,
    "observation": Text,
    "variables": dict[Text, str | int | float | bool],
    "discovery": dict[str, Any],
    "validation": dict[str, Any],
}
"""Of the manifest, by name."""


class Reward(Struct, forbid_unknown_fields=True):
    """What rewards there are, and how exactly they are met."""

    floor_margin: Margin
    range: tuple[float, float] = (0.0, 1.0)
    oracle_tolerance: Tolerance = 0.0
    variance_tolerance: Variance | None = None

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if not self.range[0] < self.range[1]:
            raise ValueError("the second end of `range` must be above the first")


class Judge(Struct, forbid_unknown_fields=True):
    """The model that judges."""

    model: str
    version: str
    params: dict[str, Any] = {}


class Resources(Struct, forbid_unknown_fields=True):
    """What an episode takes at most."""

    cpu: Positive
    memory_mb: Annotated[int, Meta(gt=0)]
    disk_mb: Annotated[int, Meta(gt=0)]
    episode_timeout_s: Hour
    gpus: Count = 0
    gpu_types: list[str] = []

    def __post_init__(self) -> None:
        """Refuse kinds of nothing."""
        if self.gpu_types and not self.gpus:
            raise ValueError("`gpu_types` wants `gpus` above 0")


class Network(Struct, forbid_unknown_fields=True):
    """Whom the environment may call."""

    mode: Literal["public", "no-network", "allowlist"] = "public"
    allowed_hosts: list[str] = []

    def __post_init__(self) -> None:
        """Refuse a list without its mode, and the mode without a list."""
        if bool(self.allowed_hosts) != (self.mode == "allowlist"):
            raise ValueError("`allowed_hosts` and mode `allowlist` want each other")


class TaskDistribution(Struct, forbid_unknown_fields=True):
    """Where tasks come from."""

    generator_seed: int | None = None
    dataset_version: str | None = None
    generator_model: str | None = None


class Oracle(Struct, forbid_unknown_fields=True):
    """What reaches the highest reward."""

    form: Literal["injected_state", "script"]
    location: str

    def __post_init__(self) -> None:
        """Refuse a place elsewhere."""
        _check_inside(self.location)


class Verifier(Struct, forbid_unknown_fields=True):
    """What tells the reward."""

    kind: Literal["reward_channel", "script"]
    entry: str | None = None

    def __post_init__(self) -> None:
        """Refuse a script without a path, and a path without a script."""
        if (self.entry is None) == (self.kind == "script"):
            raise ValueError("`entry` and kind `script` want each other")
        _check_inside(self.entry)


class Capabilities(Struct, forbid_unknown_fields=True):
    """What the environment can do."""

    verifier: Verifier
    oracle: Oracle | None = None
    set_state: bool = False
    llm_judged: bool = False
    rubric_tree: bool = False
    task_api: bool = False
    canaries: str | None = None
    declared_tools: list[str] = []
    declared_task_count: dict[str, int] = {}

    def __post_init__(self) -> None:
        """Refuse a state that cannot be set, and trajectories elsewhere."""
        if self.oracle and self.oracle.form == "injected_state" and not self.set_state:
            raise ValueError("oracle form `injected_state` wants `set_state: true`")
        _check_inside(self.canaries)


class Types(Struct, forbid_unknown_fields=True):
    """What kinds of task there are."""

    tags: Annotated[list[Text], Meta(min_length=1)]


class Execution(Struct, forbid_unknown_fields=True):
    """How OpenEnv runs it."""

    kind: Literal["openenv_ws"] = "openenv_ws"
    probe_path: str = "validation/runtime.json"
    dockerfile: str = "Dockerfile"
    context: str = "."
    agent_boundary: Literal["api"] = "api"
    requires_credentials: bool = False

    def __post_init__(self) -> None:
        """Refuse files elsewhere."""
        for path in (self.probe_path, self.dockerfile, self.context):
            _check_inside(path)


def _check_inside(path: str | None) -> None:
    """Of a path in the package's folder, if any.

    Raises:
        ValueError: It leads out of it.
    """
    if path is None:
        return
    parts = PurePosixPath(path)
    if not path or set(path) & {*"\\:\0"} or parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"{path!r} must be a path inside the folder, with slashes and no `..`")


class Block(Struct, forbid_unknown_fields=True):
    """The block `validation`."""

    reward: Reward
    resources: Resources
    capabilities: Capabilities
    types: Types
    judge: Judge | None = None
    network: Network = msgspec.field(default_factory=Network)
    task_distribution: TaskDistribution | None = None
    execution: Execution | None = None

    def __post_init__(self) -> None:
        """Hold a judge to what the environment is said to be."""
        judged = self.capabilities.llm_judged
        if judged != (self.judge is not None):
            raise ValueError("`judge` and `capabilities.llm_judged: true` want each other")
        if judged and self.reward.variance_tolerance is None:
            raise ValueError("`llm_judged` wants `reward.variance_tolerance`")
