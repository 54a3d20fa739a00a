"""How a server is set up, in one frozen value."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from openenv_lite.snapshots import SnapshotSettings

__all__ = ["ServerSettings"]

Seconds = Annotated[float, Meta(ge=0)]
Patience = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Secret = Annotated[str, Meta(min_length=16)]


class ServerSettings(SnapshotSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a server, besides those of its snapshots.

    Times are in seconds, sizes in bytes (of a WebSocket text, characters).
    """

    env_name: str | None = None
    """What `/list_environments` calls the environment; its class's name by default."""
    max_concurrent_envs: Count | None = None
    """Environments that may exist at once, in all worker processes together: 1 by default, 100
    where the class allows several."""
    blocking: bool | None = None
    """Whether plain methods may wait, and so have a thread; what the class says in `BLOCKING` by
    default."""
    control_token: Secret | None = None
    """Who shows it on a production `/ws` has the trainer's controls; 16 characters or more."""
    idle_timeout_s: Seconds = 900.0
    """A session that no WebSocket holds ends after this long without a call."""
    resume_grace_s: Seconds = 300.0
    """A session whose WebSocket broke can be resumed for this long."""
    queue_timeout_s: Seconds = 0.0
    """How long a client waits for a free environment before it is refused."""
    close_timeout_s: Seconds = 10.0
    """How long a stopping server waits for environments to close."""
    max_message_bytes: Count = 8 * 1024 * 1024
    """Largest message or HTTP body that is read."""
    allowed_hosts: Annotated[tuple[str, ...], Meta(min_length=1)] | None = None
    """The names clients may call the server by: `name` or `name:*` (any port), `name:port`, or `*`
    for any name. By default whoever comes over the loopback must use a loopback name, so that no
    web page reaches a local server under a name of its own; elsewhere any name will do."""
    allowed_origins: tuple[str, ...] = ()
    """Web pages that may call besides the server's own, as `scheme://host`, `scheme://host:port`,
    or `scheme://host:*` for any port."""
    mcp_token: Secret | None = None
    """Who calls `/mcp` or opens `/ws` must show it, or the control token, as a bearer token;
    16 characters or more."""
    verify_token: Any = None
    """A function from a bearer token to a `Principal`, to its subject alone, or to None where the
    token is not accepted; it must check that the token was issued for this server. A plain
    function runs on the event loop, so what waits for others must be async."""
    verify_timeout_s: Patience = 10.0
    """How long an async `verify_token` may take before the request is refused."""
    required_scopes: tuple[str, ...] = ()
    """Scopes that a verified principal must have, all of them."""
    authorization_servers: tuple[str, ...] = ()
    """URLs of the OAuth servers whose tokens `verify_token` accepts, for clients to find."""
    mcp_key: Secret | None = None
    """Seals the handles given to MCP clients: workers that share it accept each other's. Random
    in each process by default; 16 characters or more."""
    max_mcp_sessions: Count = 10_000
    """Clients of the MCP revisions with sessions that may be known at once."""
    mcp_page_size: Count = 100
    """Tools, resources or prompts on one page of a list."""
    web_interface: bool | Literal["if possible"] | None = None
    """Whether there is a page at `/web`, in simulation alone; by default where there is a
    `gradio_builder`."""
    gradio_builder: Any = None
    """A function that makes the page's own tab, called as OpenEnv does: from `web_manager`, action
    fields, metadata, False, title, and a start in Markdown, to `gr.Blocks`."""
    custom_tab_name: str = "Custom"
    """What that tab is called."""
    custom_tab_primary: bool = False
    """Whether it comes first."""
    show_default_tab: bool = True
    """Whether the page that any environment has stands beside it."""
    title_override: str | None = None
    """What the browser calls the page; the environment's name by default."""
    record_dir: str | None = None
    """A folder in which all that happens is recorded, in a file for each start of a process; see
    `openenv_lite.recording`."""
