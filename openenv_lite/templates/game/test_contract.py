"""What everybody may rely on who uses this environment."""

from openenv_lite import GenericEnvClient, create_app
from openenv_lite.testing import check_environment

from .server.my_environment import GUESSES, MyEnvironment


def test_it_keeps_the_contract() -> None:
    check_environment(MyEnvironment, budget_s=4)


def test_the_number_is_rewarded() -> None:
    with GenericEnvClient(app=create_app(MyEnvironment)).sync() as env:
        env.reset(seed=7)
        result = env.step({"number": env.state()["secret"]})
    assert (result.observation["hint"], result.reward, result.done) == ("found", 1.0, True)


def test_the_last_guess_ends_the_episode() -> None:
    with GenericEnvClient(app=create_app(MyEnvironment)).sync() as env:
        env.reset(seed=7)
        wrong = env.state()["secret"] % 100 + 1
        results = [env.step({"number": wrong}) for _ in range(GUESSES)]
    assert [result.done for result in results] == [False] * (GUESSES - 1) + [True]
    assert {result.reward for result in results} == {0.0}
