"""A polling agent, by what is known of the wire alone: it hears of tasks and bids for them. It never works.

    python3 -m swarm.agent_runner --agent-id ID --name NAME

COORDINATOR_URL       where the coordinator is
AGENT_CAPABILITIES    what it says that it can do, separated by commas
PEER_INTERVAL         seconds between two polls, where five are too many for a test
"""

import argparse
import json
import os
import random
import signal
import sys
import urllib.request

TIME_OUT = 10


def call(url, body=None):
    headers = {} if body is None else {"Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=TIME_OUT) as answer:
        return json.load(answer)


def poll(url, agent, seen):
    for task in call(f"{url}/internal/tasks"):
        if task["task_id"] in seen:
            continue
        # Before the bid: one that fails is not made again.
        seen.add(task["task_id"])
        bid = {
            "task_id": task["task_id"],
            "agent_id": agent,
            "bid_sats": random.randint(10, 100),
            "capabilities": os.environ.get("AGENT_CAPABILITIES", ""),
        }
        # Whatever the answer is.
        call(f"{url}/internal/bids", bid)
        print(f"bid {bid['bid_sats']} sats for {task['task_id']}", flush=True)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--agent-id", required=True)
    arguments.add_argument("--name", required=True)
    given = arguments.parse_args()
    url = os.environ.get("COORDINATOR_URL", "http://localhost:8000").rstrip("/")
    interval = float(os.environ.get("PEER_INTERVAL", "5"))

    # Not by a handler that sets an event: where it interrupts the wait for that very event, both wait for ever.
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    print(f"{given.name} polls {url}", flush=True)
    seen = set()
    while True:
        try:
            poll(url, given.agent_id, seen)
        except (OSError, ValueError) as error:
            print(f"a poll failed: {error}", flush=True)
        if signal.sigtimedwait(ends, interval) is not None:
            break
    print(f"{given.name} ends", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
