#!/usr/bin/python3
"""Goal: the report says what the runs said: medians, ratios, targets, and what is missing, with its reason.

Method: results made by hand, of which every figure can be told beforehand. The plots are drawn twice, where
there is a matplotlib.

    bench/peers/report_test.py
"""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import report  # noqa: E402 (found by the path above)
import systems  # noqa: E402
from results import (CRATE, OURS, P50, RATE, Results, compared_targets, counted_targets, figures,  # noqa: E402
                     own_targets, rocksdb_targets, spread)

MACHINE = {"date": "2026-01-02", "commit": "abc", "processor": "P", "cores": 2, "memory_gib": 4.0, "system": "Linux",
           "file_system": "ext4 (rw)", "device": "/dev/x", "load_before": 0.1, "load_after": 0.2}


def latency_run(system, p50, floor=None, round_number=0, **more):
    shape = {"p50": 1, "p90": 2, "p99": 3, "p99.9": 4, "max": 5}
    latencies = {name: p50 * times for name, times in shape.items()}
    result = {"version": "1", "scenario": "append_64", "record_bytes": 64, "records": 2000, "seconds": p50 / 1e3,
              "cpu_seconds": 0.1, "latency_us": latencies,
              "distribution_us": [[0, p50 / 2], [50, p50], [99.9, p50 * 4], [100, p50 * 5]], **more}
    if floor:
        result["floor"] = {"latency_us": {name: floor * times for name, times in shape.items()}, "method": "dsync"}
    return {"round": round_number, "system": system, "scenario": "append_64", "result": result}


def rate_run(system, scenario, rate, round_number=0):
    return {"round": round_number, "system": system, "scenario": scenario,
            "result": {"scenario": scenario, "record_bytes": 64, "records": rate, "seconds": 1.0, "cpu_seconds": 0.5}}


def results_of(*runs, absent=()):
    return Results({"command": "scripts/bench-peers", "rounds": 1, "machine": MACHINE, "runs": list(runs),
                    "absent": list(absent)})


class Spreads(unittest.TestCase):
    def test_median_of_an_odd_number_is_the_one_in_the_middle(self):
        self.assertEqual((spread([5, 1, 3]).median, spread([5, 1, 3]).least, spread([5, 1, 3]).most), (3, 1, 5))

    def test_median_of_an_even_number_lies_between(self):
        self.assertEqual(spread([4, 1, 3, 2]).median, 2.5)

    def test_missing_values_do_not_count(self):
        self.assertEqual(spread([None, 2, float("nan")]).rounds, 1)
        self.assertIsNone(spread([None]))


class IndexLibrary(unittest.TestCase):
    FIGURES = [{"name": "memory", "value": 28.6, "unit": "B an entry", "kind": "at_most", "limit": 32},
               {"name": "find", "value": 9.5, "unit": "M/s", "kind": "at_least", "limit": 10}]

    def test_figures_stand_beside_their_targets(self):
        table = report.index_table({"figures": self.FIGURES})
        self.assertIn("| memory | at most 32 | 28.6 B an entry | yes |", table)
        self.assertIn("| find | at least 10 | 9.50 M/s | **no** |", table)

    def test_failure_is_told(self):
        self.assertIn("no compiler", report.index_table({"failure": "no compiler"}))

    def test_table_of_the_example_is_read(self):
        printed = ("durable puts a second, medians of 5 rounds\n writers   this front      RocksDB    ratio\n"
                   "       1         8959         6583     1.38\n       8        27153        17005     1.58\n")
        one, eight = rocksdb_targets(printed)
        self.assertEqual((one["value"], one["limit"]), (1.38, 1.5))
        self.assertEqual((eight["value"], eight["limit"]), (1.58, None))

    def test_page_has_a_section_for_it(self):
        results = results_of(latency_run(OURS, 100))
        results.stored["index"] = {"figures": self.FIGURES}
        self.assertIn("## The index library", report.page(results, []))


class Ranking(unittest.TestCase):
    def test_least_latency_is_the_best(self):
        results = results_of(latency_run("a", 300), latency_run("b", 200), latency_run(OURS, 100))
        self.assertEqual([system for system, _ in results.ranked("append_64")], [OURS, "b", "a"])
        self.assertEqual(results.best_peer("append_64")[0], "b")

    def test_greatest_rate_is_the_best(self):
        results = results_of(*(rate_run(name, "in_flight", rate) for name, rate in (("a", 10), ("b", 30))))
        self.assertEqual(results.best_peer("in_flight")[0], "b")

    def test_every_scenario_has_a_figure_to_compare_by(self):
        self.assertEqual(figures("append_1k")[0], P50)
        self.assertEqual(figures("threads_64")[0], RATE)
        self.assertTrue(all(figures(name) for name in ("rotate_4", "large_1m", "point_reads", "another")))


