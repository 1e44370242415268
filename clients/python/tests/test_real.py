"""The client and its server against the real program ($HENGE_BINARY, or `henge` on the PATH)."""
import datetime
import importlib.util
import os
import tempfile
import unittest

import henge

HAS_ARROW = importlib.util.find_spec('pyarrow') is not None
HAS_PANDAS = HAS_ARROW and importlib.util.find_spec('pandas') is not None

EVENTS = [
    {'t': datetime.datetime(2026, 1, 1, 8), 'page': '/home', 'ms': 12},
    {'t': datetime.datetime(2026, 1, 1, 9), 'page': '/docs', 'ms': 7.5},
    {'t': datetime.datetime(2026, 1, 2), 'page': '/home', 'ms': 3},
]
BY_PAGE = {'queryType': 'groupBy', 'dataSource': 'visits', 'intervals': ['2026/2027'], 'granularity': 'all',
           'dimensions': ['page'], 'aggregations': [{'type': 'count', 'name': 'views'}]}
STATEMENT = 'SELECT page, COUNT(*) AS views FROM visits WHERE __time >= ? GROUP BY page ORDER BY page'
SINCE = [datetime.datetime(2026, 1, 1)]


class AServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = henge.start_server()
        cls.client = cls.server.client()
        cls.client.create_datasource('visits', time_column='t')
        cls.pushed = cls.client.push('visits', EVENTS)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.server.stop()

    def test_what_was_pushed_is_there(self):
        self.assertEqual((self.pushed.accepted, self.pushed.rejected), (3, 0))
        self.assertIn('visits', self.client.datasources())
        self.assertTrue(self.client.status()['ready'])

    def test_native_and_sql_answer_the_same(self):
        rows = [{'page': '/docs', 'views': 1}, {'page': '/home', 'views': 2}]
        self.assertEqual(self.client.sql(STATEMENT, SINCE), rows)
        native = self.client.query(BY_PAGE)
        self.assertEqual([{name: row[name] for name in ('page', 'views')} for row in native], rows)
        self.assertEqual(self.client.sql('SELECT MAX(ms) AS most FROM visits'), [{'most': 12.0}])

    def test_infinities_are_kept_where_numbers_are_asked_for(self):
        self.client.create_datasource('far', {
            'timestampSpec': {'column': 't'}, 'dimensionsSpec': {'dimensions': [{'type': 'double', 'name': 'ms'}]}})
        self.client.push('far', {'t': EVENTS[0]['t'], 'ms': float('inf')})
        self.assertEqual(self.client.sql('SELECT MAX(ms) AS most FROM far'), [{'most': 'Infinity'}])

    def test_a_column_that_becomes_text_is_a_warning(self):
        self.client.create_datasource('texts', time_column='t')
        with self.assertWarnsRegex(henge.HengeWarning, "'ms'"):
            self.client.push('texts', [EVENTS[0], {**EVENTS[1], 'ms': 'long'}])

    @unittest.skipUnless(HAS_ARROW, 'pyarrow is not installed')
    def test_arrow(self):
        for table in (self.client.sql_arrow(STATEMENT, SINCE), self.client.query_arrow(BY_PAGE)):
            self.assertEqual(table.select(['page', 'views']).to_pydict(), {'page': ['/docs', '/home'], 'views': [1, 2]})

    @unittest.skipUnless(HAS_PANDAS, 'pandas is not installed')
    def test_pandas_there_and_back(self):
        frame = self.client.sql_pandas('SELECT __time AS t, page, ms FROM visits ORDER BY __time')
        self.client.create_datasource('copies', time_column='t')
        self.assertEqual(self.client.push('copies', frame.iloc[:2]).accepted, 2)
        self.assertEqual(self.client.sql('SELECT SUM(ms) AS ms FROM copies'), [{'ms': 19.5}])
        self.assertEqual(list(self.client.query_pandas(BY_PAGE)['views']), [1, 2])

    def test_a_repeated_key_is_stored_once(self):
        self.client.create_datasource('once', time_column='t')
        answers = [self.client.push('once', EVENTS, key='k') for _ in range(2)]
        self.assertEqual([one.duplicate for one in answers], [False, True])
        self.assertEqual(self.client.sql('SELECT COUNT(*) AS n FROM once'), [{'n': 3}])

    def test_refused_events_are_dead_letters(self):
        self.client.create_datasource('holes', time_column='t')
        with self.assertRaisesRegex(henge.RejectedEvents, "'t'"):
            self.client.push('holes', [{'page': '/a'}, EVENTS[0]])
        self.assertEqual(self.client.sql('SELECT COUNT(*) AS n FROM holes'), [{'n': 1}])
        self.assertIn('/a', str(self.client.dead_letters('holes')))

    def test_errors_say_where(self):
        with self.assertRaises(henge.InvalidInput) as raised:
            self.client.sql('SELECT nothing_like_it FROM visits')
        self.assertEqual((raised.exception.error_code, raised.exception.context['column']), ('invalidInput', '8'))


class Starting(unittest.TestCase):
    def test_a_folder_is_found_again_and_has_one_server(self):
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, 'data')
            with henge.start_server(data, settings={'query.strict': True}) as server:
                client = server.client()
                client.create_datasource('visits', time_column='t')
                client.push('visits', EVENTS)
                with self.assertRaisesRegex(henge.ServerDidNotStart, f'(?s)exit code.*{server.pid}'):
                    henge.start_server(data)
                with self.assertRaises(henge.InvalidInput):  # the setting holds
                    client.query({**BY_PAGE, 'dataSource': 'nobody'})
                client.close()
            self.assertFalse(server.is_running())
            with henge.start_server(data) as server:
                client = server.client()
                self.assertEqual(client.sql('SELECT COUNT(*) AS n FROM visits'), [{'n': 3}])
                client.close()

    def test_a_temporary_folder_goes_with_its_server(self):
        with henge.start_server() as server:
            self.assertTrue(os.path.isdir(server.data_dir))
        self.assertFalse(os.path.exists(server.data_dir))

    def test_a_wrong_setting_is_said(self):
        with self.assertRaisesRegex(henge.ServerDidNotStart, 'TIMEOUT_MS'):
            henge.start_server(settings={'query.timeout_ms': 'soon'})

    def test_a_program_that_is_not_there_is_said(self):
        with self.assertRaisesRegex(henge.ServerDidNotStart, 'no-such-henge'):
            henge.start_server(binary='no-such-henge')


if __name__ == '__main__':
    unittest.main()
