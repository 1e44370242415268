#!/usr/bin/env python3
"""Bombs under a control group of 1 GiB: each ends in an error or an answer, the server stays below its
ceiling, and pushes and queries of others go on meanwhile.

    memory_ceiling.py [--only TEXT] [--gib 1]

Prints the peak of each. Where no control group can be made (containers), it says so loudly and runs
nothing.
"""
import argparse
import gzip
import json
import os
import random
import shutil
import socket
import sys
import tempfile
import threading
import time

import harness
from bombs import BOMBS

GROUPS = (('/sys/fs/cgroup/memory', 'memory.limit_in_bytes'), ('/sys/fs/cgroup', 'memory.max'))
START_MS = 1_750_032_000_000
# Others wait no longer than this, whatever goes on.
PATIENCE_SECONDS = 20
# A start with all rows in the log takes no longer.
RESTART_SECONDS = 300


class Group:
    """A control group with a memory limit, of either version."""

    def __init__(self, limit_bytes):
        self.path = None
        for root, name in GROUPS:
            path = os.path.join(root, f'henge-ceiling-{os.getpid()}')
            if not os.path.exists(os.path.join(root, 'cgroup.procs')):
                continue
            try:
                os.mkdir(path)
                with open(os.path.join(path, name), 'w', encoding='ascii') as limit:
                    limit.write(str(limit_bytes))
                self.path = path
                return
            except OSError as error:
                self.reason = f'{path}: {error}'
                if os.path.isdir(path):
                    os.rmdir(path)

    def enter(self):
        with open(os.path.join(self.path, 'cgroup.procs'), 'w', encoding='ascii') as processes:
            processes.write(str(os.getpid()))

    def close(self):
        if self.path:
            os.rmdir(self.path)


class Capped(harness.Server):
    """A server in a control group."""

    def __init__(self, group, data_dir, settings, handles):
        super().__init__(data_dir, settings, log='error', handles=handles)
        self.group = group

    def limit(self):
        self.group.enter()
        super().limit()

    def own_mb(self):
        """Resident memory without mapped files, which the system takes back when it wants to."""
        with open(f'/proc/{self.process.pid}/status', encoding='ascii') as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith('RssAnon'))


class Peak:
    """The most memory of a server while it is watched."""

    def __init__(self, server):
        self.server, self.peak_mb, self.on = server, 0.0, True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.on:
            try:
                self.peak_mb = max(self.peak_mb, self.server.own_mb())
            except (OSError, StopIteration):
                pass  # it starts again, or died, which is looked at elsewhere
            time.sleep(0.02)

    def end(self):
        self.on = False
        self.thread.join()
        return self.peak_mb


class Others:
    """Pushes and queries of somebody else, all the time; every answer has to be exact."""

    def __init__(self, server):
        self.server, self.stored, self.slowest, self.wrong, self.on = server, 0, 0.0, [], True
        # Held while the server starts again: nobody waits for that.
        self.away = threading.Lock()
        harness.Client(server.url).must('PUT', '/v1/datasources/others', schema(['batch']))
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        url, client = None, None
        while self.on:
            with self.away:
                if url != self.server.url:
                    url = self.server.url
                    client = harness.Client(url, PATIENCE_SECONDS)
                started = time.monotonic()
                try:
                    self.round(client)
                except Exception as error:  # pylint: disable=broad-except
                    if self.on:
                        self.wrong.append(f'{type(error).__name__}: {error}')
                        time.sleep(0.5)
                self.slowest = max(self.slowest, time.monotonic() - started)
            time.sleep(0.02)

    def round(self, client):
        event = {'t': START_MS, 'batch': f'b{self.stored % 7}', 'id': 1}
        status, answer = client.call('POST', '/v1/datasources/others/events', event)
        # Refused for want of memory is an error that says so, and nothing was stored.
        if status == 200:
            self.stored += answer['accepted']
        elif status != 429:
            self.wrong.append(f'push: HTTP {status} {str(answer)[:200]}')
        status, answer = client.call('POST', '/druid/v2', count_of('others'))
        if status == 200 and self.stored and answer[0]['result']['n'] != self.stored:
            self.wrong.append(f"counted {answer[0]['result']['n']}, stored {self.stored}")
        elif status not in (200, 429):
            self.wrong.append(f'query: HTTP {status} {str(answer)[:200]}')

    def end(self):
        self.on = False
        self.thread.join(2 * PATIENCE_SECONDS)
        return self.wrong[:3]


def schema(dimensions, metrics=None, granularity='hour', discover=False):
    spec = {'useSchemaDiscovery': True} if discover else {'dimensions': dimensions}
    count = [{'type': 'count', 'name': 'events'}]
    return {'timestampSpec': {'column': 't', 'format': 'millis'}, 'dimensionsSpec': spec,
            'metricsSpec': count if metrics is None else metrics,
            'granularitySpec': {'segmentGranularity': granularity, 'queryGranularity': 'none', 'rollup': False}}


