"""The page at `/web`, of a real Gradio, visited by its real clients."""

import base64
import contextlib
import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.web.conftest import Pages, RefusedError, Tab

PICTURES, OBSERVATION, REWARD, DONE, STATE = range(5)


def soon(holds: Callable[[], bool]) -> None:
    """Wait until something holds that another process brings about."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(params=["inline", "threaded", "awaiting"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_visitor_resets_steps_and_sees_what_comes_of_it(pages: Pages, kind: str) -> None:
    with pages.tab(kind) as tab:
        began = tab.call("reset", "4")
        assert began[OBSERVATION]["total"] == 0
        assert began[REWARD:STATE] == ["null", "false"]
        assert began[STATE]["step_count"] == 0
        seen = tab.call("step", 3)
        assert seen[OBSERVATION]["total"] == 3
        assert seen[DONE] == "true"
        assert seen[STATE] == {**began[STATE], "step_count": 1}
    soon(lambda: pages.active(kind) == 0)


def test_two_visitors_have_an_episode_each(pages: Pages) -> None:
    with pages.tab("threaded") as ann, pages.tab("threaded") as bob:
        ann.call("reset", "")
        first = ann.call("step", 1)
        with pytest.raises(RefusedError, match="No episode has begun"):
            bob.call("step", 1)
        bob.call("reset", "")
        assert bob.call("step", 2)[OBSERVATION]["total"] == 2
        second = ann.call("step", 1)
        assert (second[OBSERVATION]["total"], second[REWARD]) == (2, "1")
        assert second[STATE]["episode_id"] == first[STATE]["episode_id"]


@pytest.mark.parametrize("app", ["threaded", "unmodified"])
def test_visitors_who_play_at_once_never_see_each_others_episodes(pages: Pages, app: str) -> None:
    with contextlib.ExitStack() as stack:
        tabs = [stack.enter_context(pages.tab(app)) for _ in range(4)]
        for turn in range(5):
            names = [f"{turn + 1}{number}" for number in range(len(tabs))]
            begin, act = ("wall", "paint") if app == "unmodified" else ("reset", "step")
            began = pages.together(*zip(tabs, [begin] * len(tabs), names, strict=True))
            seen = pages.together(*((tab, act, "red" if act == "paint" else 1) for tab in tabs))
            for name, start, after in zip(names, began, seen, strict=True):
                check_own_episode(app, name, start, after)
        assert pages.active(app) == len(tabs)
    soon(lambda: pages.active(app) == 0)


def check_own_episode(app: str, name: str, start: Any, after: Any) -> None:
    if app == "unmodified":
        assert json.loads(start)["observation"]["wall"] == name
        assert json.loads(after)["observation"]["wall"] == f"{name}r"
        return
    assert start[OBSERVATION]["metadata"]["draw"] == random.Random(int(name)).random()
    assert after[OBSERVATION]["total"] == 1
    assert after[STATE]["episode_id"] == start[STATE]["episode_id"]


def test_a_visitor_who_presses_twice_has_one_session(pages: Pages) -> None:
    with pages.tab("threaded") as tab:
        pages.together((tab, "reset", ""), (tab, "reset", ""), (tab, "reset", ""))
        assert pages.active("threaded") == 1
    soon(lambda: pages.active("threaded") == 0)


def test_a_visitor_takes_a_slot_and_gives_it_back(pages: Pages) -> None:
    with pages.tab("inline") as ann:
        ann.call("reset", "")
        with pages.tab("inline") as bob:
            bob.call("reset", "")
            assert pages.active("inline") == 2
            with pages.tab("inline") as eve, pytest.raises(RefusedError, match="at capacity: 2/2"):
                eve.call("reset", "")
        soon(lambda: pages.active("inline") == 1)
        with pages.tab("inline") as eve:
            assert eve.call("reset", "")[OBSERVATION]["total"] == 0
    soon(lambda: pages.active("inline") == 0)


def test_a_tab_left_open_loses_its_session_and_gets_another(pages: Pages) -> None:
    with pages.tab("idle") as tab:
        tab.call("reset", "")
        soon(lambda: pages.active("idle") == 0)
        with pytest.raises(RefusedError, match="No episode has begun"):
            tab.call("step", 1)
        assert tab.call("reset", "")[OBSERVATION]["total"] == 0
    soon(lambda: pages.active("idle") == 0)


def test_tools_have_a_form_each_and_pictures_are_drawn(pages: Pages) -> None:
    with pages.tab("tools") as tab:
        tab.call("reset", "")
        assert tab.call("add", 2, 3)[OBSERVATION] == {"tool": "add", "result": 5}
        drawn = tab.call("draw")
        assert "base64" in drawn[PICTURES]
        failed = tab.call("fail")
        assert "secret" in json.dumps(failed[OBSERVATION])
    soon(lambda: pages.active("tools") == 0)


def test_a_builder_that_wants_nothing_of_ours_has_its_page_beside_ours(pages: Pages) -> None:
    with pages.tab("bare") as tab:
        assert tab.call("hello") == 7
        assert pages.active("bare") == 0
        assert tab.call("reset", "")[OBSERVATION]["total"] == 0
    config = httpx.get(f"{pages.urls['bare']}/web/config").json()
    tabs = [c["props"].get("label") for c in config["components"] if c["type"] == "tabitem"]
    assert tabs == ["Custom", "Playground"]


def test_a_builder_that_builds_nothing_is_refused(pages: Pages) -> None:
    said = httpx.get(pages.urls["wrong"]).text
    assert said == "gradio_builder must return gr.Blocks, not NoneType"


def test_the_readmes_page_plays(pages: Pages) -> None:
    with pages.tab("readme") as tab:
        tab.call("start")
        answers = (tab.call("guess", number) for number in range(10))
        assert "Yes!" in answers
        with pytest.raises(RefusedError, match="The episode is over"):
            tab.call("guess", 1)


@pytest.fixture
def ann(pages: Pages) -> Iterator[Tab]:
    with pages.tab("unmodified") as tab:
        yield tab
    soon(lambda: pages.active("unmodified") == 0)


@pytest.fixture
def bob(pages: Pages) -> Iterator[Tab]:
    with pages.tab("unmodified") as tab:
        yield tab


def test_an_openenv_builder_is_told_what_it_expects(ann: Tab) -> None:
    assert json.loads(ann.call("about")) == {
        "fields": ["colour", "coats"],
        "choices": ["red", "blue"],
        "is_environment": True,
        "name": "painter_env",
        "title": "painter_env",
        "is_chat_env": False,
        "quick_start": True,
    }


def test_an_openenv_builder_plays_an_episode_of_each_visitor(ann: Tab, bob: Tab) -> None:
    assert json.loads(ann.call("wall", "a"))["observation"]["wall"] == "a"
    assert json.loads(bob.call("wall", "b"))["observation"]["wall"] == "b"
    assert json.loads(ann.call("paint", "red")) == {
        "observation": {"wall": "ar", "metadata": {}},
        "reward": 1.0,
        "done": False,
    }
    assert json.loads(bob.call("get_state"))["step_count"] == 0
    assert json.loads(ann.call("get_state"))["step_count"] == 1
    [[action, reward]] = json.loads(ann.call("log"))
    assert (action["colour"], reward) == ("red", 1.0)
    assert json.loads(bob.call("log")) == []


def test_an_openenv_builder_reaches_into_the_visitors_own_environment(ann: Tab, bob: Tab) -> None:
    ann.call("fill", "red")  # before its first reset, so there is no session yet
    assert ann.call("bucket") == "red"
    assert bob.call("bucket") == "empty"
    assert json.loads(ann.call("wall", "x"))["observation"]["wall"] == "x"
    assert ann.call("bucket") == "red"
    assert ann.call("elsewhere", "y") == "y"
    assert bob.call("elsewhere", "z") == "z"
    assert ann.call("bucket") == "red"


def test_an_openenv_builder_hears_errors_as_exceptions(ann: Tab) -> None:
    assert "No episode has begun" in ann.call("paint", "red")


def test_the_root_and_the_path_without_its_slash_lead_to_the_page(pages: Pages) -> None:
    for path in ("/", "/web"):
        reply = httpx.get(pages.urls["inline"] + path)
        assert reply.headers["location"] == "web/"
        assert httpx.get(pages.urls["inline"] + path, follow_redirects=True).status_code == 200


def test_a_page_works_under_a_prefix_where_nobody_runs_its_lifespan(pages: Pages) -> None:
    with pages.tab("mounted", "/below/web") as tab:
        assert tab.call("reset", "")[OBSERVATION]["total"] == 0
    reply = httpx.get(f"{pages.urls['mounted']}/below/web", follow_redirects=True)
    assert str(reply.url).endswith("/below/web/")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/web",
        "/web/",
        "/web/config",
        "//web/",
        "/web//",
        "/WEB/",
        "/./web/",
        "/%77eb/",
        "/web%2f",
        "/web;a/",
        "/web/gradio_api/info",
        "/mcp/../web/",
    ],
)
def test_production_has_no_page(pages: Pages, path: str) -> None:
    url = httpx.URL(pages.urls["production"]).copy_with(raw_path=path.encode())
    for method in ("GET", "POST", "HEAD", "OPTIONS"):
        assert httpx.request(method, url).status_code == 404


def test_a_page_opens_to_those_who_show_a_token(pages: Pages) -> None:
    url = f"{pages.urls['closed']}/web/"
    refused = httpx.get(url)
    assert refused.status_code == 401
    challenges = refused.headers.get_list("www-authenticate")
    assert [each.partition(" ")[0] for each in challenges] == ["Basic", "Bearer"]
    assert httpx.get(url, auth=("anybody", "a" * 16)).status_code == 200
    assert httpx.get(url, auth=("anybody", "c" * 16)).status_code == 401
    assert httpx.get(url, headers={"authorization": "Basic ??"}).status_code == 401
    token = base64.b64encode(b":" + b"b" * 16).decode()
    for shown in (f"Bearer {'b' * 16}", f"Basic {token}"):
        with pages.tab("closed", authorization=shown) as tab:
            assert tab.call("reset", "")[OBSERVATION]["total"] == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://elsewhere.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "elsewhere.example"}, 421),
        ({"origin": "http://localhost:5173"}, 200),
    ],
)
def test_no_other_web_page_reaches_it(pages: Pages, headers: dict[str, Any], status: int) -> None:
    for path in ("/web/", "/web/config"):
        assert httpx.get(pages.urls["inline"] + path, headers=headers).status_code == status


def test_a_large_request_is_not_read(pages: Pages) -> None:
    body = b"[" + b" " * 9 * 2**20
    reply = httpx.post(f"{pages.urls['inline']}/web/gradio_api/queue/join", content=body)
    assert reply.status_code == 413


def test_no_text_of_a_visitor_keeps_the_server_busy(pages: Pages) -> None:
    almost_a_picture = f"iVBORw0KGgo{' ' * 200_000}!"
    with pages.tab("parrot") as tab:
        tab.call("reset", "")
        assert tab.call("say", almost_a_picture)[OBSERVATION]["result"] == almost_a_picture


def test_what_gradio_fetches_for_somebody_runs_no_script_as_this_server(pages: Pages) -> None:
    page = httpx.get(pages.urls["inline"] + "/web/")
    assert "content-security-policy" not in page.headers
    fetched = httpx.get(pages.urls["inline"] + "/web/gradio_api/info")
    assert fetched.headers["content-security-policy"] == "sandbox"


def test_no_stream_is_open_that_a_stop_would_wait_for(pages: Pages) -> None:
    assert httpx.get(pages.urls["inline"] + "/web/gradio_api/dev/reload").status_code == 404
