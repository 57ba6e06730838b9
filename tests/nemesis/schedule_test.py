#!/usr/bin/env python3
"""Tests of the schedule of faults: what a seed makes, without a cluster."""

import itertools
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import processes  # noqa: E402, F401  It knows the way to the cluster's module.
import faults  # noqa: E402


def schedule(seed, count):
    dice = random.Random(seed)
    steps = []
    for kind in itertools.islice(faults.deck(dice), count):
        steps.append((kind, faults.length_of(dice, kind, 10, 15), faults.beside(dice, kind)))
    return steps


class Schedule(unittest.TestCase):
    def test_seed_makes_one_schedule(self):
        self.assertEqual(schedule(7, 40), schedule(7, 40))
        self.assertNotEqual(schedule(7, 40), schedule(8, 40))

    def test_every_fault_comes_and_the_zombie_early(self):
        for seed in range(50):
            kinds = [kind for kind, _, _ in schedule(seed, len(faults.KINDS))]
            self.assertCountEqual(kinds, faults.KINDS)
            self.assertIn(faults.stop_writer, kinds[:3])

    def test_what_comes_together_shares_nothing(self):
        pairs = {(kind, other) for seed in range(200) for kind, _, other in schedule(seed, 24) if other}
        self.assertGreater(len(pairs), 20)
        for kind, other in pairs:
            self.assertFalse(faults.RESOURCES[kind] & faults.RESOURCES[other], f"{kind.__name__}, {other.__name__}")

    def test_writers_begin_first_and_end_last(self):
        for pair in ([faults.cut_two_osds, faults.rivals], [faults.rivals, faults.cut_two_osds]):
            self.assertEqual(faults.in_order(pair), [faults.rivals, faults.cut_two_osds])
        self.assertEqual(faults.in_order([faults.kill_monitor, faults.kill_osd]), [faults.kill_osd, faults.kill_monitor])

    def test_some_cuts_outlast_the_grace_of_heartbeats_and_some_do_not(self):
        lengths = [length for seed in range(50) for kind, length, _ in schedule(seed, 12) if kind in faults.CUTS]
        self.assertGreater(sum(length > 8 for length in lengths), 20)
        self.assertGreater(sum(length < 5 for length in lengths), 20)

    def test_zombie_sleeps_as_long_as_it_is_told(self):
        self.assertEqual({length for kind, length, _ in schedule(1, 48) if kind is faults.stop_writer}, {10})


if __name__ == "__main__":
    unittest.main()
