"""An agent of `/v1` in one thread, with nothing but CPython: it works until a line on stdin lets it report.

COORDINATOR_URL, COORDINATOR_TOKEN_FILE and AGENT_ID say where, as whom, and who. It does not heed what a pulse tells
it, as somebody might who is in the middle of something: what it has done it reports.
"""

import json
import os
import select
import sys
import urllib.error
import urllib.request

URL = os.environ["COORDINATOR_URL"].rstrip("/")
AGENT = os.environ["AGENT_ID"]
with open(os.environ["COORDINATOR_TOKEN_FILE"]) as file:
    TOKEN = file.read().strip()


def call(method, path, body=None):
    request = urllib.request.Request(
        URL + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=40) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def say(line):
    print(line, flush=True)


def main():
    code, welcome = call("POST", "/v1/agents", {"agent_id": AGENT, "name": AGENT})
    assert code == 200, welcome
    third = welcome["heartbeat_ms"] / 3000
    say("registered")
    while True:
        claim = None
        while claim is None:
            _, tasks = call("GET", "/internal/tasks?wait=1s")
            for task in tasks:
                call("POST", "/internal/bids", {"task_id": task["task_id"], "agent_id": AGENT, "bid_sats": 1})
            _, claim = call("POST", "/v1/claims", {"agent_id": AGENT, "wait_ms": 100})
        say(f"at work on {claim['task_id']}")
        pulse = {"agent_id": AGENT, "attempts": [claim["attempt"]]}
        while not select.select([sys.stdin], [], [], third)[0]:
            call("POST", "/v1/heartbeats", pulse)
        if not sys.stdin.readline():
            return
        report = {"attempt": claim["attempt"], "result": "by python"}
        code, answer = call("POST", f"/v1/tasks/{claim['task_id']}/complete", report)
        say(f"reported: {code} {answer.get('error', {}).get('kind')}")


if __name__ == "__main__":
    main()
