#!/usr/bin/env python3
"""Tests of the comparison that need no peer: what counts as a difference, and that the lists are well formed."""
import json
import os
import unittest

import compare
import engines
import loading
import tables

RANKING = {'native': {'queryType': 'topN', 'metric': 'n', 'threshold': 3,
                      'aggregations': [{'type': 'count', 'name': 'n'}, {'type': 'doubleSum', 'name': 'r', 'fieldName': 'r'}]}}
EXPECTED = [('a', 5, 1.0), ('b', 4, 2.0), ('c', 3, 7.0)]


def ranking(*rows, threshold=3):
    """What differs when Henge answers with these rows."""
    entry = {'native': dict(RANKING['native'], threshold=threshold)}
    body = json.dumps([{'result': [{'d': d, 'n': n, 'r': r} for d, n, r in rows]}])
    return compare.compared(entry, EXPECTED, 'henge', body)


class Differences(unittest.TestCase):
    def test_equal_answers_agree(self):
        self.assertEqual(ranking(*EXPECTED), '')

    def test_which_of_the_tied_groups_is_shown_does_not_matter(self):
        self.assertEqual(ranking(*EXPECTED[:2], ('z', 3, 9.0)), '')
        self.assertIn('r 12 for 10', ranking(*EXPECTED[:2], ('z', 3, 9.0), threshold=10))

    def test_wrong_and_missing_groups_are_found(self):
        self.assertIn('r 3.5 for 3', ranking(('a', 5, 1.5), *EXPECTED[1:]))
        self.assertIn('2 rows for 3', ranking(*EXPECTED[:2]))

    def test_estimates_may_differ_by_three_percent(self):
        entry = {'native': {'queryType': 'timeseries', 'aggregations': [{'type': 'HLLSketchBuild', 'name': 'u', 'fieldName': 'v'}]}}
        answer = lambda value: json.dumps([{'result': {'u': value}}])
        self.assertEqual(compare.compared(entry, [(1000,)], 'henge', answer(1020)), '')
        self.assertNotEqual(compare.compared(entry, [(1000,)], 'henge', answer(1040)), '')

    def test_rows_of_sql_are_taken_by_position(self):
        self.assertEqual(compare.compared(RANKING, EXPECTED, 'sql', json.dumps(EXPECTED)), '')
        self.assertIn('r 3.5 for 3', compare.compared(RANKING, EXPECTED, 'sql', json.dumps([('a', 5, 1.5), *EXPECTED[1:]])))
        self.assertAlmostEqual(compare.over_native({'henge': 2.0, 'sql': 2.3}), 1.0)
        self.assertEqual(compare.ratio({'duck': 5, 'henge': 2.0, 'sql': 2.0}), 0.5)


class Lists(unittest.TestCase):
    def test_entries_are_complete(self):
        names = set()
        for file in ('queries.py', 'star_schema.py', 'dashboards.py'):
            for entry in compare.load_queries(os.path.join(engines.HERE, file)):
                with self.subTest(entry['name']):
                    self.assertNotIn(entry['name'], names)
                    names.add(entry['name'])
                    self.assertIn(entry['table'], tables.TABLES)
                    self.assertEqual(entry['native']['dataSource'], entry['table'])
                    self.assertNotIn('UNIQ(', entry['duck'] + entry['ch'] + entry['df'] + entry['sql'])
                    columns = {compare.name_of(aggregation) for aggregation in entry['native']['aggregations']}
                    self.assertEqual(len(columns), len(entry['native']['aggregations']))

    def test_each_table_has_a_spec(self):
        for table in tables.TABLES:
            with open(loading.spec_of(table, projections=False), encoding='utf-8') as file:
                self.assertEqual(json.load(file)['spec']['dataSchema']['dataSource'], table)


if __name__ == '__main__':
    unittest.main()
