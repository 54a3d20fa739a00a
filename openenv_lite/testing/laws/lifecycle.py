"""Life cycle: what may follow what, from the opening of a session to its close."""

import itertools
import threading
import time

from hypothesis import strategies as st

from openenv_lite import codec
from openenv_lite.errors import (
    CapacityError,
    ConnectionFailedError,
    ConnectionLostError,
    FactoryError,
    InvalidJSONError,
    OpenEnvError,
    ReplyTimeoutError,
    TransportError,
)
from openenv_lite.testing.law import Need, Unmet, Violation, law
from openenv_lite.testing.sessions.game import ClassGame
from openenv_lite.testing.sessions.seen import short
from openenv_lite.testing.trial import SEEDS, Episode, Player, Trial

__all__ = [
    "a_closed_session_answers_nothing",
    "close_ends_its_threads",
    "close_succeeds",
    "closed_sessions_make_room",
    "episode_id_is_as_asked",
    "reset_begins_a_live_episode",
    "reset_succeeds_at_any_time",
    "sessions_can_be_opened",
    "state_is_defined_at_any_time",
    "step_after_the_end_is_refused",
    "step_before_a_reset_is_refused",
    "step_count_counts_steps",
    "unknown_options_do_no_harm",
]

_NO_ROOM = (CapacityError, FactoryError, ConnectionFailedError)

_ELSEWHERE = (*_NO_ROOM, InvalidJSONError, ReplyTimeoutError)
"""Failures of a call that say nothing of when it was made."""

_GRACE_S = 1.0
"""How long a server, or a thread, has to end after a close."""

_ROUNDS = 5
"""Sessions one after the other, of which the first two may start what lives for ever."""

_STRANGER = "unheard_of"


@law(
    "A session can be opened.",
    needs=(),
    cause="The constructor raises, or it wants arguments that nobody passes.",
    remedy="Mend the constructor, or pass what it wants: `functools.partial(MyEnv, size=5)` in a "
    "test, `--env size=5` in a shell.",
)
def sessions_can_be_opened(trial: Trial) -> None:
    """Open one."""
    try:
        trial.open()
    except OpenEnvError as error:
        why = error.__cause__ or error
        raise Violation(f"it fails: {type(why).__name__}: {why}") from None


@law(
    "A session that is closed makes room for the next.",
    after=("sessions_can_be_opened",),
    cause="`close`, or the server when a client hangs up, does not release what a session holds.",
    remedy="Release in `close` whatever the constructor and `reset` take: locks, ports, slots.",
)
def closed_sessions_make_room(trial: Trial) -> None:
    """Open and close a few sessions, one after the other."""
    _open_and_close(trial)
    for _ in range(2):
        try:
            _open_and_close(trial)
        except _NO_ROOM:
            _expect_room(trial)


def _expect_room(trial: Trial) -> None:
    """Some servers learn of a close a little late."""
    time.sleep(_GRACE_S)
    try:
        _open_and_close(trial)
    except _NO_ROOM as error:
        raise Violation(f"every session was closed, yet: {error.message}") from None


def _open_and_close(trial: Trial) -> None:
    player = trial.open()
    player.reset()
    player.close()


@law(
    "A reset succeeds at any time: at first, mid-episode, after the end; with a seed and without.",
    after=("closed_sessions_make_room",),
    cause="`reset` insists on a seed, or relies on an episode that has not begun or not ended.",
    remedy="Take `seed: int | None = None`, and make everything anew whatever went before.",
)
def reset_succeeds_at_any_time(trial: Trial) -> None:
    """Play the beginnings of some episodes in one session."""
    player = trial.open()
    for _ in range(trial.draw(st.integers(1, 4))):
        episode = _begun(trial, player)
        _go_on(trial, player, episode, most=3)


def _begun(trial: Trial, player: Player) -> Episode:
    seed = trial.draw(st.none() | SEEDS)
    try:
        return Episode(seed, player.reset(seed))
    except _ELSEWHERE:
        raise
    except OpenEnvError as error:
        raise Violation(f"the reset fails: {error.message}") from None


def _go_on(trial: Trial, player: Player, episode: Episode, most: int) -> None:
    for _ in range(trial.draw(st.integers(0, most))):
        if episode.seen[-1].done:
            return
        trial.go_on(player, episode)


