"""What was measured, made into the figures of docs/replication.md. Pure: nothing is measured or written."""

import dataclasses
import textwrap

from report import how_many, number, table
from results import spread

OURS, ETCD = "WriteAhead", "etcd"
BEGIN, END = "<!-- figures: written by scripts/bench-rados -->\n", "<!-- end of figures -->\n"

FAULTS = ("kill", "return", "cut", "heal")


@dataclasses.dataclass(frozen=True)
class Stall:
    title: str
    limit: float | None = None
    # What of etcd goes through the same.
    beside: str = ""


STALLS = {"kill": Stall("longest stall at `kill -9` of the primary OSD", 3, " or of the leader"),
          "return": Stall("longest stall at its return", 4),
          "cut": Stall("longest stall at a silent cut of the primary's link", 12, " or the leader's"),
          "heal": Stall("longest stall when the link is back")}


class Unmeasured(Exception):
    """Something has no figure: there is nothing to report then."""


def longest_gap(times, begin, end):
    """The longest time between two acknowledgements of which some lies between `begin` and `end`."""
    gaps = [later - earlier for earlier, later in zip(times, times[1:]) if later > begin and earlier < end]
    # Without an acknowledgement on both sides the stall has no end, or nobody knows when it began.
    if not gaps or times[0] > begin or times[-1] < end:
        raise Unmeasured("a fault lies outside of the acknowledgements")
    return max(gaps)


def over_rounds(rounds, system):
    """{name: (spread, the figure as one round said it)}: each round has to say all."""
    said = [{figure["name"]: figure for figure in each[system]} for each in rounds]
    if not said or not said[0] or any(each.keys() != said[0].keys() for each in said):
        raise Unmeasured(f"a round of {system} lacks figures")
    found = {name: (spread(each[name]["value"] for each in said), figure) for name, figure in said[0].items()}
    for name, (values, _) in found.items():
        if values is None or values.rounds != len(rounds):
            raise Unmeasured(f"{system}, {name}: a value is no number")
    return found


def is_met(value, kind, limit):
    return value >= limit if kind == "at_least" else value <= limit


def with_range(values, unit):
    if values.least == values.most:
        return f"{number(values.median)} {unit}".strip()
    return f"{number(values.median)} [{number(values.least)}..{number(values.most)}] {unit}".strip()


def worst(values):
    """Of stalls the worst counts; the others stand behind it."""
    return f"{max(values):.2f} [{', '.join(f'{value:.2f}' for value in values)}] s"


@dataclasses.dataclass(frozen=True)
class Row:
    title: str
    target: str
    measured: str
    is_met: bool


def target_rows(stored):
    rows = []
    for name, (values, figure) in over_rounds(stored["rounds"], OURS).items():
        if "limit" not in figure:
            continue
        kind, limit, unit = figure["kind"], figure["limit"], figure["unit"]
        bound = f"at {'least' if kind == 'at_least' else 'most'} {limit:,g} {unit}".strip()
        # What must never happen is not made up for by a round in which it did not.
        judged = values.most if limit == 0 else values.median
        rows.append(Row(name, bound if limit else "0", with_range(values, unit), is_met(judged, kind, limit)))
    for fault in FAULTS:
        stall = STALLS[fault]
        values = stalls_of(stored, OURS, fault)
        if stall.limit is not None:
            rows.append(Row(stall.title, f"at most {stall.limit:g} s", worst(values), max(values) <= stall.limit))
    return rows


def stalls_of(stored, system, fault):
    values = stored["stalls"].get(system, {}).get(fault, [])
    if not values or len(values) != stored["repetitions"]:
        raise Unmeasured(f"{system}: the stall '{fault}' was not measured {stored['repetitions']} times")
    return values


def targets(stored):
    words = {True: "yes", False: "**no**"}
    return table(["figure", "target", "measured", "met"],
                 [[row.title, row.target, row.measured, words[row.is_met]] for row in target_rows(stored)])


def are_all_met(stored):
    return all(row.is_met for row in target_rows(stored))


def beside_etcd(stored):
    """Whatever both were asked."""
    ours, theirs = over_rounds(stored["rounds"], OURS), over_rounds(stored["rounds"], ETCD)
    missing = [name for name in theirs if name not in ours]
    if missing:
        raise Unmeasured(f"{OURS} has no figure '{missing[0]}'")
    rows = [[name, *(with_range(values, figure["unit"]) for values, figure in (ours[name], theirs[name]))]
            for name in theirs]
    for fault in FAULTS:
        rows.append([STALLS[fault].title + STALLS[fault].beside,
                     *(worst(stalls_of(stored, system, fault)) for system in (OURS, ETCD))])
    return table(["", OURS, f"etcd {stored['versions']['etcd']}"], rows)


def section(stored):
    """What stands between the markers."""
    machine, versions = stored["machine"], stored["versions"]
    told = (f"Each value is the median of {how_many(len(stored['rounds']))} with the least and the greatest of them in "
            f"brackets; of stalls the worst counts, and all {stored['repetitions']} stand behind it. Measured by "
            f"`{stored['command']}`, {machine['date']}, commit {machine['commit']}, Ceph {versions['ceph']} and etcd "
            f"{versions['etcd']}, on {machine['cores']} cores ({machine['processor']}) with {machine['memory_gib']} GiB, "
            f"{machine['system']}, all copies on one disk ({machine['device']}, {machine['file_system'].split()[0]}); load "
            f"{machine['load_before']} before.")
    return (f"\n{textwrap.fill(told, 120, break_on_hyphens=False)}\n\n{targets(stored)}\n"
            f"The same records beside etcd, in the same run:\n\n{beside_etcd(stored)}\n")


def put_between_markers(text, made):
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        raise Unmeasured("the document has no place for figures: its markers are gone")
    return text[:begin + len(BEGIN)] + made + text[end:]
