#!/usr/bin/python3
"""Goal: the figures of docs/replication.md say what was measured, judge it rightly, and are refused where one lacks.

Method: results made by hand, of which every figure can be told beforehand.

    bench/rados/figures_test.py
"""

import copy
import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE), str(HERE.parent / "peers")]
sys.dont_write_bytecode = True

import figures  # noqa: E402 (found by the path above)
from figures import ETCD, FAULTS, OURS, Unmeasured, longest_gap  # noqa: E402
from writer import Writer  # noqa: E402

P50, RATE, ZOMBIES = "append: p50", "records", "of 1,000, accepted"


def figure(name, value, unit, kind=None, limit=None):
    return {"name": name, "value": value, "unit": unit, **({"kind": kind, "limit": limit} if kind else {})}


def a_round(p50, rate, zombies=0):
    return {OURS: [figure(P50, p50, "ms", "at_most", 5), figure(RATE, rate, "records/s", "at_least", 15000),
                   figure(ZOMBIES, zombies, "", "at_most", 0)],
            ETCD: [figure(P50, 2 * p50, "ms"), figure(RATE, rate / 10, "records/s")]}


def stored(*rounds, **stalls):
    each = {"kill": [1, 2.5, 2], "return": [1, 1, 1], "cut": [9, 8, 7], "heal": [20, 2, 2]}
    return {"rounds": list(rounds) or [a_round(1, 20000), a_round(3, 40000), a_round(2, 30000)], "repetitions": 3,
            "stalls": {OURS: {**each, **stalls}, ETCD: copy.deepcopy(each)}, "command": "scripts/bench-rados",
            "versions": {"ceph": "16", "etcd": "3.4"},
            "machine": {"date": "2026-01-02", "commit": "abc", "processor": "P", "cores": 2, "memory_gib": 4.0,
                        "system": "Linux", "file_system": "ext4 (rw)", "device": "/dev/x", "load_before": 0.1}}


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")][2:]


class Gaps(unittest.TestCase):
    def test_longest_gap_is_the_one_around_the_fault(self):
        times = [0, 1, 1.1, 4.1, 4.2, 9.2, 9.3, 20]
        self.assertAlmostEqual(longest_gap(times, 1.05, 4.15), 3)
        self.assertAlmostEqual(longest_gap(times, 4.15, 9.25), 5)

    def test_gap_counts_whole_if_it_begins_before_the_fault_or_ends_behind_the_window(self):
        self.assertAlmostEqual(longest_gap([0, 1, 8, 9], 2, 3), 7)

    def test_gap_that_only_touches_the_window_does_not_count(self):
        self.assertAlmostEqual(longest_gap([0, 5, 5.5, 6, 30], 5, 6), 0.5)

    def test_fault_without_acknowledgements_on_both_sides_is_no_figure(self):
        for times in ([], [1], [3, 4, 9], [0, 1, 4]):
            with self.assertRaises(Unmeasured, msg=str(times)):
                longest_gap(times, 2, 5)


