"""docs/performance.md, made of the results. Pure: text out of what was measured."""

from results import (CPU, CRATE, OURS, P50, P99, P999, PEER_SCENARIOS, RATE, Figure, compared_targets,
                     counted_targets, cpu_ms_a_second, figures, own_targets, spread)

HEAD = """# Performance

How long appends, reads and replays take here, beside the bare device and beside other logs, with every
acknowledged record durable. What limits each figure, and why, is in [design/0004-performance.md](design/0004-performance.md);
what each scenario is, and what a peer's driver has to keep, in [bench/peers/README.md](../bench/peers/README.md).

This page is written by `scripts/bench-peers`, which measures all of it again. Do not edit it.
"""

READING = """
Each value is the median of {rounds} with the least and the greatest of them in brackets. In a round each
system runs the scenario once, on the same directory; who goes first changes. "x ours" is the median divided by
ours: of a time, above 1 is slower than ours; of a rate, below 1 is. The other columns are medians. "The device
alone" is what the same writes take without a log, measured in the runs of ours.
"""

INDEX_HEAD = """
## The index library

10 million ids of 64 bits in an `IdIndex`; logs of 1 GiB in a `TagLog`; RocksDB with this log in front of it.
`build/release/bin/index_figures DIR` and `build/release/bin/example_rocksdb_front bench DIR` print these, as
medians of three and of five rounds. What limits them is in [design/0005-index.md](design/0005-index.md).

"""

TITLES = {
    "append_64": "Appends of 64 bytes by one thread",
    "append_1k": "Appends of 1 KiB by one thread",
    "append_8k": "Appends of 8 KiB by one thread",
    "rotate_4": "Appends where every fourth begins a segment",
    "in_flight": "One thread, at most 10,000 records not yet durable",
    "batch_1000": "Batches of 1,000 records of 64 bytes",
    "large_1m": "Appends of 1 MiB",
    "point_reads": "Reads of 64 bytes in random order",
    "replay_64": "Replay of 2,000,000 records of 64 bytes",
    "replay_1k": "Replay of 200,000 records of 1 KiB",
}


def title(scenario):
    if scenario.startswith("threads_"):
        writers = int(scenario.removeprefix("threads_"))
        return f"Appends of 64 bytes by {writers:,} thread{'s' if writers > 1 else ''}"
    return TITLES.get(scenario, scenario)


def number(value):
    """Three digits at least, and no more behind the point than say something."""
    if value is None:
        return ""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 or size == 0 else 4
    return f"{value:,.{digits}f}"


def with_range(found):
    if found is None:
        return ""
    return f"{number(found.median)} [{number(found.least)}..{number(found.most)}]"


def how_many(rounds):
    return f"{rounds} round{'s' if rounds > 1 else ''}"


def table(heading, rows):
    """A table in Markdown; all columns but the first are flush right."""
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def named(results, system):
    """With what it is called and its version."""
    known = "writeahead (the crate)" if system == CRATE else system
    return f"{known} {results.version(system)}".strip()


def floor_row(results, scenario, columns):
    """The device's own figures, which our runs measure beside ours."""
    floors = []
    for result in results.of(scenario, OURS):
        if "floor" in result:
            # Of a floor there are times and bytes; records are those of the run.
            floor = {"records": result.get("records"), "record_bytes": result.get("record_bytes"), **result["floor"]}
            floors.append(floor)
    if not floors:
        return []
    first, *others = [spread(column.of(floor) for floor in floors) for column in columns]
    ours = results.figure(scenario, OURS, columns[0])
    ratio = number(first.median / ours.median) if first and ours and ours.median else ""
    method = floors[0].get("method", "")
    return [[f"the device alone{f' ({method})' if method else ''}", with_range(first), ratio,
             *(number(found and found.median) for found in others)]]


def tasks_row(results, scenario, columns):
    """Ours once more, with coroutines instead of threads."""
    name = scenario.replace("threads_", "tasks_")
    first, *others = [results.figure(name, OURS, column) for column in columns]
    ours = results.figure(scenario, OURS, columns[0])
    if not scenario.startswith("threads_") or not first or not ours:
        return []
    return [[f"**{named(results, OURS)}**, a coroutine a writer (`{name}`)", with_range(first),
             number(first.median / ours.median), *(number(found and found.median) for found in others)]]


def comparison(results, scenario):
    """The table of a scenario: ours, the floor, and the peers from the best on."""
    columns = figures(scenario)
    ours = results.figure(scenario, OURS, columns[0])
    rows = []
    for system, first in results.ranked(scenario):
        others = [results.figure(scenario, system, column) for column in columns[1:]]
        ratio = number(first.median / ours.median) if ours and ours.median else ""
        name = f"**{named(results, system)}**" if system == OURS else named(results, system)
        rows.append([name, with_range(first), ratio, *(number(found and found.median) for found in others)])
    rows.sort(key=lambda row: not row[0].startswith("**"))
    rows[1:1] = tasks_row(results, scenario, columns) + floor_row(results, scenario, columns)
    heading = ["system", columns[0].title, "x ours", *(column.title for column in columns[1:])]
    return f"\n### {title(scenario)} (`{scenario}`)\n\n" + table(heading, rows)


