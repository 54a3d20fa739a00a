"""What everybody may rely on who uses this environment."""

from openenv_lite import GenericEnvClient, ListToolsAction, create_app
from openenv_lite.testing import check_environment

from .models import PROPERTIES, TOOLS
from .server.my_environment import MyEnvironment


def test_it_keeps_the_contract() -> None:
    check_environment(MyEnvironment, budget_s=4)


def test_methods_are_tools_and_properties_are_the_trainers() -> None:
    with GenericEnvClient(app=create_app(MyEnvironment)).sync() as env:
        env.reset()
        listed = env.step(ListToolsAction()).observation["tools"]
        state = env.state()
    assert [tool["name"] for tool in listed] == list(TOOLS)
    assert {*PROPERTIES} <= state.keys()
