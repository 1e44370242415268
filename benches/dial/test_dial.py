#!/usr/bin/env python3
"""Tests of the dial's measurement that need no server and no rights."""
import argparse
import unittest

import questions
import report
import subjects


class Dial(unittest.TestCase):
    def test_a_seed_draws_the_same_questions(self):
        drawn = questions.drawn(7, 50)
        self.assertEqual(drawn, questions.drawn(7, 50))
        self.assertNotEqual(drawn, questions.drawn(8, 50))
        for native, sql in drawn:
            self.assertEqual(native['dataSource'], 'pageviews')
            self.assertNotIn('{', sql)
            self.assertIn(f"'{native['intervals'][0].split('/')[0]}'", sql)

    def test_percentiles_are_of_the_times(self):
        figures = subjects.figures([float(ms) for ms in range(100, 0, -1)], (1, 2), (31, 5))
        self.assertEqual(figures, {'first': 100.0, 'p50': 51.0, 'p99': 100.0, 'largest': 100.0, 'start_mb': 1, 'read_mb': 30, 'faults': 3})

    def test_the_table_has_medians_and_ratios_to_the_binary_from_before(self):
        one = {'first': 1.0, 'p50': 2.0, 'p99': 10.0, 'largest': 11.0, 'start_mb': 4, 'read_mb': 5, 'faults': 6}
        found = {(400, 'before'): [dict(one, p99=40.0), dict(one, p99=20.0), dict(one, p99=30.0)], (400, 'hot'): [one]}
        options = argparse.Namespace(n=3, runs=3, limits=[0, 400])
        lines = report.table(options, ['before', 'hot', 'duck'], found).splitlines()
        self.assertTrue(lines[2].endswith('| p99 to before |'))
        self.assertEqual(lines[4:], ['| 400 | before | 1.0 | 2.0 | 30.0 | 11.0 | 4 | 5 | 6 | 1.00 |', '| 400 | hot | 1.0 | 2.0 | 10.0 | 11.0 | 4 | 5 | 6 | 0.33 |'])


if __name__ == '__main__':
    unittest.main()
