"""The client against a server that answers what a test says."""
import datetime
import decimal
import json
import sys
import unittest
import uuid
from unittest import mock

import henge
from fake_server import answer, serving

TAKEN = {'received': 1, 'accepted': 1, 'rejected': 0, 'filtered': 0, 'duplicate': False, 'errors': []}


def error(status, **fields):
    body = {'error': 'druidException', 'errorCode': 'general', 'category': 'OPERATOR', 'persona': 'OPERATOR',
            'errorMessage': 'no', 'context': {}, 'errorClass': 'x', 'host': None, **fields}
    return answer(body, status)


def client_of(url, **options):
    client = henge.Client(url, **options)
    client.waited = []
    client._sleep = client.waited.append
    return client


class Queries(unittest.TestCase):
    def test_statements_give_rows_by_name_with_their_parameters_typed(self):
        with serving(answer([['page', 'n'], ['/a', 2], [None, 1]])) as (url, asked):
            when = datetime.datetime(2026, 1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
            rows = client_of(url).sql('SELECT ?', [True, 7, 1.5, 'x', None, when], {'timeout': 9})
        self.assertEqual(rows, [{'page': '/a', 'n': 2}, {'page': None, 'n': 1}])
        sent = json.loads(asked[0]['body'])
        self.assertEqual((sent['resultFormat'], sent['header'], sent['context']), ('array', True, {'timeout': 9}))
        self.assertEqual([(one['type'], one['value']) for one in sent['parameters']], [
            ('BOOLEAN', True), ('BIGINT', 7), ('DOUBLE', 1.5), ('VARCHAR', 'x'), ('VARCHAR', None),
            ('TIMESTAMP', 1767225600000)])

    def test_a_statement_without_rows_has_none(self):
        with serving(answer([['page', 'n']])) as (url, _):
            self.assertEqual(client_of(url).sql('SELECT 1'), [])

    def test_native_answers_are_flat_rows(self):
        cases = [
            ('timeseries', [{'timestamp': 'T', 'result': {'n': 1}}], [{'__time': 'T', 'n': 1}]),
            ('topN', [{'timestamp': 'T', 'result': [{'p': 'a'}, {'p': 'b'}]}],
             [{'__time': 'T', 'p': 'a'}, {'__time': 'T', 'p': 'b'}]),
            ('groupBy', [{'version': 'v1', 'timestamp': 'T', 'event': {'p': 'a'}}], [{'__time': 'T', 'p': 'a'}]),
            ('scan', [{'columns': ['p'], 'events': [{'p': 'a'}]}, {'columns': ['p'], 'events': [['b']]}],
             [{'p': 'a'}, {'p': 'b'}]),
            ('segmentMetadata', [{'id': 'merged'}], [{'id': 'merged'}]),
        ]
        for kind, said, rows in cases:
            with self.subTest(kind), serving(answer(said)) as (url, _):
                self.assertEqual(client_of(url).query({'queryType': kind}), rows)
                self.assertEqual(client_of(url).query_json({'queryType': kind}), said)

    def test_what_the_server_tells_beside_the_rows_is_a_warning(self):
        with serving(answer([], headers={'X-Henge-Warnings': '["field \'x\' is not read"]'})) as (url, _):
            with self.assertWarnsRegex(henge.HengeWarning, "field 'x'"):
                client_of(url).query_json({'queryType': 'scan'})

    def test_arrow_that_is_not_installed_is_said(self):
        with serving(answer(b'')) as (url, _), mock.patch.dict(sys.modules, pyarrow=None):
            with self.assertRaisesRegex(ImportError, 'pip install'):
                client_of(url).sql_arrow('SELECT 1')

    def test_the_token_and_the_address_come_from_the_environment(self):
        with serving(answer([])) as (url, asked):
            with mock.patch.dict('os.environ', HENGE_URL=url, HENGE_CLUSTER__TOKEN='secret'):
                henge.Client().datasources()
        self.assertEqual(asked[0]['headers']['Authorization'], 'Bearer secret')


class Errors(unittest.TestCase):
    def test_they_carry_what_the_server_said(self):
        said = error(400, errorCode='invalidInput', category='INVALID_INPUT', persona='USER',
                     errorMessage="column 'x' is not known", context={'line': '1', 'column': '8'})
        with serving(said) as (url, _), self.assertRaises(henge.InvalidInput) as raised:
            client_of(url).sql('SELECT x')
        caught = raised.exception
        self.assertEqual((caught.status, caught.error_code, caught.category, caught.persona, caught.context['line']),
                         (400, 'invalidInput', 'INVALID_INPUT', 'USER', '1'))
        self.assertIn("column 'x'", str(caught))

    def test_each_status_has_its_exception(self):
        kinds = {401: henge.InvalidInput, 404: henge.InvalidInput, 429: henge.CapacityExceeded,
                 500: henge.ServerError, 501: henge.Unsupported, 503: henge.Unavailable, 504: henge.TimedOut}
        for status, kind in kinds.items():
            with self.subTest(status), serving(error(status)) as (url, _), self.assertRaises(kind):
                client_of(url).status()

    def test_an_answer_that_is_no_json_is_shown_as_it_is(self):
        with serving(answer(b'<h1>proxy</h1>', 502)) as (url, _), self.assertRaisesRegex(henge.ServerError, 'proxy'):
            client_of(url).status()

    def test_an_answer_that_breaks_off_gives_no_rows(self):
        with serving(answer([['n'], [1], [2]], cut=True)) as (url, _), self.assertRaises(henge.IncompleteAnswer):
            client_of(url).sql('SELECT 1')

    def test_nobody_at_the_address_is_said(self):
        with serving(answer([])) as (url, _):
            pass
        with self.assertRaisesRegex(henge.ConnectionFailed, url.split('//')[1]):
            client_of(url).status()

    def test_an_address_that_is_none_is_refused(self):
        with self.assertRaisesRegex(ValueError, 'localhost:8888'):
            henge.Client('localhost:8888')

    def test_a_kept_connection_that_was_closed_is_opened_again(self):
        closing = answer({'a': 1}, headers={'X-Close': 'yes'})
        with serving(closing) as (url, asked):
            client = client_of(url)
            self.assertEqual([client.status(), client.status()], [{'a': 1}, {'a': 1}])
        self.assertEqual(len(asked), 2)


class Pushes(unittest.TestCase):
    def test_events_are_lines_of_json(self):
        event = {'t': datetime.datetime(2026, 1, 1), 'd': decimal.Decimal('1.10'), 'n': float('nan'), 'e': 'ü',
                 'u': uuid.UUID(int=1), 'deep': [{'x': float('-inf')}]}
        with serving(answer(TAKEN)) as (url, asked):
            pushed = client_of(url).push('a/b', event)
        self.assertEqual((pushed.accepted, asked[0]['path']), (1, '/v1/datasources/a%2Fb/events'))
        self.assertEqual(json.loads(asked[0]['body']), {
            't': '2026-01-01T00:00:00+00:00', 'd': '1.10', 'n': 'NaN', 'e': 'ü',
            'u': '00000000-0000-0000-0000-000000000001', 'deep': [{'x': '-Infinity'}]})

    def test_text_is_sent_as_it_is(self):
        with serving(answer(TAKEN)) as (url, asked):
            client_of(url).push('d', '{"a":1}\n{"a":2}')
        self.assertEqual(asked[0]['body'], b'{"a":1}\n{"a":2}')

    def test_many_go_in_batches_with_a_key_each_and_are_counted_together(self):
        part = {**TAKEN, 'received': 2, 'accepted': 1, 'rejected': 1, 'errors': [{'position': 1, 'reason': 'no time'}],
                'changed': [{'column': 'n', 'count': 2, 'nulled': 1, 'position': 0}]}
        with serving(answer(part)) as (url, asked):
            pushed = client_of(url).push('d', ({'n': n} for n in range(5)), key='k', batch_rows=2, allow_rejected=True)
        self.assertEqual([one['headers']['Idempotency-Key'] for one in asked], ['k', 'k-1', 'k-2'])
        self.assertEqual([one['body'].count(b'\n') for one in asked], [1, 1, 0])
        self.assertEqual((pushed.received, pushed.rejected), (6, 3))
        self.assertEqual([one['position'] for one in pushed.errors], [1, 3, 5])
        self.assertEqual(pushed.changed, [{'column': 'n', 'count': 6, 'nulled': 3, 'position': 0}])

    def test_refused_events_are_an_error_unless_they_are_allowed(self):
        refused = {**TAKEN, 'accepted': 0, 'rejected': 1, 'errors': [{'position': 0, 'reason': 'no time'}]}
        with serving(answer(refused)) as (url, _), self.assertRaisesRegex(henge.RejectedEvents, 'no time') as raised:
            client_of(url).push('d', [{}])
        self.assertEqual(raised.exception.pushed.rejected, 1)

    def test_a_busy_server_is_asked_again_with_the_same_key(self):
        with serving(error(429), error(503), answer(TAKEN)) as (url, asked):
            client = client_of(url)
            client.push('d', [{'a': 1}])
        self.assertEqual(client.waited, [0.1, 0.2])
        self.assertEqual(len({one['headers']['Idempotency-Key'] for one in asked}), 1)

    def test_a_server_that_stays_busy_is_given_up(self):
        with serving(error(503)) as (url, asked), self.assertRaises(henge.Unavailable):
            client_of(url, retries=2).push('d', [{'a': 1}])
        self.assertEqual(len(asked), 3)

    def test_a_wrong_push_is_not_repeated(self):
        with serving(error(404)) as (url, asked), self.assertRaises(henge.InvalidInput):
            client_of(url).push('d', [{'a': 1}])
        self.assertEqual(len(asked), 1)

    def test_no_events_are_no_request(self):
        with serving(answer(TAKEN)) as (url, asked):
            self.assertEqual(client_of(url).push('d', []).received, 0)
        self.assertEqual(asked, [])


if __name__ == '__main__':
    unittest.main()
