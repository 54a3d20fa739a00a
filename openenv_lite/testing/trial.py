"""One example of a law: what it draws, what it plays, and the Python that repeats it."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from hypothesis import strategies as st

from openenv_lite.errors import ConfigurationError, OpenEnvError
from openenv_lite.testing.law import Unmet, Violation
from openenv_lite.testing.legal import Actions
from openenv_lite.testing.sessions.game import Game
from openenv_lite.testing.sessions.performing import name_of
from openenv_lite.testing.sessions.seen import Seen, difference, short, told
from openenv_lite.testing.sessions.wire import Wire
from openenv_lite.testing.strangers.door import Conversation, Door
from openenv_lite.testing.subject import Subject
from openenv_lite.types import ServerMode

__all__ = ["Episode", "Player", "Saved", "Trial"]

T = TypeVar("T")

MOST_ACTIONS = 20
"""Of one episode; most faults show themselves within a few."""

Draw = Callable[[st.SearchStrategy[Any]], Any]

SEEDS = st.integers(0, 2**31 - 1)


class Episode:
    """What was done and seen from a reset on.

    Attributes:
        seed: Of the reset; None for none.
        actions: As plain values.
        seen: The reply to the reset, then that to each action.
    """

    def __init__(self, seed: int | None, first: Seen) -> None:
        self.seed = seed
        self.actions: list[Any] = []
        self.seen = [first]


class Saved(NamedTuple):
    """A snapshot, and its name in the Python that is written down."""

    name: str
    data: bytes


class Player:
    """A game that writes down what is played.

    Attributes:
        game: The session itself, for what is not written down.
    """

    def __init__(self, game: Game, name: str, lines: list[str]) -> None:
        self.game = game
        self._name = name
        self._lines = lines

    @property
    def raw(self) -> Any:
        """See `Game`."""
        return self.game.raw

    def reset(self, seed: int | None = None, **options: Any) -> Seen:
        """See `Game`."""
        given = {**({} if seed is None else {"seed": seed}), **options}
        arguments = ", ".join(f"{name}={value!r}" for name, value in given.items())
        return self._noted(f"reset({arguments})", lambda: self.game.reset(seed, **options))

    def step(self, action: Any) -> Seen:
        """See `Game`."""
        return self._noted(f"step({action!r})", lambda: self.game.step(action))

    def state(self) -> dict[str, Any]:
        """See `Game`."""
        return self._noted("state()", self.game.state)

    def tools(self) -> list[dict[str, Any]]:
        """See `Game`."""
        return self._noted("tools()", self.game.tools)

    def call_tool(self, name: str, arguments: dict[str, Any]) -> Seen:
        """See `Game`."""
        call = f"call_tool({name!r}, {short(arguments)})"
        return self._noted(call, lambda: self.game.call_tool(name, arguments))

    def snapshot(self, name: str = "saved") -> "Saved":
        """See `Game`; in Python the snapshot has the name."""
        return Saved(name, self._noted("snapshot()", self.game.snapshot, f"{name} = "))

    def restore(self, saved: "Saved") -> None:
        """See `Game`."""
        self._noted(f"restore({saved.name})", lambda: self.game.restore(saved.data))

    def close(self) -> None:
        """See `Game`."""
        self._noted("close()", self.game.close)

    def note(self, text: str) -> None:
        """Write a line of Python down for what was done past the methods above."""
        self._lines.append(text)

    def _noted(self, call: str, make: Callable[[], T], prefix: str = "") -> T:
        self._lines.append(f"{prefix}{self._name}.{call}")
        place = len(self._lines) - 1
        try:
            seen = make()
        except OpenEnvError as error:
            raised = f"{type(error).__name__}: {short(error.message)}"
            self._lines[place] = f"with suppress(OpenEnvError): {self._lines[place]}  # {raised}"
            raise
        if isinstance(seen, Seen):
            self._lines[place] += f"  # {told(seen)}"
        return seen


class Trial:
    """One example. A law opens players by it, draws by it, and compares by it.

    Args:
        subject: The target.
        actions: Which actions to draw.
        data: Draws: what `st.data()` gives in an example.

    Attributes:
        draw: Draws from a strategy.
        lines: The Python that repeats what was played.
        drawn: Actions that were drawn: the length of a counterexample.
    """

    def __init__(self, subject: Subject, actions: Actions, data: Any) -> None:
        self.subject = subject
        self.data = data
        self.draw: Draw = data.draw
        self.lines: list[str] = []
        self.drawn = 0
        self._actions = actions
        self._players: list[Player] = []
        self._wire: Wire | None = None
        self._doors: list[Door] = []
        self._conversations: list[Conversation] = []

    def open(self) -> Player:
        """A new session; it is closed with the trial."""
        name = name_of(len(self._players))
        line = f"{name} = play({self.subject.expression})"
        try:
            player = Player(self.subject.open(), name, self.lines)
        except OpenEnvError as error:
            self.lines.append(f"with suppress(OpenEnvError): {line}  # {type(error).__name__}")
            raise
        self.lines.append(line)
        self._players.append(player)
        return player

    def dial(self) -> Wire:
        """The server itself, past every client; a class is served by us. One a trial."""
        self.lines.append(f"wire = dial({self.subject.expression})")
        self._wire = self.subject.served().dial(self.lines.append)
        return self._wire

    def knock(self, mode: ServerMode = ServerMode.PRODUCTION, most: int | None = None) -> Door:
        """The target's server, to be treated as anybody may; it is closed with the trial."""
        server = self.subject.served(mode, most)
        given = "" if mode is ServerMode.PRODUCTION else f", {mode.value!r}"
        given += "" if most is None else f", most={most}"
        given = "" if server is self.subject else given
        self.lines.append(f"door = knock({self.subject.expression}{given})")
        door = Door(server)
        self._doors.append(door)
        return door

    def open_agent(self) -> Player:
        """An agent's session in production; it is closed with the trial."""
        name = "agent"
        door = self.knock()
        self.lines.append(f"{name} = door.agent()")
        player = Player(door.agent(), name, self.lines)
        self._players.append(player)
        return player

    def converse(self) -> Conversation:
        """A model's conversation by MCP's own rules; a class is served in simulation.

        Raises:
            OpenEnvError: The server does not know them.
        """
        door = self.knock(ServerMode.SIMULATION)
        self.lines.append("mcp = door.mcp()")
        conversation = Conversation(door, self.lines.append)
        self._conversations.append(conversation)
        return conversation

    def some_action(self) -> Any:
        """A legal action, the same each time, for what is no game."""
        return self._actions.simplest()

    def seed(self) -> int:
        """A seed."""
        seed: int = self.draw(SEEDS)
        return seed

    def action(self, player: Player, last: Seen) -> Any:
        """A legal action after what was seen last, as plain values.

        Raises:
            Unmet: Nobody can tell, for its schema cannot be read.
        """
        self.drawn += 1
        try:
            return self.draw(self._actions.after(player.game, last))
        except ConfigurationError as error:
            raise Unmet(f"a schema that can be read: {error.message}") from None

    def faulty_action(self) -> tuple[Any, str]:
        """An action that the schema forbids, as plain values, and what is wrong with it."""
        self.drawn += 1
        faulty: tuple[Any, str] = self.draw(self._actions.faulty())
        return faulty

    def bad_call(self, player: Player) -> tuple[str, dict[str, Any], str]:
        """A tool's name, arguments that its schema forbids, and what is wrong with these."""
        self.drawn += 1
        call: tuple[str, dict[str, Any], str] = self.draw(self._actions.bad_calls(player.game))
        return call

    def explore(
        self, player: Player, seed: int | None = None, least: int = 0, most: int = MOST_ACTIONS
    ) -> Episode:
        """Play an episode of drawn actions, to its end or to as many actions as were drawn.

        Raises:
            Unmet: It ended before `least` actions.
        """
        count = self.draw(st.integers(least, most))
        episode = Episode(seed, player.reset(seed))
        while len(episode.actions) < count and not episode.seen[-1].done:
            self.go_on(player, episode)
        if len(episode.actions) < least:
            raise Unmet(f"episodes of {least} actions")
        return episode

    def go_on(self, player: Player, episode: Episode) -> Seen:
        """Play one more drawn action."""
        action = self.action(player, episode.seen[-1])
        episode.actions.append(action)
        episode.seen.append(player.step(action))
        return episode.seen[-1]

    def replay(self, player: Player, episode: Episode, what: str) -> None:
        """Play an episode again, to see the same.

        Args:
            player: Another session, or the same one.
            episode: What to do, and what must be seen.
            what: Under which circumstances, for the violation's text.

        Raises:
            Violation: Something else was seen.
        """
        seen = player.reset(episode.seed)
        self.expect_same(episode.seen[0], seen, f"{what}, the reset")
        for number, action in enumerate(episode.actions, 1):
            seen = player.step(action)
            self.expect_same(episode.seen[number], seen, f"{what}, step {number}")

    def expect_same(self, one: Any, other: Any, what: str) -> None:
        """Compare plain values.

        Raises:
            Violation: They differ; says where.
        """
        found = difference(one, other)
        if found is not None:
            raise Violation(f"{what}: {found}")

    def close(self) -> None:
        """Close what was opened."""
        if self._wire is not None:
            self._wire.close()
        for conversation in self._conversations:
            conversation.close()
        for door in self._doors:
            door.close()
        for player in self._players:
            player.game.close()
