"""Visitors of pages, driven over standard input: an order a line, what it gave a line.

In: `["open", url, headers]`, which gives a number, `["call", number, name, ...]`, `["together",
[number, name, ...], ...]`, or `["close", number]`. Out: `[what was seen, null]` or `[null, the
error's text]`.
"""

import json
import sys
from typing import Any

from gradio_client import Client

tabs: list[Client] = []


def obey(order: str, *details: Any) -> Any:
    if order == "open":
        url, headers = details
        tabs.append(Client(url, headers=headers, verbose=False, analytics_enabled=False))
        return len(tabs) - 1
    if order == "together":
        jobs = [tabs[tab].submit(*given, api_name=name) for tab, name, *given in details]
        return [job.result(60) for job in jobs]
    tab = tabs[details[0]]
    if order == "close":
        return tab.close()
    return tab.predict(*details[2:], api_name=details[1])


def main() -> None:
    for line in sys.stdin:
        try:
            answer = [obey(*json.loads(line)), None]
        except Exception as error:  # noqa: BLE001  told to the test
            answer = [None, str(error)]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