@law(
    "After a reset, an episode is under way: neither done nor truncated.",
    cause="The flag that ended the last episode is not taken back, or an episode begins at its "
    "goal.",
    remedy="Set everything that `done` depends on anew in `reset`.",
)
def reset_begins_a_live_episode(trial: Trial) -> None:
    """Play an episode, perhaps to its end, and begin another."""
    player = trial.open()
    first = trial.explore(player, trial.seed())
    for seen in (first.seen[0], player.reset()):
        if seen.done or seen.truncated:
            raise Violation(f"a reset answers done={seen.done!r}, truncated={seen.truncated!r}")


@law(
    "The state can be read at any time, before the first reset too.",
    cause="`state` reads attributes that only `reset` sets.",
    remedy="Set them in `__init__` as well, or return the base class's state until then.",
)
def state_is_defined_at_any_time(trial: Trial) -> None:
    """Read it before, during and after an episode."""
    player = trial.open()
    _read_state(player)
    episode = Episode(None, player.reset())
    _read_state(player)
    _go_on(trial, player, episode, most=10)
    _read_state(player)


def _read_state(player: Player) -> None:
    try:
        player.state()
    except _ELSEWHERE:
        raise
    except OpenEnvError as error:
        raise Violation(f"the state cannot be read: {error.message}") from None


@law(
    "An option that `reset` does not know is dropped or refused, and the next reset succeeds.",
    after=("reset_succeeds_at_any_time",),
    cause="`reset` fails on it halfway, with something taken that the next reset needs.",
    remedy="Name the options in the signature: all others are then dropped before `reset` runs.",
)
def unknown_options_do_no_harm(trial: Trial) -> None:
    """Reset with one, then without."""
    player = trial.open()
    player.reset()
    try:
        player.reset(**{_STRANGER: trial.draw(st.sampled_from([1, "one", None, [], {}]))})
    except ConnectionLostError as error:
        raise Violation(f"the option ends the session: {error.message}") from None
    except ReplyTimeoutError:
        raise
    except OpenEnvError:
        player.note("# which is one way to treat an unknown option; a plain reset must succeed:")
    _reset_again(player)


def _reset_again(player: Player) -> None:
    try:
        player.reset()
    except OpenEnvError as error:
        raise Violation(f"a plain reset fails after it: {error.message}") from None


@law(
    "A step before the first reset is refused.",
    cause="The server hands every action to the environment, whether an episode runs or not.",
    remedy="Refuse it, naming the reset that is missing, before the author's code runs.",
)
def step_before_a_reset_is_refused(trial: Trial) -> None:
    """Find a legal action in one session, and begin another with it; tools need no reset."""
    if trial.subject.acts_by_tools:
        raise Unmet("actions that are no tool calls, which need no reset")
    first = trial.open()
    action = trial.action(first, first.reset())
    first.close()
    _expect_refusal(trial.open(), action, "before the first reset")


@law(
    "A step after the end of an episode is refused.",
    cause="The server does not keep in mind that the last observation said `done`.",
    remedy="Refuse it, before the author's code runs, until the next reset.",
)
def step_after_the_end_is_refused(trial: Trial) -> None:
    """Play an episode to its end, and its last action once more."""
    player = trial.open()
    episode = trial.explore(player, trial.seed(), least=1)
    if not episode.seen[-1].done:
        raise Unmet("episodes that end within a few actions")
    _expect_refusal(player, episode.actions[-1], "after the end")


def _expect_refusal(player: Player, action: object, when: str) -> None:
    try:
        player.step(action)
    except TransportError as error:
        raise Violation(f"a step {when} ends the session: {error.message}") from None
    except OpenEnvError:
        return
    raise Violation(f"a step {when} is carried out")


@law(
    "`step_count` in the state is the number of steps since the reset.",
    check_id="runtime.state_contract",
    after=("state_is_defined_at_any_time",),
    cause="The environment makes a state of its own and does not count in it, or does not begin "
    "again at a reset.",
    remedy="Take `super().state.step_count`, which counts by itself; or set it to 0 in `reset` "
    "and add one in `step`.",
)
def step_count_counts_steps(trial: Trial) -> None:
    """Compare it after a reset and after each step, in two episodes."""
    player = trial.open()
    for _ in range(2):
        episode = Episode(None, player.reset())
        _expect_count(trial, player, 0)
        for steps in range(1, trial.draw(st.integers(0, 3)) + 1):
            if episode.seen[-1].done:
                break
            trial.go_on(player, episode)
            _expect_count(trial, player, steps)