class Targets(unittest.TestCase):
    def test_own_target_is_judged_by_the_median_of_the_rounds(self):
        target = {"name": "p50 at most 1.05 x floor", "limit": 1.05, "kind": "at_most", "met": True}
        runs = [latency_run(OURS, 100, round_number=number, targets=[{**target, "value": value}])
                for number, value in enumerate((1.0, 1.2, 1.1))]
        found = own_targets(results_of(*runs))
        self.assertEqual([(found[0].value.median, found[0].is_met)], [(1.1, False)])

    def test_target_says_its_bound_and_what_bare_writes_had(self):
        target = {"name": "rotating to others", "limit": 1.15, "kind": "at_most", "value": 1.5, "floor": 1.4}
        text = report.targets_table(own_targets(results_of(latency_run(OURS, 100, targets=[target]))))
        self.assertIn("| at most 1.15 | 1.50 [1.50..1.50] | 1.40 [1.40..1.40] | **no** |", text)

    def test_rate_is_compared_with_the_best_peer(self):
        results = results_of(rate_run(OURS, "threads_8", 100), rate_run("a", "threads_8", 40),
                             rate_run("b", "threads_8", 60))
        target, = compared_targets(results)
        self.assertIn("(b)", target.name)
        self.assertAlmostEqual(target.value.median, 100 / 60)
        self.assertFalse(target.is_met)

    def test_coroutines_are_compared_with_the_best_of_the_writers(self):
        results = results_of(rate_run(OURS, "threads_8", 100), rate_run(OURS, "tasks_8", 300),
                             rate_run("a", "threads_8", 100))
        threads, tasks = compared_targets(results)
        self.assertEqual((threads.value.median, tasks.value.median), (1, 3))
        self.assertIn("in `threads_8` (a)", tasks.name)
        self.assertIn("a coroutine a writer", report.comparison(results, "threads_8"))

    def test_rates_are_compared_round_by_round(self):
        results = results_of(rate_run(OURS, "threads_8", 100, 0), rate_run(OURS, "threads_8", 10, 1),
                             rate_run("a", "threads_8", 5, 1))
        self.assertEqual(compared_targets(results)[0].value.most, 2)

    def test_rate_of_reads_is_compared_with_the_crate_only(self):
        results = results_of(rate_run(OURS, "replay_64", 90), rate_run("a", "replay_64", 80),
                             rate_run(CRATE, "replay_64", 30))
        target, = compared_targets(results)
        self.assertEqual((target.value.median, target.is_met), (3, True))

    def test_instructions_are_a_target_once_they_were_counted(self):
        results = results_of(rate_run(OURS, "append_64", 90))
        self.assertEqual(counted_targets(results), [])
        results.stored["instructions"] = 3080
        target, = counted_targets(results)
        self.assertEqual((target.value.median, target.is_met), (3080, False))

    def test_target_without_its_peer_is_neither_met_nor_missed(self):
        target, = compared_targets(results_of(rate_run(OURS, "point_reads", 90)))
        self.assertIsNone(target.is_met)
        self.assertIn("| not measured |", report.targets_table([target]))


