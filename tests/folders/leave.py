#!/usr/bin/env python3
"""Leaves a data folder as a server leaves it when it is killed: the fixture of `old_folders.py`.

    BINARY=…/henge leave.py NAME

Run it with the last binary before a change of what is kept on disk; it writes NAME.tar.gz beside
this script, with expected.json in it: what every later server must find. The folder holds published
segments, rows that are only in the log (with and without roll-up, with discovered columns, under two
schemas), keys, dead letters, a replaced day, and tasks that were queued when the kill came.
"""
import json
import os
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
DAY_MS, HOUR_MS, START_MS = 86_400_000, 3_600_000, 1_750_032_000_000
SUMS = [{'type': 'count', 'name': 'events'}, {'type': 'longSum', 'name': 'ids', 'fieldName': 'id'}]
QUEUED_TASKS = 40


def schema(granularity='hour', dimensions=('batch',), metrics=tuple(SUMS), rollup=False, query_granularity='none', time_format='millis'):
    return {'timestampSpec': {'column': 't', 'format': time_format},
            'dimensionsSpec': {'dimensions': list(dimensions)} if dimensions is not None else {'useSchemaDiscovery': True},
            'metricsSpec': list(metrics),
            'granularitySpec': {'segmentGranularity': granularity, 'queryGranularity': query_granularity, 'rollup': rollup}}


def events(batch, count, hours=3, first_id=0, **more):
    return [{'t': START_MS + i % hours * HOUR_MS + i, 'batch': batch, 'id': first_id + i, **more} for i in range(count)]


def task(task_id, datasource, spec, rows):
    return {'type': 'index_parallel', 'id': task_id, 'spec': {
        'dataSchema': dict(spec, dataSource=datasource),
        'ioConfig': {'type': 'index_parallel', 'inputSource': {'type': 'inline', 'data': '\n'.join(map(json.dumps, rows))},
                     'inputFormat': {'type': 'json'}, 'appendToExisting': False},
        'tuningConfig': {'type': 'index_parallel'}}}


class Folder:
    def __init__(self, data_dir):
        self.data_dir, self.expected = data_dir, {}
        self.server = self.client = None

    def start(self, handoff_age_ms):
        self.server = harness.Server(self.data_dir, {'INGESTION__HANDOFF_AGE_MS': handoff_age_ms}).start()
        self.client = harness.Client(self.server.url)

    def put(self, name, spec):
        self.client.must('PUT', f'/v1/datasources/{name}', spec)

    def push(self, name, rows, key=None, accepted=None):
        body = '\n'.join(map(json.dumps, rows)).encode()
        status, reply = self.client.call('POST', f'/v1/datasources/{name}/events', body, {'Idempotency-Key': key} if key else {})
        assert status == 200 and reply['accepted'] == (len(rows) if accepted is None else accepted), (status, reply)
        found = self.expected.setdefault(name, {'events': 0, 'ids': 0, 'keys': {}})
        found['events'] += reply['accepted']
        found['ids'] += sum(row['id'] for row in rows if row['t'] is not None)
        if key:
            found['keys'][key] = body.decode()

    def wait_for_handoff(self, names):
        sinks = os.path.join(self.data_dir, 'spill')
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if all(self.published(name) for name in names) and not any(f.endswith('.segment') for f in os.listdir(sinks)):
                return
            time.sleep(0.1)
        raise RuntimeError('the hand-off did not end')

    def published(self, name):
        folder = os.path.join(self.data_dir, 'deep-storage', 'segments', name)
        return os.path.isdir(folder) and len(os.listdir(folder)) > 0


def fill(folder):
    folder.start(handoff_age_ms=300)
    folder.put('flat', schema())
    folder.put('roll', schema(rollup=True, query_granularity='minute', metrics=SUMS + [{'type': 'HLLSketchBuild', 'name': 'users', 'fieldName': 'user'}]))
    folder.put('found', schema(dimensions=None))
    folder.put('twice', schema('hour'))
    folder.put('lists', schema('day', dimensions=['batch', 'tags', {'type': 'double', 'name': 'd'}]))
    folder.put('quiet', schema())
    for name in ('flat', 'roll', 'found', 'twice', 'lists'):
        folder.push(name, events('published', 60, user='u1', word='a', number=1, tags=['x', 'y'], d=1.5), key='published')
    harness.run_task(folder.client, task('first', 'replaced', schema('day'), events('first', 10)))
    harness.run_task(folder.client, task('second', 'replaced', schema('day'), events('second', 25)))
    folder.expected['replaced'] = {'events': 25, 'ids': sum(range(25)), 'keys': {}}
    folder.wait_for_handoff(['flat', 'roll', 'found', 'twice', 'lists', 'replaced'])
    assert folder.server.stop() == 0

    folder.start(handoff_age_ms=3_600_000)
    for name in ('flat', 'roll', 'found', 'twice', 'lists'):
        folder.push(name, events('logged', 45, hours=4, first_id=1000, user='u2', word='b', number=2, tags=['z', None], d=-2.25), key='logged')
    folder.push('found', events('later', 20, first_id=5, number=7, late='new column', decimal=1.25), key='later')
    folder.put('twice', schema('hour', dimensions=['batch', 'word']))
    folder.push('twice', events('changed', 30, first_id=300, word='w'), key='changed')
    # Refused events are counted in `received` alone.
    folder.push('flat', [*events('mixed', 5), {'t': None, 'batch': 'bad', 'id': 1}], accepted=5)
    folder.expected['flat']['dead_letters'] = 1
    folder.push('quiet', events('only in the log', 12), key='only')
    for number in range(QUEUED_TASKS):
        folder.client.must('POST', '/druid/indexer/v1/task', task(f'queued-{number}', f'queued_{number % 4}', schema('day'), events(f'q{number}', 200 + number)))
    running = folder.client.must('GET', '/druid/indexer/v1/tasks?state=running')
    folder.server.kill()
    folder.expected['tasks'] = {'queued': QUEUED_TASKS, 'unfinished_at_least': len(running) // 2}
    # Of the tasks into one datasource the last one replaces the others.
    for slot in range(4):
        last = max(n for n in range(QUEUED_TASKS) if n % 4 == slot)
        folder.expected[f'queued_{slot}'] = {'one_of_events': sorted(200 + n for n in range(QUEUED_TASKS) if n % 4 == slot), 'last': 200 + last, 'keys': {}}


def main():
    name = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix='henge-folder-') as scratch:
        folder = Folder(os.path.join(scratch, name))
        fill(folder)
        with open(os.path.join(folder.data_dir, 'expected.json'), 'w', encoding='utf-8') as file:
            json.dump(folder.expected, file)
        with tarfile.open(os.path.join(HERE, name + '.tar.gz'), 'w:gz') as archive:
            archive.add(folder.data_dir, arcname='.')
    print(f'left {name}.tar.gz, {os.path.getsize(os.path.join(HERE, name + ".tar.gz")) // 1024} KiB')


if __name__ == '__main__':
    main()
