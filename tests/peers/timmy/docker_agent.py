"""A working agent, by what is known of the wire alone: it does the tasks that are assigned to it. It never bids.

    python3 -m timmy.docker_agent

COORDINATOR_URL       where the coordinator is
TIMMY_AGENT_ID        whose tasks it does
PEER_INTERVAL         seconds between two polls, where five are too many for a test
"""

import json
import os
import signal
import sys
import urllib.parse
import urllib.request

TIME_OUT = 10


def call(url, form=None):
    data = None if form is None else urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(url, data=data, timeout=TIME_OUT) as answer:
        return json.load(answer)


def work(description):
    if description.startswith("fail:"):
        raise ValueError(description.removeprefix("fail:").strip())
    return description.upper()


def poll(url, agent):
    for task in call(f"{url}/swarm/tasks?status=assigned")["tasks"]:
        if task["assigned_agent"] != agent:
            continue
        try:
            result = work(task["description"])
        except ValueError as error:
            # A failure is a result like any other, as text.
            result = f"Error: {error}"
        answer = call(f"{url}/swarm/tasks/{task['id']}/complete", {"result": result})
        print(f"{answer['task_id']} is {answer['status']}", flush=True)


def main():
    url = os.environ.get("COORDINATOR_URL", "http://localhost:8000").rstrip("/")
    agent = os.environ.get("TIMMY_AGENT_ID", "timmy")
    interval = float(os.environ.get("PEER_INTERVAL", "5"))

    # Not by a handler that sets an event: where it interrupts the wait for that very event, both wait for ever.
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    print(f"{agent} works for {url}", flush=True)
    while True:
        try:
            poll(url, agent)
        except (OSError, ValueError) as error:
            print(f"a poll failed: {error}", flush=True)
        if signal.sigtimedwait(ends, interval) is not None:
            break
    print(f"{agent} ends", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
