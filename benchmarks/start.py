"""From the command to the first healthy answer: `openenv-lite serve`, and OpenEnv under uvicorn."""

import functools
import http.client
import os
import subprocess
import time

from benchmarks.figures import Bench, Figures, absent, limit, measure, ratio
from benchmarks.machine import ROOT, SERVER_CORE
from benchmarks.processes import Server, end, free_port
from benchmarks.servers import USUAL, original, served

__all__ = ["run_start"]

MOST_MS, GIVE_UP_SECONDS, BETWEEN_TRIES = 500.0, 60.0, 0.002
OURS = "openenv-lite serve"


def run_start(seconds: float, rounds: int) -> list[Bench]:
    """`seconds` has no meaning here: a start takes as long as it takes."""
    servers = {OURS: served("benchmarks.apps.ours:Inline")} | original("sync_app")
    runs = {name: functools.partial(_start_ms, server) for name, server in servers.items()}
    for run in runs.values():
        run()
    figures = [Figures(name, values) for name, values in measure(runs, rounds).items()]
    figures += absent([] if USUAL in servers else [USUAL])
    bench = Bench("start", "From the command to healthy", "ms", figures)
    bench.ratios = [limit(bench, OURS, MOST_MS), ratio(bench, OURS, [USUAL])]
    return [bench]


def _start_ms(server: Server) -> float:
    port = free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        [*server.command, "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        os.sched_setaffinity(process.pid, {SERVER_CORE})
        while not _is_healthy(port):
            if process.poll() is not None or time.perf_counter() - began > GIVE_UP_SECONDS:
                raise RuntimeError(f"{' '.join(server.command)} did not become healthy")
            time.sleep(BETWEEN_TRIES)
        return 1000 * (time.perf_counter() - began)
    finally:
        end(process)


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GIVE_UP_SECONDS)
    try:
        connection.request("GET", "/health")
        reply = connection.getresponse()
        return reply.status == http.HTTPStatus.OK and b"healthy" in reply.read()
    except ConnectionError:
        return False
    finally:
        connection.close()
