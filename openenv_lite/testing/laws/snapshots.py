"""Snapshots: a state that was saved is the state that comes back, wherever and however often."""

import contextlib
import random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from openenv_lite.errors import OpenEnvError
from openenv_lite.testing.law import Need, Violation, law
from openenv_lite.testing.sessions.elsewhere import HASH_SEEDS
from openenv_lite.testing.sessions.game import ClassGame, WatchedSession
from openenv_lite.testing.sessions.performing import Part
from openenv_lite.testing.sessions.seen import plain
from openenv_lite.testing.trial import Episode, Player, Saved, Trial

__all__ = [
    "forks_are_independent",
    "generators_go_on_after_a_restore",
    "restore_replaces_everything",
    "restored_environments_have_the_same_future",
    "restored_state_is_the_saved_one",
    "restores_can_be_repeated",
    "snapshots_can_be_restored",
    "snapshots_can_be_taken",
    "snapshots_change_nothing",
    "snapshots_fit_their_type",
    "snapshots_survive_their_process",
]

_NEEDS = (Need.EPISODES, Need.SNAPSHOTS)

MOST_ACTIONS = 8
"""Before and after a snapshot; each is played several times."""


class _Course(NamedTuple):
    """An episode as it went without any snapshot, and the moment at which one is to be taken."""

    episode: Episode
    moment: int


def _course(trial: Trial) -> _Course:
    player = trial.open()
    episode = trial.explore(player, trial.seed(), most=MOST_ACTIONS)
    player.close()
    return _Course(episode, trial.draw(st.integers(0, len(episode.actions))))


def _go_to(player: Player, course: _Course) -> None:
    """Play up to the moment of the snapshot."""
    player.reset(course.episode.seed)
    for action in course.episode.actions[: course.moment]:
        player.step(action)


def _go_on(trial: Trial, player: Player, course: _Course, what: str) -> None:
    """Play on from that moment, to see what was seen without a snapshot."""
    for number in range(course.moment + 1, len(course.episode.seen)):
        _go_one_on(trial, player, course.episode, number, what)


def _go_one_on(trial: Trial, player: Player, episode: Episode, number: int, what: str) -> None:
    try:
        seen = player.step(episode.actions[number - 1])
    except OpenEnvError as error:
        raise Violation(f"{what}, step {number} raises: {error.message}") from None
    trial.expect_same(episode.seen[number], seen, f"{what}, step {number}")


def _saved(trial: Trial, course: _Course) -> Saved:
    """The snapshot of that moment, of a session that has ended since."""
    player = trial.open()
    _go_to(player, course)
    saved = player.snapshot()
    player.close()
    return saved


@law(
    "A snapshot can be taken at every moment of an episode.",
    needs=_NEEDS,
    after=("legal_calls_succeed",),
    cause="`snapshot` reads what is not there at every moment, or returns what cannot be encoded: "
    "a lock, a file, an object of a class without types.",
    remedy="Return plain data, best a Struct with the whole state, and no open resource.",
)
def snapshots_can_be_taken(trial: Trial) -> None:
    """Play an episode, and take one after each call."""
    player = trial.open()
    last = player.reset(trial.seed())
    for _ in range(trial.draw(st.integers(0, MOST_ACTIONS)) + 1):
        try:
            player.snapshot()
        except OpenEnvError as error:
            raise Violation(f"snapshot() raises: {error.message}") from None
        if last.done:
            return
        last = player.step(trial.action(player, last))


@law(
    "What `snapshot` returns is of the type that it declares.",
    needs=(*_NEEDS, Need.OBJECTS),
    after=("snapshots_can_be_taken",),
    cause="The annotation of `snapshot`, or of `restore` where that has none, names another type.",
    remedy="Name the type of what is returned; a Struct says it best.",
)
def snapshots_fit_their_type(trial: Trial) -> None:
    """Take one, and read it as the type."""
    player = trial.open()
    trial.explore(player, trial.seed(), most=MOST_ACTIONS)
    saved = player.snapshot()
    try:
        _session(player).check(saved.data)
    except OpenEnvError as error:
        with contextlib.suppress(OpenEnvError):
            player.restore(saved)
        raise Violation(error.message) from None