def count_of(datasource):
    return {'queryType': 'timeseries', 'dataSource': datasource, 'intervals': ['0001/9999'], 'granularity': 'all',
            'aggregations': [{'type': 'longSum', 'name': 'n', 'fieldName': 'events'}], 'context': {'useCache': False}}


class Field:
    """What a bomb works with."""

    start_ms, schema, count_of = START_MS, staticmethod(schema), staticmethod(count_of)

    def __init__(self, server, others):
        self.server, self.others, self.random = server, others, random.Random(5)

    def restart(self, settings=None):
        """kill -9 and start again, under the same limits; gives the seconds until it was ready."""
        with self.others.away:
            self.server.kill()
            self.server.env.update({f'HENGE_{k}': str(v) for k, v in (settings or {}).items()})
            self.server.start(RESTART_SECONDS)
        return self.server.ready_ms / 1000

    def client(self, timeout=180):
        return harness.Client(self.server.url, timeout)

    def put(self, name, *arguments, **named):
        self.client().must('PUT', f'/v1/datasources/{name}', schema(*arguments, **named))

    def push(self, name, body, compressed=False, timeout=180):
        """(status, answer) of a push; `None` when the connection was cut."""
        headers = {'Content-Encoding': 'gzip'} if compressed else {}
        try:
            return self.client(timeout).call('POST', f'/v1/datasources/{name}/events', body, headers)
        except (OSError, EOFError, harness.http.client.HTTPException):
            return None, 'cut'

    def send_and_never_read(self, query):
        """A client that asks and reads nothing; give the socket to keep it open."""
        body = json.dumps(query).encode()
        host, port = self.client().netloc.split(':')
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((host, int(port)))
        head = f'POST /druid/v2 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n'
        connection.sendall(head.encode() + body)
        return connection

    @staticmethod
    def ndjson(events):
        return '\n'.join(map(json.dumps, events)).encode()

    @staticmethod
    def packed(body):
        return gzip.compress(body, 6)


def run(bomb, group, limit_mb, scratch):
    """The line of a bomb, and whether it held."""
    data_dir = os.path.join(scratch, bomb.__name__)
    server = Capped(group, data_dir, getattr(bomb, 'settings', {}), getattr(bomb, 'handles', None)).start()
    others, watch = Others(server), Peak(server)
    field, started, wrong = Field(server, others), time.monotonic(), []
    try:
        outcome = bomb(field)
    except Exception as error:  # pylint: disable=broad-except
        outcome = f'{type(error).__name__}: {error}'
        wrong.append(outcome[:300])
    seconds = time.monotonic() - started
    wrong += others.end()
    if server.process.poll() is not None:
        return f'{bomb.__name__:<28} the server died: exit code {server.process.returncode}; {outcome}', False
    peak = watch.end()
    if others.slowest > PATIENCE_SECONDS:
        wrong.append(f'others waited for {others.slowest:.1f} s')
    if others.stored == 0:
        wrong.append('others stored nothing')
    if peak > limit_mb * 0.95:
        wrong.append('at the ceiling')
    server.kill()
    shutil.rmtree(data_dir, ignore_errors=True)
    line = (f'{bomb.__name__:<28} peak {peak:5.0f} MiB, {seconds:5.1f} s, others {others.stored} pushes, '
            f'slowest {others.slowest:4.1f} s: {outcome}')
    return line + ''.join(f'\n    WRONG: {text}' for text in wrong), not wrong


# Gigabytes of texts, pushed and handed off.
TAKE_MINUTES = ('distinct_texts_handed_off', 'distinct_texts_replayed')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--only', default='')
    parser.add_argument('--gib', type=float, default=1)
    parser.add_argument('--quick', action='store_true', help='without the bombs that take minutes')
    options = parser.parse_args()
    group = Group(int(options.gib * 2**30))
    if group.path is None:
        print('SKIPPED, SKIPPED, SKIPPED: no control group can be made here, so no ceiling was tested '
              f"({getattr(group, 'reason', 'no memory controller')}); run it as root on a machine with cgroups")
        return 0
    scratch, failed, chosen = tempfile.mkdtemp(prefix='henge-ceiling-'), 0, [b for b in BOMBS if options.only in b.__name__]
    if options.quick:
        chosen = [b for b in chosen if b.__name__ not in TAKE_MINUTES]
        print('quick: left out', *TAKE_MINUTES)
    try:
        for bomb in chosen:
            line, held = run(bomb, group, options.gib * 1024, scratch)
            failed += not held
            print(line, flush=True)
    finally:
        for server in harness.RUNNING:
            if server.process.poll() is None:
                server.kill()
        shutil.rmtree(scratch, ignore_errors=True)
        group.close()
    print(f'{len(chosen) - failed} bombs held, {failed} did not')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
