"""What faults do to a writer: the longest time without an acknowledgement around each of them.

A system has `appends`, the command of such a writer; `primary`, the node on which it depends now; `kill` and `start`
of what runs there; and `await_whole`.
"""

import time

import cluster
from figures import FAULTS, longest_gap
from writer import Writer

SETTLE_SECONDS = 5
# Longer than the heartbeat grace and what comes behind it: a heal must not cut the stall short.
HOLD_SECONDS = {"kill": 6, "return": 6, "cut": 12, "heal": 6}


def measure(system, directory, repetitions, say):
    """{fault: a stall for each repetition}, in seconds."""
    system.await_whole()
    writer = Writer(system.appends(), directory)
    try:
        writer.settle(time.monotonic(), SETTLE_SECONDS)
        moments = []
        for _ in range(repetitions):
            moments += [*down_and_up(system, writer, "kill", system.kill, "return", system.start),
                        *down_and_up(system, writer, "cut", cut, "heal", heal)]
            for fault, begin, end in moments[-len(FAULTS):]:
                say(f"{fault}: {longest_gap(writer.times(), begin, end):.2f} s")
        writer.stop()
    finally:
        writer.kill()
    times = writer.times()
    return {fault: [longest_gap(times, begin, end) for name, begin, end in moments if name == fault]
            for fault in FAULTS}


def cut(node):
    cluster.set_link(node, "down")


def heal(node):
    cluster.set_link(node, "up")


def down_and_up(system, writer, down, take, up, give):
    """(fault, when it began, when the next one might) of both."""
    node = system.primary()
    taken = time.monotonic()
    take(node)
    writer.settle(taken, HOLD_SECONDS[down])
    given = time.monotonic()
    give(node)
    system.await_whole()
    writer.settle(given, HOLD_SECONDS[up])
    ended = time.monotonic()
    # One acknowledgement behind the end shows that no stall goes on there.
    writer.settle(ended, 0)
    return (down, taken, given), (up, given, ended)
