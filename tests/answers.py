#!/usr/bin/env python3
"""Asks questions whose right answers are known from the rows, over every way the rows may lie.

    answers.py [--only TEXT] [--cluster PORT]

The cases are in `answers/`, a file a kind of fault. A case with `rows` is lived through several times:
buffered, after a kill, stored in one segment, stored in segments of another size, half stored and half
buffered. A case with `steps` says itself what happens. Every look in between must be right too. With --cluster
a cluster of processes is asked at a broker, from that port on, and its realtime nodes are those restarted.
"""
import argparse
import importlib
import os
import pkgutil
import sys
import tempfile
import threading
import time

import harness
from storms.server import ClusterServer

sys.path.insert(0, os.path.join(harness.ROOT, 'tests'))
LIVES = ('buffered', 'killed', 'stored', 'stored by hour', 'half stored')
QUIET = {'INGESTION__HANDOFF_AGE_MS': 3_600_000}


def cases(only):
    package = importlib.import_module('answers_cases')
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        for case in importlib.import_module(f'answers_cases.{module}').CASES:
            if only in f"{module} {case['id']} {case['title']}":
                yield module, case


def data_schema(schema, segment_granularity=None):
    """A dataSchema from its short form."""
    spec = {
        'timestampSpec': schema.get('timestamp', {'column': 't', 'format': 'auto'}),
        'dimensionsSpec': schema.get('dimensionsSpec', {'dimensions': schema.get('dimensions', [])}),
        'metricsSpec': schema.get('metrics', []),
        'granularitySpec': {'segmentGranularity': segment_granularity or schema.get('granularity', 'day'),
                            'queryGranularity': schema.get('query_granularity', 'none'), **({'rollup': schema.get('rollup', False)} if schema.get('rollup', False) is not None else {})},
    }
    if 'transform' in schema:
        spec['transformSpec'] = schema['transform']
    return spec


def lines(rows):
    return '\n'.join(row if isinstance(row, str) else harness.json.dumps(row) for row in rows)


def task_of(name, spec, rows, append=False, drop=False, intervals=None):
    spec = dict(spec, dataSource=name)
    if intervals:
        spec['granularitySpec'] = dict(spec['granularitySpec'], intervals=intervals)
    io = {'type': 'index_parallel', 'inputSource': {'type': 'inline', 'data': lines(rows)}, 'inputFormat': {'type': 'json'},
          'appendToExisting': append, 'dropExisting': drop}
    return {'type': 'index_parallel', 'spec': {'dataSchema': spec, 'ioConfig': io, 'tuningConfig': {'type': 'index_parallel'}}}


def simple(query, answer):
    """An answer without its envelopes."""
    kind = query['queryType']
    if kind == 'timeseries':
        if query.get('granularity', 'all') == 'all':
            return answer[0]['result'] if answer else None
        return [[row['timestamp'], row['result']] for row in answer]
    if kind == 'topN':
        return [[row['timestamp'], row['result']] for row in answer]
    if kind == 'groupBy':
        return [row['event'] for row in answer]
    if kind == 'scan':
        return [event for part in answer for event in part['events']]
    if kind == 'timeBoundary':
        return answer[0]['result'] if answer else None
    return answer


class Run:
    """One case on one server."""

    def __init__(self, server, name):
        self.server, self.name, self.wrong = server, name, []

    def client(self):
        return harness.Client(self.server.url)

    def ask(self, where, question):
        if 'sql' in question:
            return self.state(where, question)
        query = dict({'dataSource': self.name, 'intervals': ['0001/9999']}, **question['query'])
        if query['queryType'] == 'timeBoundary':
            query.pop('intervals')
        path = question.get('path', '/druid/v2')
        status, answer = self.client().call(question.get('method', 'POST'), path, query)
        if 'status' in question:
            if status != question['status'] or question.get('says', '') not in str(answer):
                self.wrong.append(f"{where}: HTTP {status} {str(answer)[:300]}, expected {question['status']} {question.get('says', '')!r}")
            return
        got = simple(query, answer) if status == 200 else f'HTTP {status} {str(answer)[:300]}'
        expected = question['expect']
        if question.get('any_order') and isinstance(got, list):
            got, expected = sorted(got, key=repr), sorted(expected, key=repr)
        if got != expected:
            self.wrong.append(f"{where}: {question.get('note', '')} {harness.json.dumps(question['query'], ensure_ascii=False)[:260]}\n      got   {got}\n      right {expected}")

    def state(self, where, question):
        """A statement, in which T is the datasource."""
        statement = question['sql'].replace(' T ', f' "{self.name}" ')
        status, answer = self.client().call('POST', '/druid/v2/sql', {'query': statement, 'resultFormat': 'array'})
        got = answer if status == 200 else f'HTTP {status} {str(answer)[:300]}'
        if got != question['expect']:
            self.wrong.append(f"{where}: {question['sql']}\n      got   {got}\n      right {question['expect']}")

    def step(self, what, value):
        """One step; None when it went as it must."""
        client = self.client()
        if what == 'put':
            client.must('PUT', f'/v1/datasources/{self.name}', data_schema(value))
        elif what == 'push':
            rows, accepted = (value['rows'], value.get('accepted')) if isinstance(value, dict) else (value, len(value))
            reply = client.must('POST', f'/v1/datasources/{self.name}/events', lines(rows).encode())
            if accepted is not None and reply['accepted'] != accepted:
                self.wrong.append(f'push: {reply}')
        elif what == 'task':
            harness.run_task(client, task_of(self.name, data_schema(value['schema']), value['rows'], value.get('append', False),
                                             value.get('drop', False), value.get('intervals')))
        elif what == 'restart':
            if value == 'kill':
                self.server.kill()
            elif self.server.stop() != 0:
                self.wrong.append('the server did not end well')
            self.server.start()
        elif what == 'handoff':
            self.server.stop()
            self.server.env['HENGE_INGESTION__HANDOFF_AGE_MS'] = '100'
            self.server.start()
            self.wait_until_handed_off()
            # What comes next is buffered again, as it was before: a replace keeps what is buffered and no more.
            self.server.stop()
            self.server.env.update({f'HENGE_{name}': str(value) for name, value in QUIET.items()})
            self.server.start()
        elif what == 'refused':
            status, answer = client.call(value['method'], value['path'].format(name=self.name), value.get('body'))
            if status != value['status'] or value.get('says', '') not in str(answer):
                self.wrong.append(f"{value['path']}: HTTP {status} {str(answer)[:300]}, expected {value['status']} {value.get('says', '')!r}")
        else:
            raise ValueError(what)

    def wait_until_handed_off(self):
        end = time.monotonic() + 20
        while self.spilled() or not self.published():
            if time.monotonic() > end:
                self.wrong.append('the hand-off did not end within 20 s')
                return
            time.sleep(0.05)

    def spilled(self):
        folders = os.walk(self.server.data_dir)
        return any('.segment' in file for folder, _, files in folders if '/spill' in folder for file in files)

    def published(self):
        return any(self.name in folder for folder, _, files in os.walk(os.path.join(self.server.data_dir, 'deep-storage')) if files)


