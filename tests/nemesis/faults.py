"""The faults. Each is a generator: it begins when it is made to go on first, and ends the second time.

Each looks whether it acts, and raises Failure if it does not. What it breaks together with what may
break beside it is in RESOURCES.
"""

import os
import signal

import cluster
import processes
from processes import FENCED, Failure

SEEN_SECONDS = 20
TAKEOVER_SECONDS = 60


def await_seen(run, is_seen, what, seconds=SEEN_SECONDS):
    run.wait_until(is_seen, seconds, what)


def kill_osd(run):
    osd = run.random.choice(cluster.OSDS)
    run.say(f"kill -9 of {osd}")
    processes.kill_daemon(osd)
    yield
    run.say(f"{osd} returns")
    cluster.start_daemon(osd)


def kill_monitor(run):
    run.say("kill -9 of the monitor")
    processes.kill_daemon("mon.a")
    yield
    run.say("the monitor returns")
    cluster.start_daemon("mon.a")


def kill_all_osds(run):
    run.say("kill -9 of all OSDs")
    for osd in cluster.OSDS:
        processes.kill_daemon(osd)
    yield
    run.say("all OSDs return")
    for osd in cluster.OSDS:
        cluster.start_daemon(osd)


def stop_osd(run):
    osd = run.random.choice(cluster.OSDS)
    run.say(f"SIGSTOP of {osd}")
    pid = processes.kill_daemon(osd, signal.SIGSTOP)
    await_seen(run, lambda: processes.is_stopped(pid), f"{osd} does not stop")
    yield
    run.say(f"SIGCONT of {osd}")
    os.kill(pid, signal.SIGCONT)


def kill_writer(run):
    writer = run.await_owner()
    run.say(f"kill -9 of writer {writer.number}")
    writer.signal(signal.SIGKILL)
    writer.process.wait()
    yield


def cut(run, nodes):
    run.say(f"link cut of {' and '.join(nodes)}")
    for node in nodes:
        cluster.set_link(node, "down")
    for node in nodes:
        if processes.is_reached(node):
            raise Failure(f"{node} is reached although its link is cut")
    yield
    run.say(f"link healed of {' and '.join(nodes)}")
    for node in nodes:
        cluster.set_link(node, "up")
        await_seen(run, lambda node=node: processes.is_reached(node), f"{node} is not reached again")


def cut_osd(run):
    yield from cut(run, [run.random.choice(cluster.OSDS)])


def cut_two_osds(run):
    yield from cut(run, run.random.sample(cluster.OSDS, 2))


def cut_monitor(run):
    yield from cut(run, ["mon.a"])


def cut_writer(run):
    """Another writer takes over meanwhile; the one that was cut off is told so afterwards."""
    writer = run.await_owner()
    if writer.place != "client":
        writer = run.start_writer("client")
        run.await_owner()
    yield from away(run, writer, cut(run, ["client"]))


def stop_writer(run):
    """A zombie: SIGSTOP past a takeover."""
    yield from away(run, run.await_owner(), stopped(run))


def stopped(run):
    writer = run.newest
    run.say(f"SIGSTOP of writer {writer.number}")
    writer.signal(signal.SIGSTOP)
    await_seen(run, lambda: processes.is_stopped(writer.process.pid), f"writer {writer.number} does not stop")
    yield
    run.say(f"SIGCONT of writer {writer.number}")
    writer.signal(signal.SIGCONT)


def away(run, writer, fault):
    """A fault that keeps a writer from the log until another one owns it."""
    next(fault)
    other = run.start_writer("machine")
    yield
    await_seen(run, lambda: other.acknowledgements > 0 or not other.look(),
               f"writer {other.number} acknowledged nothing", TAKEOVER_SECONDS)
    is_taken = other.acknowledgements > 0
    finish(fault)
    await_seen(run, lambda: not writer.look(), f"writer {writer.number} goes on after a takeover", TAKEOVER_SECONDS)
    if is_taken and writer.process.returncode != FENCED:
        # Its patience may have ended before it could be told.
        run.say(f"writer {writer.number} ended with {writer.process.returncode}: {writer.last_words()}")
    run.fenced += writer.process.returncode == FENCED


def rivals(run):
    """Two more writers at the same time; one of the three owns the log in the end."""
    first = run.await_owner()
    run.say("two rivals")
    run.start_writer("client")
    run.start_writer("machine")
    yield
    await_seen(run, lambda: not first.look(), f"writer {first.number} goes on after a takeover", TAKEOVER_SECONDS)
    run.fenced += first.process.returncode == FENCED


def fill(run):
    run.say("the cluster is full")
    processes.set_ratios(0.0001, 0.0001, 0.0001)
    await_seen(run, lambda: "full" in processes.flags_of_pool(), "the pool does not become full")
    yield
    run.say("the cluster has space")
    processes.set_ratios(0.95, 0.9, 0.85)
    await_seen(run, lambda: "full" not in processes.flags_of_pool(), "the pool stays full")


def finish(fault):
    for _ in fault:
        raise RuntimeError("a fault has one beginning and one end")


# What each takes: two with nothing in common may come together. To cut a writer off may need another
# one in its place first, which has to ask a monitor.
RESOURCES = {
    kill_osd: {"osd"},
    stop_osd: {"osd"},
    kill_all_osds: {"osd", "service"},
    cut_osd: {"osd"},
    cut_two_osds: {"osd", "service"},
    kill_monitor: {"monitor"},
    cut_monitor: {"monitor"},
    kill_writer: {"writer"},
    stop_writer: {"writer", "service"},
    cut_writer: {"writer", "service", "monitor"},
    rivals: {"writer"},
    fill: {"monitor", "osd", "service"},
}
KINDS = tuple(RESOURCES)
# What is cut off is given up by the others after a grace of 5 s: some cuts end before, some behind that.
CUTS = (cut_osd, cut_two_osds, cut_monitor, cut_writer)
CUT_SECONDS, OTHER_SECONDS = (2, 12), (2, 6)


def deck(random):
    """All kinds, in an order of the seed, for ever; the zombie early, so that each run has one."""
    while True:
        cards = list(KINDS)
        random.shuffle(cards)
        cards.remove(stop_writer)
        cards.insert(random.randrange(3), stop_writer)
        yield from cards


def beside(random, fault):
    """Sometimes a second one, which takes nothing of the first one's."""
    others = [other for other in KINDS if not RESOURCES[other] & RESOURCES[fault] and other is not stop_writer]
    return random.choice(others) if others and random.random() < 0.3 else None


def length_of(random, fault, zombie_seconds, longest):
    if fault is stop_writer:
        return zombie_seconds
    return min(random.uniform(*(CUT_SECONDS if fault in CUTS else OTHER_SECONDS)), longest)


def in_order(kinds):
    """Writers begin with all there, and are taken over when all is there again; OSDs return to a monitor."""
    return sorted(kinds, key=lambda kind: 0 if "writer" in RESOURCES[kind] else 1 + ("monitor" in RESOURCES[kind]))


def play(run, kinds, seconds):
    """Begins them together, and ends them the other way round."""
    kinds = in_order(kinds)
    going = []
    for kind in kinds:
        fault = kind(run)
        next(fault)
        going.append(fault)
        run.played[kind.__name__] = run.played.get(kind.__name__, 0) + 1
    run.wait(seconds)
    for fault in reversed(going):
        finish(fault)


