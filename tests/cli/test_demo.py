"""`openenv-lite demo`: what a newcomer sees first."""

import re

from tests.cli.process import run


def test_the_demo_runs_to_its_end() -> None:
    result = run("demo", "--episodes", "40")
    assert (result.returncode, result.stderr) == (0, "")
    told = [
        r"Serving Blackjack-v1 \(gym_env\) in simulation mode on http://127\.0\.0\.1:\d+",
        r"plays 40 episodes",
        r"episodes.*40",
        r"return.*-?\d\.\d{4} ± \d\.\d{4}",
        r"steps/s",
        r"failures.* 0 ",
        r"Serving EchoEnvironment \(echo_env\) in production mode",
        r"echo_message: Echo back",
        r"echo_loudly\(message='Hello'\) -> 'HELLO'",
        r"POST /reset -> 404",
    ]
    place = 0
    for pattern in told:
        match = re.compile(pattern).search(result.stdout, place)
        assert match, (pattern, result.stdout)
        place = match.end()