@law(
    "A snapshot changes nothing: an episode goes as it would have gone without.",
    needs=_NEEDS,
    after=("same_seed_same_episode", "snapshots_can_be_taken"),
    cause="`snapshot` draws from a generator, moves what it should only read, or hands out an "
    "object and goes on without it.",
    remedy="Only read in `snapshot`. The base class's `rng` need not be touched: it is saved "
    "without your doing.",
)
def snapshots_change_nothing(trial: Trial) -> None:
    """Play an episode, then again with snapshots between all calls."""
    episode = _course(trial).episode
    player = trial.open()
    player.reset(episode.seed)
    for number in range(1, len(episode.seen)):
        player.snapshot()
        _go_one_on(trial, player, episode, number, "with snapshots between the calls")


@law(
    "A snapshot can be restored, also to an environment that was never reset.",
    needs=_NEEDS,
    after=("snapshots_fit_their_type", "snapshots_change_nothing"),
    cause="`restore` uses attributes that only `reset` makes, or cannot take what `snapshot` gave.",
    remedy="Make every attribute in `__init__`, or let `restore` assign all of them.",
)
def snapshots_can_be_restored(trial: Trial) -> None:
    """Take one, and restore it to a new session."""
    saved = _saved(trial, _course(trial))
    _restored(trial, saved)


@law(
    "Random numbers go on after a restore as they would have gone on from the snapshot.",
    needs=(*_NEEDS, Need.OBJECTS),
    after=("snapshots_can_be_restored",),
    cause="The environment has a generator of its own, and `snapshot` leaves it out.",
    remedy="Draw from `self.rng`, which is saved without your doing; or save the state of your own "
    "generator too: `getstate()` of `random.Random`, `bit_generator.state` of NumPy.",
)
def generators_go_on_after_a_restore(trial: Trial) -> None:
    """Restore to a new session; where that goes on otherwise, see whether generators differ."""
    course = _course(trial)
    player = trial.open()
    _go_to(player, course)
    before = _generators(player)
    saved = player.snapshot()
    player.close()
    restored = _restored(trial, saved)
    after = _generators(restored)
    lost = [name for name, state in before.items() if after.get(name) != state]
    try:
        _go_on(trial, restored, course, "restored")
    except Violation as violation:
        if lost:
            raise Violation(f"self.{lost[0]} was not put back: {violation}") from None


@law(
    "After a restore `state` is what it was when the snapshot was taken.",
    needs=_NEEDS,
    after=("generators_go_on_after_a_restore",),
    cause="`restore` leaves out what `state` tells: a counter, an id, or a flag of the author's "
    "own.",
    remedy="Save and restore it, or leave counting to the base class, whose state is saved "
    "without your doing.",
)
def restored_state_is_the_saved_one(trial: Trial) -> None:
    """Restore to a new session and compare what every session that was played so shows."""
    course = _course(trial)
    usual, _ = _state_and_snapshot(trial, course)
    state, saved = _state_and_snapshot(trial, course)
    found = _restored(trial, saved).state()
    for name, value in state.items():
        if name == "episode_id" or usual.get(name) == value:
            trial.expect_same(value, found.get(name), f"state {name!r} when saved, and restored")


def _state_and_snapshot(trial: Trial, course: _Course) -> tuple[dict[str, Any], Saved]:
    player = trial.open()
    _go_to(player, course)
    state, saved = player.state(), player.snapshot()
    player.close()
    return state, saved


@law(
    "A restored environment has the same future: the same actions show the same to the end.",
    needs=_NEEDS,
    after=("generators_go_on_after_a_restore", "restored_state_is_the_saved_one"),
    cause="`snapshot` forgets part of the state, or `restore` does not put it back.",
    remedy="Keep the whole state in one Struct and save that: see `openenv_lite.StructBacked`.",
)
def restored_environments_have_the_same_future(trial: Trial) -> None:
    """Restore to a new session and play on."""
    course = _course(trial)
    saved = _saved(trial, course)
    _go_on(trial, _restored(trial, saved), course, "restored to a new session")


@law(
    "A restore replaces all that was there: a used environment goes on as a new one would.",
    needs=_NEEDS,
    after=("restored_environments_have_the_same_future",),
    cause="`restore` adds to what is there, or keeps what was computed from it, or a flag.",
    remedy="Assign everything in `restore`, and clear what was computed from the old state.",
)
def restore_replaces_everything(trial: Trial) -> None:
    """Restore to a session in which another episode was played."""
    course = _course(trial)
    saved = _saved(trial, course)
    used = trial.open()
    trial.explore(used, trial.seed(), most=MOST_ACTIONS)
    _restore(used, saved)
    _go_on(trial, used, course, "restored to a used session")