def _expect_count(trial: Trial, player: Player, steps: int) -> None:
    count = _told_by_state(trial, player, "step_count")
    if type(count) is not int or count != steps:
        raise Violation(f"after {steps} steps, step_count is {short(count)}")


def _told_by_state(trial: Trial, player: Player, name: str) -> object:
    """A field of the state.

    Raises:
        Unmet: It is not among those that the state's class declares.
    """
    state = player.state()
    if name in state:
        return state[name]
    if not state or name not in trial.subject.schemas.get("state", {}).get("properties", {}):
        raise Unmet(f"a state with `{name}`")
    raise Violation(f"the state has no {name}, which its schema promises")


@law(
    "An episode has the id that its reset asked for.",
    check_id="runtime.state_contract",
    after=("state_is_defined_at_any_time",),
    cause="The environment makes up an id, or a state of its own without one.",
    remedy="Take `super().state.episode_id`; or take `episode_id` in `reset` and put it there.",
)
def episode_id_is_as_asked(trial: Trial) -> None:
    """Ask for one, and compare it at once and after some steps."""
    player = trial.open()
    asked = f"episode-{trial.draw(st.integers(0, 999))}"
    episode = Episode(None, player.reset(episode_id=asked))
    _expect_id(trial, player, asked)
    _go_on(trial, player, episode, most=2)
    _expect_id(trial, player, asked)


def _expect_id(trial: Trial, player: Player, asked: str) -> None:
    told = _told_by_state(trial, player, "episode_id")
    if told != asked:
        raise Violation(f"asked for episode_id={asked!r}, the state says {short(told)}")


@law(
    "`close` succeeds, whether an episode has begun or not.",
    needs=(Need.EPISODES, Need.OBJECTS),
    cause="`close` releases what only `reset` takes.",
    remedy="Begin with `self.thing = None` in `__init__`, and release in `close` what is there.",
)
def close_succeeds(trial: Trial) -> None:
    """Close a session with or without an episode."""
    player = trial.open()
    if trial.draw(st.booleans()):
        trial.explore(player, most=3)
    player.close()
    assert isinstance(player.game, ClassGame)
    error = player.game.session.failed_close
    if error is not None:
        told = f"{type(error).__name__}: {error}"
        player.note(f"# the environment's own close has raised {told}")
        raise Violation(f"close raises {told}")


@law(
    "No thread of a session outlives its close.",
    needs=(Need.EPISODES, Need.OBJECTS),
    after=("closed_sessions_make_room",),
    cause="A thread that the constructor or `reset` starts is not told to end.",
    remedy="Tell it in `close`, by an event for instance, and join it; `reset` ends the last "
    "episode's too.",
)
def close_ends_its_threads(trial: Trial) -> None:
    """Play sessions one after the other: what they share grows at first, what they leak always."""
    counts = [_threads_after_one(trial) for _ in range(_ROUNDS)]
    _, settled, *later = counts
    if all(one < other for one, other in itertools.pairwise([settled, *later])):
        time.sleep(_GRACE_S)
        if threading.active_count() >= settled + len(later):
            newest = threading.enumerate()[-1].name
            raise Violation(f"each session leaves a thread behind, the last one {short(newest)}")


def _threads_after_one(trial: Trial) -> int:
    player = trial.open()
    trial.explore(player, most=1)
    player.close()
    return threading.active_count()


@law(
    "After a close message the session answers nothing.",
    needs=(Need.EPISODES, Need.WIRE),
    cause="The server goes on reading after the message, or ends the environment only.",
    remedy="Close the connection when the message has come.",
)
def a_closed_session_answers_nothing(trial: Trial) -> None:
    """Close a session and ask for its state."""
    wire = trial.dial()
    wire.say('{"type": "reset"}')
    wire.tell('{"type": "close"}')
    try:
        heard = wire.say('{"type": "state"}')
    except TransportError:
        return
    if codec.parse(heard).get("type") == "state":
        raise Violation(f"the state is told after the close: {short(heard)}")
