"""A served environment as NeMo-RL takes it: whole batches of conversations."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

from openenv_lite.client.target import ASGIApp, ConnectionOptions
from openenv_lite.client.vector_plan import Place, VectorPlan
from openenv_lite.errors import InvalidArgumentsError, RequestError, UnknownToolError
from openenv_lite.trainers.lanes import Ticket, TrainerLanes
from openenv_lite.trainers.origin import Origin
from openenv_lite.trainers.outcome import Outcome, failure
from openenv_lite.trainers.rows import options_of
from openenv_lite.trainers.spoken import Call, Messages, answer_to, calls_in, with_first, with_tools
from openenv_lite.trainers.turn import Turn

try:
    import torch
    from nemo_rl.environments.interfaces import EnvironmentInterface, EnvironmentReturn
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"NeMo-RL's interface needs {error.name}: install NeMo-RL from its repository, for the "
        "package of that name on the registry is empty",
        name=error.name,
    ) from error

__all__ = ["NemoRLEnvironment", "NemoRLOptions"]

_TICKET = "openenv_episode"
_HEARD = "openenv_messages"
"""In the metadata: which episode, and how many messages its conversation had at the last step."""

Metadata = dict[str, Any]


class NemoRLOptions(ConnectionOptions, total=False):
    r"""Keyword arguments of `NemoRLEnvironment` beside those that say where the environment is.

    Attributes:
        template: What stands around an observation, at `{}`; NeMo-RL appends it to the tokens as
            it is, so put the marks of your model's chat template there. `"\n{}\n"` by default.
        idle_s: Seconds after which an episode that was not heard of is ended; 600 by default.
    """

    template: str
    idle_s: float


class NemoRLEnvironment(EnvironmentInterface):
    """Many episodes, a step of all of them by one message; a Ray actor by `ray.remote(...)`.

    An episode begins with the first step of a row whose metadata (`extra_env_info`) names none:
    the metadata are what `reset` is told. From then on they name the episode too, and are None
    after its end. What the model says is read as Hermes and Qwen write tool calls; a message
    without any is answered by how to write one.

    Args:
        base_url: As `VectorEnvClient` takes it, of an `openenv_lite` server that allows as many
            sessions as there are rows in a batch.
        app: An ASGI app of this process to talk to without a socket.
        env: An environment's class, or a function that makes one, to play here with no server.
        **options: See `NemoRLOptions`.

    Raises:
        ValueError: Not exactly one of URL, app and env.
        ConnectionFailedError: There is no such server.
        ConfigurationError: A tool is named like a control.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        app: ASGIApp | None = None,
        env: Callable[[], Any] | None = None,
        **options: Unpack[NemoRLOptions],
    ) -> None:
        others: Any = {**options}
        self._template: str = others.pop("template", "\n{}\n")
        idle_s: float = others.pop("idle_s", 600.0)
        place = Place(base_url, app, env)
        planned: Any = {**others, "encoding": "json"}  # as on a server's `/ws`, to the letter
        self._lanes = TrainerLanes(VectorPlan.of(place, 1, planned), idle_s)
        self._origin = Origin.found(place, others)

    def prompt(self, messages: Messages, **options: Any) -> Messages:
        """The prompt of a row, with the tools in its system message and what is shown first.

        Args:
            messages: The chat before.
            **options: As `reset` takes them; the same as in the row's metadata, seed included.
        """
        with self._origin.episodes() as episodes:
            first = episodes.reset(**options)
        return with_first(with_tools(messages, self._origin.toolbox.tools), first.text)

    def step(
        self,
        message_log_batch: Sequence[Messages],
        metadata: Sequence[Metadata],
        return_extracted_answer: bool = False,
    ) -> EnvironmentReturn:
        """Carry out the tool calls in the last message of each conversation.

        Args:
            message_log_batch: Conversations, each ending in what the model said.
            metadata: One for each.
            return_extracted_answer: What NeMo-RL's evaluation asks for; there are no answers.

        Raises:
            OpenEnvError: An episode was lost, or the server; rewards would be none of the model's.
        """
        tickets = self._tickets(message_log_batch, metadata)
        said = {t: log[-1]["content"] for t, log in zip(tickets, message_log_batch, strict=True)}
        turns = self._turns(said)
        self._lanes.end(ticket for ticket, turn in turns.items() if turn.done)
        told = [turns[ticket] for ticket in tickets]
        return EnvironmentReturn(
            observations=[self._message(turn) for turn in told],
            metadata=[
                None if turn.done else {**row, _TICKET: ticket, _HEARD: len(log)}
                for turn, row, ticket, log in zip(
                    told, metadata, tickets, message_log_batch, strict=True
                )
            ],
            next_stop_strings=[None] * len(told),
            rewards=torch.tensor([turn.reward for turn in told], dtype=torch.float32),
            terminateds=torch.tensor([turn.done for turn in told], dtype=torch.bool),
            answers=[None] * len(told),
        )

    def global_post_process_and_metrics(self, batch: Any) -> tuple[Any, dict[str, float]]:
        """End what was cut off in a batch after its last step; the mean of its rewards."""
        self._lanes.end(
            row[_TICKET] for row in batch.get("extra_env_info") or () if row and _TICKET in row
        )
        rewards = batch.get("total_reward")
        if rewards is None or len(rewards) == 0:
            return batch, {}
        return batch, {"mean_reward": float(rewards.float().mean())}

    def shutdown(self) -> None:
        """End all sessions."""
        self._lanes.close()

    def _tickets(self, logs: Sequence[Messages], metadata: Sequence[Metadata]) -> list[Ticket]:
        """The episode of each row; begun where the row names none, or its conversation is new."""
        is_new = [
            _TICKET not in row or len(log) <= row[_HEARD]
            for log, row in zip(logs, metadata, strict=True)
        ]
        known = [row[_TICKET] for row, new in zip(metadata, is_new, strict=True) if not new]
        if len({*known}) < len(known):
            raise RequestError("Two conversations of a batch are in the same episode")
        rows = [row for row, new in zip(metadata, is_new, strict=True) if new]
        self._lanes.end(row[_TICKET] for row in rows if _TICKET in row)
        begun = iter(self._lanes.begin([options_of(row, (_TICKET, _HEARD)) for row in rows]))
        return [
            next(begun) if new else row[_TICKET] for row, new in zip(metadata, is_new, strict=True)
        ]

    def _turns(self, said: Mapping[Ticket, str]) -> dict[Ticket, Turn]:
        """Carry out what was said in each episode: the first calls of all, then the second."""
        turns = {ticket: Turn([]) for ticket in said}
        left: dict[Ticket, list[Call]] = {}
        for ticket, text in said.items():
            try:
                left[ticket] = calls_in(text)
            except InvalidArgumentsError as error:
                turns[ticket].outcomes.append(failure(error))
        while left:
            for ticket, outcome in self._carried_out({t: c.pop(0) for t, c in left.items()}):
                turns[ticket].outcomes.append(outcome)
            left = {t: calls for t, calls in left.items() if calls and not turns[t].done}
        return turns

    def _carried_out(self, calls: Mapping[Ticket, Call]) -> list[tuple[Ticket, Outcome]]:
        """One call in each of some episodes, by one message."""
        actions, outcomes = {}, []
        for ticket, call in calls.items():
            try:
                actions[ticket] = self._origin.toolbox.action(call.name, call.arguments)
            except UnknownToolError as error:
                outcomes.append((ticket, failure(error)))
        return [*outcomes, *self._lanes.act(actions).items()]

    def _message(self, turn: Turn) -> dict[str, str]:
        text = self._template.replace("{}", answer_to(turn.outcomes))
        return {"role": "environment", "content": text}
