"""What may be named on the command line, and what is said where it may not."""

import os
import textwrap
from pathlib import Path

import pytest

from openenv_lite import GenericEnvClient
from openenv_lite.errors import ConfigurationError
from openenv_lite.loading import Plan
from openenv_lite.types import ServerMode

SHOP = """
    from openenv_lite import Environment, Observation, create_app

    class Shop(Environment):
        def __init__(self, price: int = 1, name: str = "shop"):
            self.price, self.name = price, name

        def reset(self):
            return Observation(metadata={"price": self.price, "name": self.name})

        def step(self, action):
            return Observation()

    def typed(price: int = 2) -> Shop:
        return Shop(price)

    def untyped(price=3):
        return Shop(price)

    def chosen(price=4):
        return type("Chosen", (Shop,), {"__init__": lambda self: Shop.__init__(self, price)})

    def ready(price=5):
        return create_app(lambda: Shop(price))

    class Shops:
        class Needy(Shop):
            def __init__(self, level: int):
                self.level = level

    fixed = create_app(Shop, mode="simulation")
    app = create_app(Shop)
    """


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Name of a new module in the working directory."""
    name = f"shop_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(SHOP))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def price(target: str, **arguments: object) -> object:
    app = Plan(target=target, arguments=arguments).app()
    with GenericEnvClient(app=app).sync() as client:
        return client.reset().metadata["price"]


@pytest.mark.parametrize(
    ("suffix", "default"),
    [("", 1), (":Shop", 1), (":typed", 2), (":untyped", 3), (":chosen", 4), (":ready", 5)],
)
def test_classes_and_factories_take_arguments(shop: str, suffix: str, default: int) -> None:
    assert price(shop + suffix) == default
    assert price(shop + suffix, price=9) == 9


@pytest.mark.parametrize(
    ("suffix", "arguments", "told"),
    [
        ("", {"colour": "red"}, r"does not fit Shop\(price.*'colour'"),
        (":typed", {"colour": "red"}, r"does not fit typed"),
        (":app", {"price": 1}, "ready app"),
        (":Nothing", {}, "check the name after the colon"),
        (":Shops.Needy", {}, r"Give --env KEY=VALUE for Needy\(level: int\)"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_served(
    shop: str, suffix: str, arguments: dict[str, object], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Plan(target=shop + suffix, arguments=arguments).app()


def test_production_is_not_given_to_an_app_that_stays_in_simulation(shop: str) -> None:
    with pytest.raises(ConfigurationError, match="fixes its mode"):
        Plan(target=f"{shop}:fixed", mode=ServerMode.PRODUCTION).app()


def test_a_ready_app_is_told_the_mode_and_the_process_keeps_its_variables(shop: str) -> None:
    before = dict(os.environ)
    app = Plan(target=f"{shop}:app", mode=ServerMode.PRODUCTION).app()
    assert "/reset" not in {getattr(route, "path", None) for route in getattr(app, "routes", ())}
    assert dict(os.environ) == before


def test_a_folder_without_a_package_serves_its_app(shop: str, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "openenv.yaml").write_text(f"name: plain\napp: {shop}:app\n")
    assert price(str(folder)) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1", "no environment class and no app"),
        ("import numpyx", "needs numpyx: run pip install numpyx"),
        ("x = 1\n1 / 0", r"ZeroDivisionError.*line 2"),
        ("x =", r"SyntaxError.*line 1"),
        (SHOP + "class Other(Shop): ...\n", "several environments: name one, "),
    ],
)
def test_a_module_with_nothing_to_serve_says_what_to_do(shop: str, text: str, told: str) -> None:
    name = f"{shop}_odd"
    Path(f"{name}.py").write_text(textwrap.dedent(text))
    with pytest.raises(ConfigurationError, match=told):
        Plan(target=name).app()