OWN_COLUMNS = (P50, P99, P999, RATE, CPU,
               Figure("mean group", lambda result: result.get("mean_group")),
               Figure("barriers a second", lambda result: result.get("barriers_per_second")),
               Figure("CPU ms a second", cpu_ms_a_second))
# What a result has beside figures.
DESCRIBING = ("record_bytes", "writers", "records", "seconds", "cpu_seconds", "mean_group", "barriers_per_second")


def others(results, scenario):
    """The medians of all other numbers that our own results have, by their names."""
    names = {name: None for result in results.of(scenario, OURS) for name, value in result.items()
             if isinstance(value, (int, float)) and not isinstance(value, bool) and name not in DESCRIBING}
    found = [(name, spread(result.get(name) for result in results.of(scenario, OURS))) for name in names]
    return ", ".join(f"{name} {number(value.median)}" for name, value in found)


def own_table(results, scenarios):
    """What the peers have nothing beside: our own scenarios, as far as they have these figures."""
    spreads = {scenario: [results.figure(scenario, OURS, column) for column in OWN_COLUMNS] for scenario in scenarios}
    shown = [i for i in range(len(OWN_COLUMNS)) if any(found[i] for found in spreads.values())]
    rows = [[f"`{scenario}`", *(with_range(found[i]) for i in shown), others(results, scenario)]
            for scenario, found in spreads.items()]
    return table(["scenario", *(OWN_COLUMNS[i].title for i in shown), "others"], rows)


def targets_table(targets):
    words = {True: "yes", False: "**no**", None: "not measured"}
    return table(["figure", "target", "value", "of bare writes", "met"],
                 [[f"`{target.scenario}`: {target.name}", target.bound, with_range(target.value),
                   with_range(target.floor), words[target.is_met]] for target in targets])


def index_table(index):
    """What the index library takes; the programs take medians of their own rounds."""
    if "failure" in index:
        return f"Not measured: {index['failure']}\n"
    rows = []
    for figure in index["figures"]:
        limit, is_at_most = figure["limit"], figure["kind"] == "at_most"
        is_met = limit is None or (figure["value"] <= limit if is_at_most else figure["value"] >= limit)
        bound = "" if limit is None else f"at {'most' if is_at_most else 'least'} {limit:,g}"
        rows.append([figure["name"], bound, f"{number(figure['value'])} {figure['unit']}",
                     "" if limit is None else "yes" if is_met else "**no**"])
    return table(["figure", "target", "value", "met"], rows)


def machine_table(results):
    machine = results.stored["machine"]
    load = f"{machine['load_before']} before, {machine.get('load_after', '?')} after"
    rows = [["date, commit", f"{machine['date']}, {machine['commit']}"],
            ["processor", f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB"],
            ["system", machine["system"]], ["file system", machine["file_system"]],
            ["device", machine["device"]], ["load of the machine", load],
            ["command", f"`{results.stored['command']}`"]]
    return "".join(f"| {name} | {value} |\n" for name, value in [["", ""], ["---", "---"], *rows])


def scenario_list(results, scenarios):
    everything = [name for name in results.scenarios() if name in PEER_SCENARIOS]
    return "all" if len(scenarios) > 1 and scenarios == everything else ", ".join(f"`{name}`" for name in scenarios)


def setups(results):
    """How each was told to be durable: what most scenarios have in common, then what others add."""
    lines = []
    for system in results.systems():
        notes = sorted(results.notes(system).items(), key=lambda pair: -len(pair[1]))
        for i, (note, scenarios) in enumerate(notes):
            if i == 0:
                lines.append(f"- {named(results, system)}: {note}\n")
            else:
                lines.append(f"  - {scenario_list(results, scenarios)}: {note.removeprefix(notes[0][0] + '; ')}\n")
    return "".join(["\n## How each was told to be durable\n\n", *lines] if lines else [])


def absences(results):
    reasons = {}
    for absent in results.stored["absent"]:
        reasons.setdefault(absent["reason"], []).append(named(results, absent["name"]))
    lines = [f"- {', '.join(names)}: not built: {reason}\n" for reason, names in reasons.items()]
    for (system, reason), scenarios in results.left_out().items():
        lines.append(f"- {named(results, system)}, {scenario_list(results, scenarios)}: {reason}\n")
    return "\n## What could not be measured\n\n" + "".join(lines or ["Nothing: each did all.\n"])


def page(results, plots):
    """The whole document; `plots` are (file name, what it shows)."""
    scenarios = results.scenarios()
    parts = [HEAD, "\n## Where it was measured\n\n", machine_table(results),
             READING.format(rounds=how_many(results.stored["rounds"]))]
    targets = own_targets(results) + counted_targets(results) + compared_targets(results)
    if targets:
        parts += ["\n## Targets\n\n", targets_table(targets)]
    if plots:
        parts += ["\n## Plots\n"]
        parts += [f"\n![{shown}](plots/{name})\n" for name, shown in plots]
    parts += ["\n## Beside others\n"]
    parts += [comparison(results, name) for name in scenarios if name in PEER_SCENARIOS and results.systems(name)]
    own = [name for name in scenarios if name not in PEER_SCENARIOS and results.of(name, OURS)]
    if own:
        parts += ["\n## WriteAhead alone\n\n", own_table(results, own)]
    if "index" in results.stored:
        parts += [INDEX_HEAD, index_table(results.stored["index"])]
    return "".join([*parts, setups(results), absences(results)])
