#!/usr/bin/env python3
"""Opens the data folders that earlier binaries left (`folders/`): every row must be there, at once and
after another restart, every retried key a duplicate, every queued task must end.

    old_folders.py [NAME …]

Each change of what is kept on disk adds a folder, left by the binary before it (`folders/leave.py`).
"""
import glob
import json
import os
import sys
import tarfile
import tempfile
import time

import harness

FOLDERS = os.path.join(harness.ROOT, 'tests', 'folders')
DEADLINE_SECONDS = 60


def totals(client, name):
    answer = client.query({'queryType': 'timeseries', 'dataSource': name, 'intervals': ['0001/9999'], 'granularity': 'all',
                           'aggregations': [{'type': 'longSum', 'name': 'events', 'fieldName': 'events'},
                                            {'type': 'longSum', 'name': 'ids', 'fieldName': 'ids'}]})
    result = answer[0]['result'] if answer else {}
    return result.get('events') or 0, result.get('ids') or 0


def wait_for_tasks(client):
    end = time.monotonic() + DEADLINE_SECONDS
    # Between two tasks none is running, and the rest is pending.
    while any(task['statusCode'] == 'RUNNING' for task in client.must('GET', '/druid/indexer/v1/tasks?max=10000')):
        if time.monotonic() > end:
            raise RuntimeError('queued tasks did not end')
        time.sleep(0.05)


def look(client, expected, when):
    wrong = []
    for name, wanted in expected.items():
        if 'one_of_events' in wanted:
            found = totals(client, name)[0]
            if found not in wanted['one_of_events']:
                wrong.append(f'{when}: {name} has {found} events, which is no task\'s')
        elif 'events' in wanted:
            found = totals(client, name)
            if found != (wanted['events'], wanted['ids']):
                wrong.append(f'{when}: {name} has {found}, expected {(wanted["events"], wanted["ids"])}')
            letters = client.must('GET', f'/v1/datasources/{name}/dead-letters') if wanted.get('dead_letters') else None
            if letters is not None and len(letters['deadLetters']) != wanted['dead_letters']:
                wrong.append(f'{when}: {name} has dead letters {letters}')
    return wrong


def retry_keys(client, expected):
    wrong = []
    for name, wanted in expected.items():
        for key, body in wanted.get('keys', {}).items():
            status, reply = client.call('POST', f'/v1/datasources/{name}/events', body.encode(), {'Idempotency-Key': key})
            if status != 200 or not reply['duplicate']:
                wrong.append(f'{name}: the repeat of key {key} answered {status} {str(reply)[:200]}')
    return wrong


def open_folder(archive):
    with tempfile.TemporaryDirectory(prefix='henge-old-folder-') as data_dir:
        with tarfile.open(archive) as file:
            file.extractall(data_dir, filter='data')
        with open(os.path.join(data_dir, 'expected.json'), encoding='utf-8') as file:
            expected = json.load(file)
        os.remove(os.path.join(data_dir, 'expected.json'))
        server = harness.Server(data_dir, {'INGESTION__HANDOFF_AGE_MS': 3_600_000}).start()
        client = harness.Client(server.url)
        wait_for_tasks(client)
        wrong = look(client, expected, 'opened') + retry_keys(client, expected) + look(client, expected, 'keys retried')
        server.kill()
        # Now everything is handed off, and a kill comes in between.
        server = harness.Server(data_dir, {'INGESTION__HANDOFF_AGE_MS': 100}).start()
        client = harness.Client(server.url)
        wrong += look(client, expected, 'after a kill')
        time.sleep(2)
        wrong += look(client, expected, 'while it is handed off')
        server.kill()
        server = harness.Server(data_dir).start()
        client = harness.Client(server.url)
        wrong += look(client, expected, 'handed off')
        states = [task['statusCode'] for task in client.must('GET', '/druid/indexer/v1/tasks?max=10000')]
        if states.count('SUCCESS') != len(states):
            wrong.append(f'tasks: {sorted(set(states))}, {len(states)} in all')
        code = server.stop()
        return wrong + ([f'the server ended with {code}'] if code else [])


def main():
    archives = [os.path.join(FOLDERS, name + '.tar.gz') for name in sys.argv[1:]] or sorted(glob.glob(os.path.join(FOLDERS, '*.tar.gz')))
    failed = 0
    for archive in archives:
        wrong = open_folder(archive)
        failed += bool(wrong)
        print(f'{os.path.basename(archive)}: {"ok" if not wrong else ""}', *wrong, sep='\n  ' if wrong else '', flush=True)
    print(f'old folders: {len(archives) - failed} passed, {failed} failed')
    return 1 if failed or not archives else 0


if __name__ == '__main__':
    sys.exit(main())
