"""What everybody may rely on who uses this environment."""

import json
from typing import Any

from openenv_lite import CallToolAction, GenericEnvClient, create_app
from openenv_lite.testing import check_environment

from .server.my_environment import ROWS, MyEnvironment


def answer(env: Any, text: str) -> Any:
    return env.step(CallToolAction(tool_name="answer", arguments={"text": text}))


def test_it_keeps_the_contract() -> None:
    check_environment(MyEnvironment, budget_s=4)


def test_each_answer_is_right_for_its_question_and_no_other() -> None:
    with GenericEnvClient(app=create_app(MyEnvironment)).sync() as env:
        for number, row in enumerate(ROWS):
            assert env.reset(row=number).metadata["question"] == row.question
            right = answer(env, f" {row.answer.upper()}\n")
            env.reset(row=number)
            wrong = answer(env, "something else")
            assert (right.reward, right.done, wrong.reward, wrong.done) == (1.0, True, 0.0, True)


def test_the_seed_chooses_and_all_rows_are_chosen() -> None:
    with GenericEnvClient(app=create_app(MyEnvironment)).sync() as env:
        asked = [env.reset(seed=seed).metadata["question"] for seed in range(100)]
        again = [env.reset(seed=seed).metadata["question"] for seed in range(100)]
    assert asked == again
    assert {*asked} == {row.question for row in ROWS}


def test_the_model_never_sees_an_answer() -> None:
    with GenericEnvClient(app=create_app(MyEnvironment)).sync() as env:
        for number, row in enumerate(ROWS):
            reset = env.reset(row=number)
            asked = env.step(CallToolAction(tool_name="question"))
            told = answer(env, "something else")
            seen = json.dumps([each.observation for each in (reset, asked, told)])
            assert row.answer.casefold() not in seen.casefold()