class Writers(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def writer(self, script):
        made = Writer(["sh", "-c", script], pathlib.Path(self.directory.name))
        self.addCleanup(made.kill)
        return made

    def test_line_on_its_way_is_read_when_it_is_whole(self):
        writer = self.writer("exit 0")
        writer.process.wait()
        for more, told in (("1.5\n2.", [1.5]), ("5\n", [1.5, 2.5]), ("", [1.5, 2.5]), ("3.5\n4.5\n", [1.5, 2.5, 3.5, 4.5])):
            with writer.output.open("a") as output:
                output.write(more)
            self.assertEqual(writer.times(), told)

    def test_steady_is_who_acknowledges_without_a_break(self):
        writer = self.writer("printf '%s\\n' 1 1.2 1.4 1.6")
        writer.process.wait()
        self.assertTrue(writer.is_steady(1.1, 1.7))
        self.assertFalse(writer.is_steady(1.1, 2.2))
        self.assertFalse(writer.is_steady(0.3, 1.7))
        self.assertFalse(writer.is_steady(1.65, 1.7))

    def test_writer_that_fails_is_named_with_its_complaint(self):
        writer = self.writer("echo disk full >&2; exit 1")
        writer.process.wait()
        for waits in (lambda: writer.settle(0, 0), writer.stop):
            with self.assertRaisesRegex(Unmeasured, "disk full"):
                waits()


class Targets(unittest.TestCase):
    def test_figure_is_the_median_with_its_range(self):
        self.assertEqual(rows(figures.targets(stored()))[:3],
                         [[P50, "at most 5 ms", "2.00 [1.00..3.00] ms", "yes"],
                          [RATE, "at least 15,000 records/s", "30,000 [20,000..40,000] records/s", "yes"],
                          [ZOMBIES, "0", "0.00", "yes"]])

    def test_of_stalls_the_worst_counts(self):
        found = rows(figures.targets(stored(kill=[1, 3.1, 1])))
        self.assertEqual(found[3][1:], ["at most 3 s", "3.10 [1.00, 3.10, 1.00] s", "**no**"])
        self.assertEqual([row[3] for row in found[4:]], ["yes", "yes"])

    def test_missed_targets_are_named(self):
        self.assertTrue(figures.are_all_met(stored()))
        for missed in (stored(a_round(5.1, 20000)), stored(a_round(1, 14999)), stored(cut=[1, 12.1, 1])):
            self.assertFalse(figures.are_all_met(missed))
            self.assertEqual(figures.targets(missed).count("**no**"), 1)

    def test_one_zombie_in_one_round_is_one_too_many(self):
        self.assertFalse(figures.are_all_met(stored(a_round(1, 20000), a_round(1, 20000, zombies=1), a_round(1, 20000))))


class Beside(unittest.TestCase):
    def test_both_stand_in_a_row(self):
        found = rows(figures.beside_etcd(stored()))
        self.assertEqual(found[:2], [[P50, "2.00 [1.00..3.00] ms", "4.00 [2.00..6.00] ms"],
                                     [RATE, "30,000 [20,000..40,000] records/s", "3,000 [2,000..4,000] records/s"]])
        self.assertEqual(found[-1][1], "20.00 [20.00, 2.00, 2.00] s")
        self.assertEqual(len(found), 2 + len(FAULTS))


class Refusals(unittest.TestCase):
    def refused(self, found):
        with self.assertRaises(Unmeasured):
            figures.section(found)

    def test_round_that_lacks_a_figure_is_refused(self):
        for system in (OURS, ETCD):
            for place in (0, -1):
                found = stored()
                del found["rounds"][place][system][0]
                self.refused(found)

    def test_results_without_rounds_are_refused(self):
        found = stored()
        found["rounds"] = []
        self.refused(found)
        self.refused(stored({OURS: [], ETCD: []}))

    def test_value_that_is_no_number_is_refused(self):
        self.refused(stored(a_round(float("nan"), 20000)))
        self.refused(stored({OURS: [figure(P50, None, "ms", "at_most", 5)], ETCD: [figure(P50, 1, "ms")]}))

    def test_figure_of_etcd_that_we_do_not_have_is_refused(self):
        found = stored()
        for said in found["rounds"]:
            said[ETCD][0]["name"] = "something else"
        self.refused(found)

    def test_stall_that_was_not_measured_each_time_is_refused(self):
        for fault in FAULTS:
            self.refused(stored(**{fault: [1, 1]}))
            found = stored()
            del found["stalls"][ETCD][fault]
            self.refused(found)


class Document(unittest.TestCase):
    def test_only_what_is_between_the_markers_is_replaced(self):
        text = f"before\n{figures.BEGIN}old\n{figures.END}behind\n"
        self.assertEqual(figures.put_between_markers(text, "new\n"), f"before\n{figures.BEGIN}new\n{figures.END}behind\n")

    def test_document_without_markers_is_left_alone(self):
        for text in ("", figures.BEGIN, figures.END + figures.BEGIN):
            with self.assertRaises(Unmeasured):
                figures.put_between_markers(text, "new")

    def test_replication_page_has_the_markers_once(self):
        text = (HERE.parent.parent / "docs/replication.md").read_text()
        self.assertEqual((text.count(figures.BEGIN), text.count(figures.END)), (1, 1))

    def test_section_says_machine_date_commit_and_command(self):
        text = figures.section(stored())
        for said in ("`scripts/bench-rados`", "2026-01-02", "abc", "2 cores (P)", "Ceph 16", "etcd 3.4", "/dev/x, ext4"):
            self.assertIn(said, " ".join(text.split()))


if __name__ == "__main__":
    unittest.main()
