#!/usr/bin/env python3
"""Tests of the table `hits`, of its list and of the comparison of whole rows; those of the table need numpy and pyarrow."""
import collections
import contextlib
import datetime
import importlib.util
import io
import json
import unittest
import zlib

import answers
import compare
import engines
import hits
import hits_columns
import loading
import markdown

HAS_ARROW = all(importlib.util.find_spec(module) for module in ('numpy', 'pyarrow'))
ROWS = 10_000
# Of the text of every 97th row of the first 10,000: the table means the same on every machine and for ever.
FINGERPRINT = 2_138_739_598


@unittest.skipUnless(HAS_ARROW, 'numpy and pyarrow are not installed')
class Table(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import hits_table
        cls.module = hits_table
        cls.made = hits_table.Hits(ROWS)
        cls.table = cls.made.chunk(0, ROWS)
        cls.columns = {name: cls.table.column(name).to_pylist() for name in cls.table.column_names}

    def share(self, condition, *names):
        return sum(map(condition, *(self.columns[name] for name in names))) / ROWS

    def distinct(self, name):
        return len(set(self.columns[name]))

    def test_a_seed_always_gives_the_same_rows(self):
        import pyarrow
        self.assertTrue(pyarrow.concat_tables(self.module.Hits(ROWS).chunks(size=3_001)).combine_chunks().equals(self.table.combine_chunks()))
        sample = self.table.take(list(range(0, ROWS, 97))).to_pylist()
        self.assertEqual(zlib.crc32(repr(sample).encode()), FINGERPRINT)

    def test_another_seed_gives_others(self):
        other = self.module.Hits(ROWS, seed=12).chunk(0, ROWS)
        self.assertFalse(set(other.column('visitor').to_pylist()) & set(self.columns['visitor']))
        self.assertNotEqual(other.column('url').to_pylist(), self.columns['url'])

    def test_a_hundred_columns_without_nulls(self):
        self.assertEqual(len(self.table.column_names), 100)
        self.assertEqual(tuple(self.table.column_names), hits_columns.NAMES)
        for name, column in zip(self.table.column_names, self.table.columns):
            self.assertEqual(column.null_count, 0, name)
            self.assertEqual(self.table.schema.field(name).type, self.module.arrow_type(name), name)

    def test_rows_lie_in_the_order_of_time_within_the_month(self):
        times = self.columns['__time']
        self.assertEqual(times, sorted(times))
        self.assertTrue(datetime.datetime(2026, 8, 1) <= times[0] and times[-1] < datetime.datetime(2026, 9, 1))
        self.assertGreater(len({time.date() for time in times}), 30)

    def test_counters_are_skewed_and_the_asked_one_has_its_share(self):
        counts = collections.Counter(self.columns['counter'])
        self.assertTrue(0.08 < counts.most_common(1)[0][1] / ROWS < 0.15)
        self.assertGreater(len(counts), 800)
        # Ten thousand rows are a few thousand sessions, of which too few are the asked one's to see its share.
        sessions = range(200_000)
        asked = self.made.uniform(sessions, 'asked') < self.module.ASKED_SHARE
        self.assertAlmostEqual(asked.mean(), 0.008, delta=0.0006)
        self.assertTrue(0.001 < counts[self.module.ASKED_COUNTER] / ROWS < 0.02)

    def test_numbers_as_wide_as_promised(self):
        self.assertEqual(self.distinct('hit'), ROWS)
        for name in ('hit', 'visitor', 'url_hash'):
            self.assertTrue(0 <= min(self.columns[name]) and 2 ** 62 < max(self.columns[name]) < 2 ** 63, name)
        self.assertTrue(0.13 < self.distinct('visitor') / ROWS < 0.23)
        self.assertTrue(2 ** 31 < max(self.columns['address']) < 2 ** 32)
        self.assertTrue(0.05 < self.distinct('address') / ROWS < 0.15)

    def test_texts_are_as_rare_and_as_many_as_promised(self):
        self.assertTrue(0.10 < self.share(bool, 'phrase') < 0.14)
        self.assertTrue(0.003 < self.share(bool, 'ad_engine') < 0.010)
        self.assertTrue(0.03 < self.share(lambda referer: not referer, 'referer') < 0.09)
        self.assertEqual(self.distinct('url'), self.distinct('url_hash'))
        self.assertGreater(self.distinct('url'), 0.2 * ROWS)
        self.assertTrue(all(text.isascii() for name in ('url', 'referer') for text in self.columns[name]))
        self.assertTrue(all(bool(phrase) == bool(engine) for phrase, engine in zip(self.columns['phrase'], self.columns['search_engine'])))

    def test_a_session_goes_from_page_to_page(self):
        last, followed = {}, 0
        for visitor, counter, step, url, referer in zip(*(self.columns[name] for name in ('visitor', 'counter', 'step', 'url', 'referer'))):
            if step and last.get((visitor, counter)) == (step - 1, referer):
                followed += 1
            last[visitor, counter] = (step, url)
        later = self.share(bool, 'step')
        self.assertTrue(0.6 < later < 0.85)
        self.assertGreater(followed / ROWS, 0.9 * later)

    def test_what_the_list_asks_for_is_in_the_table(self):
        self.assertEqual(hits.COUNTER, self.module.counter_of(self.module.ASKED_SITE))
        self.assertEqual(hits.VISITOR, self.module.number_63([1_000], self.module.SEED, 'visitor')[0])
        self.assertEqual(hits.PAGE, self.made.url_hash(*map(self.module.np.array, ([self.module.ASKED_SITE], [0])))[0])
        self.assertEqual(hits.WORD, self.module.RARE_WORD)
        for words, name in ((hits.WORD, 'url'), (hits.TITLE_WORD, 'title')):
            self.assertTrue(0 < self.share(lambda text: words in text, name) < 0.01, name)


class Questions(unittest.TestCase):
    def test_there_are_43_each_with_a_native_query_or_a_reason(self):
        self.assertEqual(len(hits.Q), 43)
        for entry in hits.Q:
            with self.subTest(entry['name']):
                self.assertTrue(entry['name'].startswith('c_'))
                self.assertTrue(entry['native'] or entry['missing'])
                self.assertFalse(entry['native'] and entry.get('missing'))
                self.assertEqual(len(entry['row']), len(set(entry['row'])))
                for position in entry['order'] or ():
                    self.assertLess(position, len(entry['row']))
                for word in ('limit', 'offset'):
                    self.assertEqual(all(f' {word} {entry[word]}' in entry[peer] for peer in ('duck', 'ch', 'df')) if entry.get(word) else True, True)

    def test_columns_are_those_of_the_spec(self):
        with open(loading.spec_of('hits', projections=False), encoding='utf-8') as file:
            listed = json.load(file)['spec']['dataSchema']['dimensionsSpec']['dimensions']
        types = {item if isinstance(item, str) else item['name']: 'string' if isinstance(item, str) else 'int' for item in listed}
        self.assertEqual(types, {name: kind if kind == 'string' else 'int' for name, kind in hits_columns.TYPES.items() if name != '__time'})
        self.assertLess(set(engines.FEW_VALUES['hits']), set(types))


def asked(order=(1,), **rest):
    return dict(dict(name='c_one', row=['d', 'n'], order=order, native={}), **rest)


class Rows(unittest.TestCase):
    RIGHT = [('a', 5), ('b', 4), ('c', 3), ('d', 3)]

    def test_every_row_and_its_place_counts(self):
        self.assertEqual(answers.difference(asked(), self.RIGHT, [['a', '5'], ['b', '4'], ['d', '3'], ['c', '3']]), '')
        self.assertIn('ordered by', answers.difference(asked(), self.RIGHT, [('b', 4), ('a', 5), *self.RIGHT[2:]]))
        self.assertIn(' for b, 4', answers.difference(asked(), self.RIGHT, [('a', 5), ('x', 4), *self.RIGHT[2:]]))
        self.assertIn('1 rows for 4', answers.difference(asked(), self.RIGHT, [('a', 5)]))

    def test_rows_that_tie_at_a_cut_may_be_others(self):
        others = [('a', 5), ('b', 4), ('x', 3), ('y', 3)]
        self.assertNotEqual(answers.difference(asked(), self.RIGHT, others), '')
        self.assertEqual(answers.difference(asked(limit=4), self.RIGHT, others), '')
        self.assertNotEqual(answers.difference(asked(limit=4), self.RIGHT, [('z', 5), *others[1:]]), '')
        self.assertEqual(answers.difference(asked(limit=4, offset=9), self.RIGHT, [('z', 5), *others[1:]]), '')
        self.assertEqual(answers.difference(asked(order=None), self.RIGHT, [('p', 1)] * 4), '')

    def test_values_of_all_engines_compare(self):
        day = datetime.date(2026, 8, 14)
        right = [(day, 1 / 3, '', 2 ** 62 + 1)]
        entry = asked(order=())
        for found in ([1_786_665_600_000, 0.3333333333, None, 2 ** 62 + 1], ['2026-08-14', '0.3333333333', '', str(2 ** 62 + 1)]):
            self.assertEqual(answers.difference(entry, right, [found]), '')
        self.assertNotEqual(answers.difference(entry, right, [[day, 1 / 3, '', 2 ** 62]]), '')
        self.assertNotEqual(answers.difference(entry, right, [[day, 1 / 3, '']]), '')
        self.assertNotEqual(answers.difference(entry, right, [[day, None, '', 2 ** 62 + 1]]), '')

    def test_what_each_engine_answers_is_read(self):
        self.assertEqual(answers.clickhouse_rows('a\\tb\\\\n\t\\N\n\\\'\t7\n'), [['a\tb\\n', None], ["'", '7']])
        self.assertEqual(answers.clickhouse_rows(''), [])
        read = lambda *parts: answers.henge_rows(asked(), json.dumps(parts))
        self.assertEqual(read({'result': [{'d': 'a', 'n': 1}]}), [['a', 1]])
        self.assertEqual(read({'event': {'d': 'a', 'n': 1}}, {'event': {'d': 'b', 'n': 2}}), [['a', 1], ['b', 2]])
        self.assertEqual(read({'events': [{'d': 'a', 'n': 1}]}, {'events': []}), [['a', 1]])
        self.assertEqual(read({'result': {'n': 1}}), [[None, 1]])


class Report(unittest.TestCase):
    ENTRY = asked(native=None, missing='nothing asks that')

    def test_what_cannot_be_asked_is_told(self):
        times, given = compare.measure(self.ENTRY, {'duck': lambda entry: [('a', 5)], 'henge': lambda entry: self.fail('asked')}, 1)
        self.assertIsNone(times['henge'])
        line, differs = compare.describe(self.ENTRY, times, {**given, 'ch': 'a\t4\n'})
        self.assertTrue(differs)
        self.assertIn('not expressible: nothing asks that  answers DIFFER: ch: ordered by 4 for 5', line)
        result = markdown.Result('', [], ['duck'], 1)
        result.add_entries([self.ENTRY])
        result.add_run('scans', {'c_one': times}, [line])
        self.assertIn('| not expressible |', result.times())
        self.assertIn('- nothing asks that: c_one', result.inexpressible())

    def test_what_fails_is_told(self):
        def refuse(entry):
            raise RuntimeError('HTTP 400 too much')

        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            times, _ = compare.measure(asked(), {'duck': lambda entry: [('a', 5)], 'henge': refuse}, 1)
        result = markdown.Result('', [], ['duck', 'ch'], 1)
        result.add_run('scans', {'c_one': times}, output.getvalue().splitlines())
        self.assertRegex(result.times(), r'\| c_one \| 0\.\d \|  \| failed \|')
        self.assertIn('- c_one, Henge, scans: HTTP 400 too much', result.failed())


if __name__ == '__main__':
    unittest.main()
