"""What the runs said, and the figures that are made of it. Pure: nothing is read, run or written."""

import dataclasses
import math
import statistics
from typing import Callable

from systems import OURS

# Of the crate that has our name.
CRATE = "writeahead"
THREADS = (1, 8, 64, 256, 1024)
TASKS = THREADS[1:]
PEER_SCENARIOS = ("append_64", "append_1k", "append_8k", "rotate_4", *(f"threads_{n}" for n in THREADS),
                  "in_flight", "batch_1000", "large_1m", "point_reads", "replay_64", "replay_1k")
OWN_SCENARIOS = (*(f"tasks_{n}" for n in TASKS), "follow_1", "follow_10", "follow_100", "open_10k", "standby",
                 "idle", "rotate_timeline", "in_flight_fresh", "large_in_flight", "read_many")
# Of the index library, which two programs print: no run of ours or of a peer.
INDEX = "index"
SCENARIOS = (*PEER_SCENARIOS, *OWN_SCENARIOS, INDEX)


@dataclasses.dataclass(frozen=True)
class Figure:
    """Something that a result says: nothing where it does not."""

    title: str
    of: Callable
    is_rate: bool = False


def latency(percentile, key="latency_us"):
    return lambda result: result.get(key, {}).get(percentile)


def rate(result):
    if "records_per_second" in result:
        return result["records_per_second"]
    return result["records"] / result["seconds"] if result.get("records") and result.get("seconds") else None


def bytes_rate(result):
    # The device's floor says it itself.
    if "bytes_per_second" in result:
        return result["bytes_per_second"] / 2**20
    found = rate(result)
    return found and found * result["record_bytes"] / 2**20


def cpu_us(result):
    records = result.get("records")
    return result["cpu_seconds"] / records * 1e6 if records and "cpu_seconds" in result else None


def cpu_ms_a_second(result):
    seconds = result.get("seconds")
    return result["cpu_seconds"] / seconds * 1e3 if seconds and "cpu_seconds" in result else None


P50, P99 = Figure("p50, us", latency("p50")), Figure("p99, us", latency("p99"))
P999, MAX = Figure("p99.9, us", latency("p99.9")), Figure("max, us", latency("max"))
RATE = Figure("records a second", rate, is_rate=True)
MIB_RATE = Figure("MiB a second", bytes_rate, is_rate=True)
CPU = Figure("CPU us a record", cpu_us)
ROTATING = (Figure("p50 where a segment begins, us", latency("p50", "rotating_us")),
            Figure("p99 there, us", latency("p99", "rotating_us")),
            Figure("p50 of the others, us", latency("p50", "others_us")))


def figures(scenario):
    """What a scenario's table shows. The first is what the systems are compared by."""
    if scenario.startswith("append_"):
        return (P50, P99, P999, RATE, CPU)
    if scenario.startswith("threads_"):
        return (RATE, P50, P99, CPU)
    return {"rotate_4": (*ROTATING, P99, MAX), "in_flight": (RATE, CPU), "batch_1000": (RATE, P50, P99, CPU),
            "large_1m": (MIB_RATE, P50, P99), "point_reads": (RATE, CPU),
            "replay_64": (RATE, MIB_RATE, CPU), "replay_1k": (RATE, MIB_RATE, CPU)}.get(scenario, (P50, P99, RATE, CPU))


@dataclasses.dataclass(frozen=True)
class Spread:
    """Of one figure over the rounds."""

    median: float
    least: float
    most: float
    rounds: int


def spread(values):
    values = [value for value in values if value is not None and math.isfinite(value)]
    return Spread(statistics.median(values), min(values), max(values), len(values)) if values else None


