#!/usr/bin/env python3
"""Three log servers, a pushing client, a consumer, and a recovery after one of them was killed.

  demo.py PROGRAM      in the present directory; exits with 0 if nothing that was committed is missing
"""

import contextlib
import signal
import subprocess
import sys

PROGRAM = sys.argv[1]
TAGS = 6


def call(*words, codes=(0,)):
    done = subprocess.run([PROGRAM, *map(str, words)], stdout=subprocess.PIPE, text=True, check=False, timeout=60)
    if done.returncode not in codes:
        sys.exit(f"{' '.join(map(str, words))} ended with {done.returncode}")
    return [int(word) for word in done.stdout.split()]


def serve(directory):
    server = subprocess.Popen([PROGRAM, "serve", directory], stdout=subprocess.PIPE, text=True)
    return server, int(server.stdout.readline())


def consume(ports):
    return sorted(version for tag in range(TAGS) for version in call("consume", *ports, tag))


with contextlib.ExitStack() as stack:
    servers, ports = zip(*(serve(f"server{i}") for i in range(3)))
    for server in servers:
        stack.callback(server.kill)

    committed = call("push", *ports, 1, 0, 50)
    assert committed == list(range(1, 51)) and consume(ports) == committed
    print(f"generation 1: {len(committed)} versions committed on three servers, and consumed")

    # While a client pushes, one server dies.
    client = subprocess.Popen([PROGRAM, "push", *map(str, ports), "1", "50", "100000"], stdout=subprocess.PIPE, text=True)
    for line in client.stdout:
        committed.append(int(line))
        if len(committed) == 80:
            servers[0].send_signal(signal.SIGKILL)
    assert client.wait() == 3
    left = [0, *ports[1:]]

    recovered, = call("recover", *left, 2)
    assert recovered >= committed[-1]
    call("push", *left, 1, recovered, 1, codes=(3,))
    print("one server killed: the others were locked, and refuse generation 1")
    went_on = call("push", *left, 2, recovered, 50)
    assert len(went_on) == 50
    consumed = consume(left)
    assert set(committed + went_on) <= set(consumed) and consumed == list(range(1, recovered + 51))
    print("generation 2: 50 more on two servers; nothing that was committed is missing")

    # A log server that comes back knows that it was locked.
    servers[1].send_signal(signal.SIGKILL)
    servers[1].wait()
    again, port = serve("server1")
    stack.callback(again.kill)
    call("push", 0, port, ports[2], 1, recovered + 50, 1, codes=(3,))
    assert len(call("push", 0, port, ports[2], 2, recovered + 50, 5)) == 5
    print("a server that was started again goes on, and refuses generation 1")