class Page(unittest.TestCase):
    def test_number_keeps_what_says_something(self):
        self.assertEqual([report.number(value) for value in (1234567.8, 123.4, 12.34, 1.234, 0.01234, 0, None)],
                         ["1,234,568", "123", "12.3", "1.23", "0.0123", "0.00", ""])

    def test_table_has_a_row_for_each_system_with_its_ratio_to_ours(self):
        text = report.comparison(results_of(latency_run("a", 250), latency_run(OURS, 100, floor=80)), "append_64")
        rows = [line for line in text.splitlines() if line.startswith("|")][2:]
        self.assertEqual([row.split(" | ")[:3] for row in rows],
                         [["| **WriteAhead 1**", "100 [100..100]", "1.00"],
                          ["| the device alone (dsync)", "80.0 [80.0..80.0]", "0.80"],
                          ["| a 1", "250 [250..250]", "2.50"]])

    def test_whatever_is_missing_is_named_with_its_reason(self):
        results = results_of(
            latency_run(OURS, 100),
            {"round": 0, "system": "a", "scenario": "rotate_4", "result": {"unsupported": "no segments"}},
            {"round": 0, "system": "b", "scenario": "in_flight", "failure": "disk full"},
            absent=[{"name": "c", "reason": "no compiler"}])
        text = report.absences(results)
        for line in ("- c: not built: no compiler", "- a, `rotate_4`: no segments",
                     "- b, `in_flight`: failed: disk full"):
            self.assertIn(line, text)

    def test_note_is_said_once_and_then_what_others_add(self):
        runs = [latency_run("a", 100, note="sync"), rate_run("a", "batch_1000", 1), rate_run("a", "in_flight", 1)]
        runs[1]["result"]["note"] = "sync"
        runs[2]["result"]["note"] = "sync; in batches"
        text = report.setups(results_of(*runs))
        self.assertTrue(text.endswith("- a 1: sync\n  - `in_flight`: in batches\n"), text)

    def test_page_shows_own_scenarios_with_numbers_that_nobody_else_has(self):
        run = rate_run(OURS, "open_10k", 10)
        run["result"]["open_us"] = 250
        text = report.page(results_of(run), [("a.svg", "A")])
        self.assertIn("open_us 250 |", text)
        self.assertIn("![A](plots/a.svg)", text)


class Toolchains(unittest.TestCase):
    def test_needed_version_is_read_from_the_manifest(self):
        self.assertEqual(systems.rust_needed('[package]\nedition = "2024"\n'), "1.85")
        self.assertEqual(systems.rust_needed('rust-version = "1.90"\nedition = "2024"\n'), "1.90")
        self.assertEqual(systems.go_needed("module m\n\ngo 1.26.0\n"), "1.26.0")

    def test_version_of_a_package_is_the_upstream_one(self):
        self.assertEqual(systems.debian_version("golang-go:\n  Installed: (none)\n  Candidate: 2:1.19~1\n"), "1.19")
        self.assertEqual(systems.debian_version("cargo:\n  Candidate: 0.66.0+ds1-1\n"), "0.66.0")
        self.assertIsNone(systems.debian_version("  Candidate: (none)\n"))
        self.assertLess(systems.version("1.9"), systems.version("1.19"))

    def test_first_error_of_a_build_is_what_is_said(self):
        self.assertEqual(systems.first_error("a\nfoo.c:1: error: no\nbar\nninja: stopped\n"), "foo.c:1: error: no")
        self.assertEqual(systems.first_error("[1/2] Building error.cc.o\nninja: stopped\n"), "ninja: stopped")
        self.assertEqual(systems.first_error("a\nb\n\n"), "b")


class Plots(unittest.TestCase):
    def setUp(self):
        import plots
        self.plots = plots

    def test_same_results_give_the_same_bytes(self):
        timeline = {"round": 0, "system": OURS, "scenario": "rotate_timeline", "result": {
            "series_us": [[time, 100 + time % 7, int(time % 50 == 0)] for time in range(2000)]}}
        results = results_of(latency_run(OURS, 100, floor=80), latency_run("a", 300),
                             rate_run(OURS, "threads_8", 9), rate_run("a", "threads_64", 5), timeline)
        drawn = []
        for _ in range(2):
            with tempfile.TemporaryDirectory() as directory:
                names = [name for name, _ in self.plots.draw_all(results, pathlib.Path(directory))]
                drawn.append({name: (pathlib.Path(directory) / name).read_bytes() for name in names})
        self.assertEqual(drawn[0], drawn[1])
        self.assertEqual(set(drawn[0]), {"latency.svg", "threads.svg", "sizes.svg", "timeline.svg"})
        self.assertIn(b"WriteAhead 1</text>", drawn[0]["latency.svg"])

    def test_plot_without_results_is_left_out(self):
        with tempfile.TemporaryDirectory() as directory:
            drawn = self.plots.draw_all(results_of(rate_run(OURS, "in_flight", 1)), pathlib.Path(directory))
        self.assertEqual(drawn, [])

    def test_percentiles_stand_by_their_nines(self):
        self.assertEqual([round(self.plots.nines(p), 9) for p in (0, 90, 99, 99.9)], [0, 1, 2, 3])

    def test_thinned_series_keeps_each_peak(self):
        points = [(time, 1000 if time == 4321 else 1) for time in range(10000)]
        thinned = self.plots.thinned(points, slots=100)
        self.assertEqual(len(thinned), 100)
        self.assertIn((4321, 1000), thinned)


if __name__ == "__main__":
    unittest.main()
