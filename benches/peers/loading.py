"""Loads tables and tells what it took: seconds, bytes a row, the process's peak of memory.

    loading.py ENGINE DATA TABLE STORE      loads one table into a peer, in this process
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

import engines

PROJECT = os.path.dirname(os.path.dirname(engines.HERE))
SPECS = os.path.join(os.path.dirname(engines.HERE), 'specs')
sys.path.insert(0, os.path.join(PROJECT, 'tests'))
import harness  # noqa: E402  (the tests' helpers start the server and speak to it)

COUNT = {'queryType': 'timeseries', 'intervals': ['1900/2100'], 'granularity': 'all', 'aggregations': [{'type': 'count', 'name': 'rows'}]}


def spec_of(table, projections):
    return os.path.join(SPECS, f"{table}{'_projections' if projections else ''}.json")


class Henge:
    """A server of its own with the tables loaded through the task API. `loads` tells what each took.

    Its data stay when a folder is given, and a table that is there from an earlier run is not loaded again.
    """

    def __init__(self, data, tables, projections=False, folder=None):
        self.folder, self.kept = folder or tempfile.mkdtemp(prefix='henge-peers-'), bool(folder)
        self.server = harness.Server(self.folder, {'QUERY__THREADS': engines.THREADS}).start()
        self.url, self.loads = self.server.url, {}
        client = harness.Client(self.url)
        for table in tables:
            if self.kept and rows(client, table):
                print(f'# {table}: there already', flush=True)
            else:
                self.loads[table] = self.load(data, table, projections)

    def load(self, data, table, projections):
        with open(spec_of(table, projections), encoding='utf-8') as file:
            task = json.loads(file.read().replace('@DATA@', os.path.abspath(data)))
        task['spec']['dataSchema']['dataSource'] = table
        before, started, peak = self.stored_bytes(), time.time(), Peak(self.server.process.pid)
        status = follow(harness.Client(self.url), task, table, peak)
        seconds, progress = time.time() - started, status['progress']
        if progress['rejected']:
            print(f"# {table}: {progress['rejected']} rows were refused", flush=True)
        return dict(seconds=seconds, rows=progress['accepted'], bytes=self.stored_bytes() - before, peak_mb=peak.resident_mb, anonymous_mb=peak.anonymous_mb)

    def stored_bytes(self):
        return engines.size_bytes(os.path.join(self.folder, 'deep-storage'))

    def peak_mb(self):
        return Peak(self.server.process.pid, reset=False).sample().resident_mb

    def stop(self):
        self.server.stop()
        if not self.kept:
            shutil.rmtree(self.folder, ignore_errors=True)


class Peak:
    """The largest memory of a process since this was made, as far as it was sampled."""

    def __init__(self, pid, reset=True):
        self.pid, self.resident_mb, self.anonymous_mb = pid, 0, 0
        if reset:
            with open(f'/proc/{pid}/clear_refs', 'w', encoding='ascii') as file:
                file.write('5')  # resets the high-water mark

    def sample(self):
        with open(f'/proc/{self.pid}/status', encoding='ascii') as file:
            fields = dict(line.split(':', 1) for line in file if ':' in line)
        mb = lambda name: int(fields[name].split()[0]) / 1024
        self.resident_mb, self.anonymous_mb = mb('VmHWM'), max(self.anonymous_mb, mb('RssAnon'))
        return self


def follow(client, task, table, peak):
    """Waits for the task's end and until its rows are served, with a line every ten seconds."""
    path = '/druid/indexer/v1/task/' + urllib.parse.quote(client.must('POST', '/druid/indexer/v1/task', task)['task'], safe='') + '/status'
    told = time.time()
    while True:
        status = client.must('GET', path)['status']
        peak.sample()
        if status['statusCode'] == 'FAILED':
            sys.exit(f"{table}: the task failed: {status['errorMsg']}")
        if status['statusCode'] == 'SUCCESS' and rows(client, table) >= status['progress']['accepted']:
            return status
        if time.time() - told > 10:
            told, progress = time.time(), status['progress']
            share = f" ({100 * progress['processedBytes'] / progress['totalBytes']:.0f} % of the bytes)" if progress.get('totalBytes') else ''
            print(f"# {table}: {progress['accepted']:,} rows{share}", flush=True)
        time.sleep(0.2)


def rows(client, table):
    answer = client.query(dict(COUNT, dataSource=table))
    return answer[0]['result']['rows'] if answer else 0


def load_peer(engine, data, table, scratch):
    """Loads a table into a peer in a process of its own, which starts with an empty store."""
    with tempfile.TemporaryDirectory(prefix=f'{engine}-', dir=scratch) as store:
        started = time.time()
        process = subprocess.Popen([sys.executable, os.path.abspath(__file__), engine, data, table, store], stdout=subprocess.DEVNULL)
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = code
        if code:
            print(f'# {table}: {engine} did not load it')
            return None
        return dict(seconds=time.time() - started, bytes=engines.size_bytes(store), peak_mb=usage.ru_maxrss / 1024)


if __name__ == '__main__':
    engines.open_peer(sys.argv[1], sys.argv[2], [sys.argv[3]], sys.argv[4])
