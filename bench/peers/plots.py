"""The plots of docs/plots, drawn by Debian's matplotlib as SVG: the same figures give the same bytes."""

import math

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as pyplot  # noqa: E402 (only once it knows that there is no screen)
import matplotlib.ticker as ticker  # noqa: E402

from report import named  # noqa: E402
from results import OURS, P50, RATE, THREADS, spread  # noqa: E402

matplotlib.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "writeahead", "font.size": 9, "font.family": "sans-serif",
    "axes.grid": True, "grid.color": "#dddddd", "grid.linewidth": 0.6, "axes.spines.top": False,
    "axes.spines.right": False, "axes.axisbelow": True,
})

SIZES = (("append_64", 64), ("append_1k", 1 << 10), ("append_8k", 8 << 10))
FLOOR = "the device alone"
# Of a timeline: so many points at most are drawn beside those that began a segment.
SLOTS = 800


def style(results, system):
    """Each system looks the same in every plot; ours and the floor stand out."""
    if system == OURS:
        return {"color": "black", "linewidth": 2.4, "zorder": 5}
    if system == FLOOR:
        return {"color": "black", "linewidth": 1.2, "linestyle": ":", "zorder": 4}
    number = [name for name in results.systems() if name != OURS].index(system)
    colours = matplotlib.colormaps["tab10"].colors
    return {"color": colours[number % len(colours)], "linewidth": 1.2,
            "linestyle": "-" if number < len(colours) else "--"}


def figure(title, x, y):
    drawing, axes = pyplot.subplots(figsize=(8, 4.2), layout="constrained")
    axes.set(title=title, xlabel=x, ylabel=y)
    return drawing, axes


def scale_by_powers(axes):
    """A logarithmic axis with plain numbers, also between the powers where it has less than one."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_minor_formatter(ticker.LogFormatter())


def save(drawing, axes, path, legend=None):
    axes.legend(**(legend or {"loc": "center left", "bbox_to_anchor": (1, 0.5), "frameon": False}))
    drawing.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(drawing)
    # matplotlib leaves blanks at the ends of lines.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def nines(percentile):
    """Where a percentile stands on an axis of nines: 90, 99 and 99.9 are equally far from each other."""
    return -math.log10(1 - min(percentile, 99.99) / 100)


def distribution(results, scenario, system):
    """Of each percentile the median over the rounds. The greatest is not one, and is left out."""
    values = {}
    for result in results.of(scenario, system):
        for percentile, us in result.get("distribution_us", []):
            if percentile < 100:
                values.setdefault(percentile, []).append(us)
    return [(percentile, spread(found).median) for percentile, found in sorted(values.items())]


def floor_spread(results, scenario, percentile):
    return spread(result.get("floor", {}).get("latency_us", {}).get(percentile)
                  for result in results.of(scenario, OURS))


def plot_latency(results, path):
    drawing, axes = figure("Durable appends of 64 bytes by one thread", "percentile", "microseconds")
    for system in results.systems("append_64"):
        points = distribution(results, "append_64", system)
        axes.plot([nines(p) for p, _ in points], [us for _, us in points], label=named(results, system),
                  **style(results, system))
    floor = [(float(name[1:]), floor_spread(results, "append_64", name)) for name in ("p50", "p90", "p99", "p99.9")]
    floor = [(p, found.median) for p, found in floor if found]
    if floor:
        axes.plot([nines(p) for p, _ in floor], [us for _, us in floor], marker=".", label=FLOOR,
                  **style(results, FLOOR))
    ticks = (0, 50, 75, 90, 95, 99, 99.9)
    axes.set_xticks([nines(tick) for tick in ticks], [f"{tick:g}" for tick in ticks])
    scale_by_powers(axes)
    save(drawing, axes, path)


def plot_threads(results, path):
    drawing, axes = figure("Durable appends of 64 bytes by writers that wait for each", "writers",
                           "records a second")
    lines = [(named(results, system), system, "threads", {}) for system in results.systems()]
    lines.insert(1, (f"{named(results, OURS)}, coroutines", OURS, "tasks", {"linestyle": "--"}))
    for label, system, kind, more in lines:
        points = [(writers, results.figure(f"{kind}_{writers}", system, RATE)) for writers in THREADS]
        points = [(writers, found.median) for writers, found in points if found]
        if points:
            axes.plot(*zip(*points), marker="o", markersize=3, label=label,
                      **{**style(results, system), **more})
    axes.set_xscale("log", base=2)
    axes.set_xticks(THREADS, [str(writers) for writers in THREADS])
    scale_by_powers(axes)
    save(drawing, axes, path)


def plot_sizes(results, path):
    drawing, axes = figure("Durable appends by one thread: the median", "bytes of a record", "microseconds")
    lines = {system: [(size, results.figure(scenario, system, P50)) for scenario, size in SIZES]
             for system in results.systems()}
    lines[FLOOR] = [(size, floor_spread(results, scenario, "p50")) for scenario, size in SIZES]
    for system, points in lines.items():
        points = [(size, found.median) for size, found in points if found]
        if points:
            axes.plot(*zip(*points), marker="o", markersize=3,
                      label=FLOOR if system == FLOOR else named(results, system), **style(results, system))
    axes.set_xscale("log", base=2)
    axes.set_xticks([size for _, size in SIZES], ["64", "1 Ki", "8 Ki"])
    scale_by_powers(axes)
    save(drawing, axes, path)


def thinned(points, slots=SLOTS):
    """Of (time, value) the greatest value of each slot of time, so that no peak is lost."""
    if len(points) <= slots:
        return points
    start, end = points[0][0], points[-1][0]
    greatest = {}
    for time, value in points:
        slot = min(int((time - start) / (end - start) * slots), slots - 1) if end > start else 0
        if slot not in greatest or value > greatest[slot][1]:
            greatest[slot] = (time, value)
    return [greatest[slot] for slot in sorted(greatest)]


def series(results):
    return next((result["series_us"] for result in results.of("rotate_timeline", OURS) if result.get("series_us")), [])


def plot_timeline(results, path):
    points = series(results)
    others = [(time, us) for time, us, is_rotating in points if not is_rotating]
    drawing, axes = figure("A run with rotations, WriteAhead: each durable append", "milliseconds", "microseconds")
    label = "an append" if len(others) <= SLOTS else f"an append: the slowest of each 1/{SLOTS} of the time"
    axes.plot(*zip(*thinned(others)), ".", color="#888888", markersize=3, label=label)
    rotating = [(time, us) for time, us, is_rotating in points if is_rotating]
    if rotating:
        axes.plot(*zip(*rotating), "o", color="#c03030", markersize=4, label="one that begins a segment")
    axes.set_ylim(bottom=0)
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12), "ncols": 2, "frameon": False}
    save(drawing, axes, path, below)


PLOTS = (
    ("latency.svg", "Distribution of the time that a durable append of 64 bytes takes", plot_latency,
     lambda results: results.systems("append_64")),
    ("threads.svg", "Appends a second over the number of threads", plot_threads,
     lambda results: any(results.systems(f"threads_{writers}") for writers in THREADS)),
    ("sizes.svg", "Median time of a durable append over the size of the record", plot_sizes,
     lambda results: any(results.systems(scenario) for scenario, _ in SIZES)),
    ("timeline.svg", "Time of each append in a run with rotations", plot_timeline, series),
)


def draw_all(results, directory):
    """Draws what there are results for. Returns (file name, what it shows) of each."""
    directory.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, shown, draw, has_results in PLOTS:
        if has_results(results):
            draw(results, directory / name)
            drawn.append((name, shown))
    return drawn