class Results:
    """The stored runs: of each scenario what each system said in each round."""

    def __init__(self, stored):
        self.stored = stored

    def by_round(self, scenario, system):
        """{round: result} of the rounds in which it did well."""
        return {run["round"]: run["result"] for run in self.stored["runs"]
                if (run["system"], run["scenario"]) == (system, scenario)
                and "result" in run and "unsupported" not in run["result"]}

    def of(self, scenario, system):
        return list(self.by_round(scenario, system).values())

    def figure(self, scenario, system, figure):
        return spread(figure.of(result) for result in self.of(scenario, system))

    def systems(self, scenario=None):
        """All that said something, ours first, the others as they were run first."""
        return sorted({run["system"]: None for run in self.stored["runs"]
                       if scenario in (None, run["scenario"]) and self.of(run["scenario"], run["system"])},
                      key=lambda system: system != OURS)

    def ranked(self, scenario):
        """(system, spread) by the first figure, the best first."""
        first = figures(scenario)[0]
        found = [(system, self.figure(scenario, system, first)) for system in self.systems(scenario)]
        return sorted([pair for pair in found if pair[1]], key=lambda pair: pair[1].median, reverse=first.is_rate)

    def best_peer(self, scenario):
        return next((pair for pair in self.ranked(scenario) if pair[0] != OURS), None)

    def scenarios(self):
        """Those that were run, in the order of the contract, then others."""
        run = {run["scenario"]: None for run in self.stored["runs"]}
        return [name for name in SCENARIOS if name in run] + [name for name in run if name not in SCENARIOS]

    def version(self, system):
        return next((run["result"].get("version", "") for run in self.stored["runs"]
                     if run["system"] == system and "result" in run), "")

    def notes(self, system):
        """What it says about how it was set up: {note: scenarios}."""
        notes = {}
        for scenario in self.scenarios():
            for result in self.of(scenario, system)[:1]:
                if result.get("note"):
                    notes.setdefault(result["note"], []).append(scenario)
        return notes

    def left_out(self):
        """{(system, reason): scenarios} of what a system cannot do, or failed to do."""
        reasons = {}
        for run in self.stored["runs"]:
            reason = run["result"].get("unsupported") if "result" in run else f"failed: {run['failure']}"
            if reason:
                reasons.setdefault((run["system"], reason), {})[run["scenario"]] = None
        return {key: list(scenarios) for key, scenarios in reasons.items()}


def rocksdb_targets(table):
    """Those of the example in front of RocksDB, by the table that it prints: writers, rates and ratio."""
    limits = {"1": 1.5, "64": 2}
    rows = [line.split() for line in table.splitlines()]
    return [{"name": f"durable puts by {row[0]} writers with this log in front of RocksDB, to RocksDB's own",
             "value": float(row[3]), "unit": "times", "kind": "at_least", "limit": limits.get(row[0])}
            for row in rows if len(row) == 4 and row[0].isdigit()]


@dataclasses.dataclass(frozen=True)
class Target:
    scenario: str
    name: str
    value: Spread | None
    limit: float
    is_at_most: bool
    floor: Spread | None = None  # what bare writes had, where that explains the value

    @property
    def bound(self):
        return f"at {'most' if self.is_at_most else 'least'} {self.limit:,g}"

    @property
    def is_met(self):
        if self.value is None:
            return None
        return self.value.median <= self.limit if self.is_at_most else self.value.median >= self.limit


def own_targets(results):
    """Those that our command judges itself, by the median over the rounds."""
    found = {}
    for scenario in results.scenarios():
        for result in results.of(scenario, OURS):
            for target in result.get("targets", []):
                key = (scenario, target["name"], target["limit"], target["kind"] == "at_most")
                found.setdefault(key, []).append(target)
    return [Target(scenario, name, spread(target["value"] for target in targets), limit, is_at_most,
                   spread(target.get("floor") for target in targets))
            for (scenario, name, limit, is_at_most), targets in found.items()]


def counted_targets(results):
    """What is counted, and not timed."""
    found = results.stored.get("instructions")
    if not found:
        return []
    return [Target("append", "instructions outside of system calls", spread([found]), 1200, is_at_most=True)]


# (scenario, how many times the rate, of the best peer or of a named one, in which of its
# scenarios). With one writer there is nobody to share a barrier with: threads_1 is no such target.
# Our writers are threads there, and coroutines in `tasks_*`; a peer's are what it is faster with.
COMPARED = (*((f"threads_{n}", 2, None, f"threads_{n}") for n in TASKS),
            *((f"tasks_{n}", 2, None, f"threads_{n}") for n in TASKS), ("in_flight", 10, None, "in_flight"),
            ("point_reads", 10, CRATE, "point_reads"), ("read_many", 10, CRATE, "point_reads"),
            ("replay_64", 3, CRATE, "replay_64"))


def compared_targets(results):
    return [compared(results, *target) for target in COMPARED if target[0] in results.scenarios()]


def compared(results, scenario, limit, peer, theirs_is):
    named = f"the Rust crate {peer}'s" if peer else "the best peer's"
    pair = (peer, results.figure(theirs_is, peer, RATE)) if peer else results.best_peer(theirs_is)
    value = None
    if pair and pair[1]:
        named += "" if scenario == theirs_is else f" in `{theirs_is}`"
        named += "" if peer else f" ({pair[0]})"
        # Round by round, as both were disturbed by the same.
        ours, theirs = results.by_round(scenario, OURS), results.by_round(theirs_is, pair[0])
        value = spread(rate(ours[number]) / rate(theirs[number]) for number in ours if number in theirs)
    return Target(scenario, f"rate to {named}", value, limit, is_at_most=False)