class Watcher:
    """Looks without pause; every answer must be one of the allowed ones."""

    def __init__(self, run, question):
        self.run, self.question, self.on, self.looks = run, question, True, 0
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        client = self.run.client()
        query = dict({'dataSource': self.run.name, 'intervals': ['0001/9999']}, **self.question['query'])
        while self.on:
            status, answer = client.call('POST', '/druid/v2', query)
            got = simple(query, answer) if status == 200 else f'HTTP {status} {str(answer)[:200]}'
            self.looks += 1
            if got not in self.question['allowed']:
                self.run.wrong.append(f'between: got {got}, allowed are {self.question["allowed"]}')
                return

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        time.sleep(self.question.get('linger_seconds', 0.3))
        self.on = False
        self.thread.join()


def live_through(run, case):
    """The steps of a case that says them itself."""
    for number, (what, value) in enumerate(case['steps']):
        where = f'step {number} {what}'
        if what == 'ask':
            run.ask(where, value)
        elif what == 'while':
            with Watcher(run, value):
                for inner, argument in value['steps']:
                    run.step(inner, argument)
        else:
            run.step(what, value)


def live(run, case, life):
    """The rows of a case in one way of lying."""
    schema, rows = case['schema'], case['rows']
    half = len(rows) // 2
    if life in ('buffered', 'killed'):
        run.step('put', schema)
        run.step('push', {'rows': rows})
        if life == 'killed':
            run.step('restart', 'kill')
    elif life == 'half stored':
        run.step('task', {'schema': schema, 'rows': rows[:half] or rows})
        run.step('put', schema)
        if rows[:half]:
            run.step('push', {'rows': rows[half:]})
    else:
        other = dict(schema, granularity='hour') if life == 'stored by hour' else schema
        run.step('task', {'schema': other, 'rows': rows})
    for question in case['asks']:
        run.ask(life, question)


def judge(case, server_of):
    wrong = []
    for life in case.get('lives', LIVES) if 'rows' in case else ('steps',):
        run = Run(server_of(case), case.get('name') or f"d_{case['id'].lower().replace('-', '_')}_{life.replace(' ', '_')}")
        try:
            live_through(run, case) if life == 'steps' else live(run, case, life)
        except (RuntimeError, OSError) as error:
            run.wrong.append(f'{life}: {type(error).__name__} {error}')
        wrong += run.wrong
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', default='')
    parser.add_argument('--show', type=int, default=4, help='wrong answers shown a case')
    parser.add_argument('--cluster', type=int, metavar='PORT')
    options = parser.parse_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix='henge-answers-') as scratch:
        shared = []

        def server_of(_case):
            if options.cluster and not shared:
                shared.append(ClusterServer(options.cluster, QUIET).start())
            if options.cluster:
                return shared[0]
            # A server that a case broke is not asked again.
            if not shared or shared[-1].process.poll() is not None:
                shared.append(harness.Server(os.path.join(scratch, str(len(shared))), QUIET, log='error').start())
            return shared[-1]

        for module, case in cases(options.only):
            wrong = judge(case, server_of)
            passed, failed = passed + (not wrong), failed + bool(wrong)
            if wrong:
                print(f"FAIL {module} {case['id']}: {case['title']}", *wrong[:options.show], sep='\n    ', flush=True)
        for server in shared:
            if options.cluster:
                server.close()
            elif server.process.poll() is None:
                server.stop()
    print(f'answers: {passed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