@law(
    "A snapshot can be restored as often as one likes.",
    needs=_NEEDS,
    after=("restore_replaces_everything",),
    cause="`restore` uses up something outside the snapshot, such as an entry of a table.",
    remedy="Put everything into the snapshot itself.",
)
def restores_can_be_repeated(trial: Trial) -> None:
    """Restore twice, and play on."""
    course = _course(trial)
    saved = _saved(trial, course)
    restored = _restored(trial, saved)
    _restore(restored, saved)
    _go_on(trial, restored, course, "restored a second time")


@law(
    "Forks of a snapshot and the session it was taken of go on independently.",
    needs=_NEEDS,
    after=("restores_can_be_repeated",),
    cause="`restore` takes up an object that the snapshot only points to, and that others of the "
    "class use too.",
    remedy="Put the object itself into the snapshot; what is restored then belongs to nobody else.",
)
def forks_are_independent(trial: Trial) -> None:
    """Let the session itself and then two forks play on."""
    course = _course(trial)
    original = trial.open()
    _go_to(original, course)
    saved = original.snapshot()
    _go_on(trial, original, course, "going on after the snapshot")
    for what in ("in a first fork", "in a second fork"):
        if not trial.subject.offers(Need.SEVERAL):
            original.close()
        original = _restored(trial, saved)
        _go_on(trial, original, course, what)


@law(
    "A snapshot can be restored in another process, which goes on as this one would.",
    needs=(*_NEEDS, Need.ELSEWHERE),
    after=("other_processes_agree", "forks_are_independent"),
    cause="The snapshot points to what only this process has: an entry of a table, an `id`, a "
    "temporary file, or a hash.",
    remedy="Put everything into the snapshot itself.",
)
def snapshots_survive_their_process(trial: Trial) -> None:
    """Take one here, and play on elsewhere."""
    course = _course(trial)
    saved = _saved(trial, course)
    actions = course.episode.actions[course.moment :]
    parts = [Part(0, "open"), Part(0, "restore", saved.data)]
    parts += [Part(0, "step", action) for action in actions]
    _, restored, *outcomes = trial.subject.elsewhere(HASH_SEEDS[0]).play(parts)
    steps = "".join(f", [0, 'step', {action!r}]" for action in actions)
    told = f"[[0, 'open', None], [0, 'restore', {saved.name}]{steps}]"
    trial.lines.append(f"played({trial.subject.expression}, {HASH_SEEDS[0]!r}, {told})")
    for number, outcome in enumerate([restored, *outcomes], course.moment):
        if outcome is not None and "error" in outcome:
            call = f"step {number}" if number > course.moment else "restore()"
            raise Violation(f"in another process, {call} raises {outcome['error']}")
    for number, outcome in enumerate(outcomes, course.moment + 1):
        seen = plain(course.episode.seen[number])
        trial.expect_same(seen, outcome, f"in another process, step {number}")


def _restored(trial: Trial, saved: Saved) -> Player:
    """A new session, at the saved moment."""
    player = trial.open()
    _restore(player, saved)
    return player


def _restore(player: Player, saved: Saved) -> None:
    try:
        player.restore(saved)
    except OpenEnvError as error:
        raise Violation(f"restore() raises: {error.message}") from None


def _generators(player: Player) -> dict[str, Any]:
    """The states of the generators that the author keeps as attributes, by name."""
    attributes = getattr(_session(player).environment, "__dict__", {})
    states = {name: _state_of(value) for name, value in attributes.items() if name != "rng"}
    return {name: state for name, state in states.items() if state is not None}


def _session(player: Player) -> WatchedSession:
    """Where the class is at hand, which the laws that ask for it need."""
    assert isinstance(player.game, ClassGame)
    return player.game.session


def _state_of(value: Any) -> Any:
    if isinstance(value, random.Random) and not isinstance(value, random.SystemRandom):
        return value.getstate()
    bits = getattr(value, "bit_generator", None)
    return None if bits is None else repr(bits.state)
