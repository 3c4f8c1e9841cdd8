"""The older routes' letter, as a client sees it that knows nothing of the server's language.

    python3 quirks.py

Reaches the coordinator at COORDINATOR_URL, which must take anybody and auction for AUCTION seconds. Ends with 0 if
everything is as it was with the original, otherwise with what is not.
"""

import http.client
import json
import os
import sys
import time
import urllib.parse

URL = urllib.parse.urlsplit(os.environ["COORDINATOR_URL"])
NOBODY = "00000000-0000-4000-8000-000000000000"
OVER = "No open auction for this task \u2014 it may have already closed."


def ask(method, path, body=None, kind=None):
    connection = http.client.HTTPConnection(URL.hostname, URL.port, timeout=30)
    headers = {} if kind is None else {"Content-Type": kind}
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.headers.get_content_type() == "application/json", (path, answer.headers)
    return answer.status, json.loads(text)


def form(path, **fields):
    body = urllib.parse.urlencode(fields)
    return ask("POST", path, body, "application/x-www-form-urlencoded")


def parts(path, **fields):
    lines = []
    for name, value in fields.items():
        lines += ["--frontier", f'Content-Disposition: form-data; name="{name}"', "", value]
    body = "\r\n".join([*lines, "--frontier--", ""]).encode()
    return ask("POST", path, body, "multipart/form-data; boundary=frontier")


def bid(body):
    return ask("POST", "/internal/bids", json.dumps(body), "application/json")


def same(what, found, expected):
    assert found == expected, f"{what}: {found!r} and not {expected!r}"


def until(status, task):
    while True:
        code, listed = ask("GET", f"/swarm/tasks?status={status}")
        same("a list of tasks", code, 200)
        for row in listed["tasks"]:
            if row["id"] == task:
                return row
        time.sleep(0.05)


def main():
    code, given = form("/swarm/tasks", description="sing \u00e4 & b")
    same("a task", code, 200)
    same("a task's fields", sorted(given), ["description", "status", "task_id"])
    same("its text", given["description"], "sing \u00e4 & b")
    same("its standing", given["status"], "bidding")
    task = given["task_id"]

    code, listed = ask("GET", "/internal/tasks")
    same("open tasks", code, 200)
    assert {"task_id": task, "description": "sing \u00e4 & b", "status": "bidding"} in listed, listed

    good = {"task_id": task, "agent_id": "timmy", "bid_sats": 21, "capabilities": ""}
    taken = {"accepted": True, "task_id": task, "agent_id": "timmy", "message": "Bid accepted."}
    same("a bid", bid(good), (200, taken))
    same("a bid again", bid(good), (200, taken))
    same("no capabilities", bid({**good, "capabilities": None}), (200, taken))
    del good["capabilities"]
    same("capabilities left out", bid(good), (200, taken))
    same("a number as text", bid({**good, "bid_sats": "21"}), (200, taken))
    for sats in (0, -7):
        same("too little", bid({**good, "bid_sats": sats}), (422, {"detail": "bid_sats must be > 0"}))
    refused = {"accepted": False, "task_id": NOBODY, "agent_id": "timmy", "message": OVER}
    same("a bid for nothing", bid({**good, "task_id": NOBODY}), (200, refused))

    code, faults = bid({"agent_id": "timmy", "bid_sats": 1.5})
    same("a bid of another form", code, 422)
    for fault in faults["detail"]:
        assert {"type", "loc", "msg", "input"} <= set(fault), fault
    same("its faults", [fault["loc"] for fault in faults["detail"]], [["body", "task_id"], ["body", "bid_sats"]])
    same("their kinds", [fault["type"] for fault in faults["detail"]], ["missing", "int_from_float"])
    code, faults = ask("POST", "/internal/bids", "{", "application/json")
    same("no JSON", (code, faults["detail"][0]["type"]), (422, "json_invalid"))
    code, faults = form("/swarm/tasks")
    same("no description", (code, faults["detail"][0]["loc"]), (422, ["body", "description"]))

    row = until("assigned", task)
    fields = ["assigned_agent", "completed_at", "created_at", "description", "id", "result", "status"]
    same("an assigned task's fields", sorted(row), fields)
    same("whose it is", row["assigned_agent"], "timmy")
    same("what is not there yet", (row["result"], row["completed_at"]), (None, None))
    same("a bid too late", bid(good)[1]["message"], OVER)
    code, agents = ask("GET", "/swarm/agents")
    standing = {agent["id"]: agent["status"] for agent in agents["agents"]}
    same("who has won", standing["timmy"], "busy")

    code, faults = form(f"/swarm/tasks/{task}/complete")
    same("no result", (code, faults["detail"][0]["loc"]), (422, ["body", "result"]))
    same("a result of nothing", form(f"/swarm/tasks/{NOBODY}/complete", result="la")[0], 404)
    same("a result", form(f"/swarm/tasks/{task}/complete", result="la + la"), (200, {"task_id": task, "status": "completed"}))
    row = until("completed", task)
    same("what came of it", row["result"], "la + la")
    assert row["completed_at"] is not None, row
    code, agents = ask("GET", "/swarm/agents")
    standing = {agent["id"]: agent["status"] for agent in agents["agents"]}
    same("who is done", standing["timmy"], "idle")

    code, given = parts("/swarm/tasks", description="a form in parts")
    same("a form in parts", (code, given["description"]), (200, "a form in parts"))
    second = given["task_id"]
    bid({**good, "task_id": second})
    until("assigned", second)
    failed = form(f"/swarm/tasks/{second}/fail", reason="no voice")
    same("a failure", failed, (200, {"task_id": second, "status": "failed"}))
    same("why", until("failed", second)["result"], "no voice")

    code, auctioned = form("/swarm/tasks/auction", description="nobody wants it")
    same("an auction", code, 200)
    fields = ["assigned_agent", "description", "status", "task_id", "winning_bid"]
    same("its fields", sorted(auctioned), fields)
    same("no bids", (auctioned["status"], auctioned["winning_bid"]), ("failed", None))
    print("all is as it was", flush=True)


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(f"{error}")
