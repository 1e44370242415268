#!/usr/bin/env python3
"""Deep storage in a bucket, from push to rebuild, on an S3 server (moto) that the script starts and ends.

    object_store.py [--pushes 40]

Pushes and hand-offs into the bucket, a restart, `kill -9` amidst pushes, a lost segment cache that is
downloaded again, a store that stands still for a while, lost metadata that are rebuilt from the bucket's
manifests, a bucket that does not exist, a store that is away: every acknowledged event counted exactly
once, every error with the bucket and the fix, no credential anywhere. Without moto it says so and does
nothing: set MOTO_SERVER to the moto_server of `pip install 'moto[server,s3]==5.2.5'`.
"""
import argparse
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

import harness

START_MS, DAY_MS = 1_750_032_000_000, 86_400_000
SECRET = 'do-not-show-this'
DEADLINE_SECONDS = 60
QUERY = {'queryType': 'timeseries', 'dataSource': 'events', 'intervals': ['2020/2040'], 'granularity': 'all',
         'aggregations': [{'type': 'longSum', 'name': 'events', 'fieldName': 'events'},
                          {'type': 'longSum', 'name': 'n', 'fieldName': 'n'}]}


class Moto:
    """An S3 server in memory, on a free port."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, '-H', '127.0.0.1', '-p', '0'], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r'http://127\.0\.0\.1:\d+', line)
            if found:
                self.url = found.group(0)
                break
        else:
            raise RuntimeError('moto did not start')
        # It logs every request: somebody has to read on, or it stops.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def call(self, method, path):
        with urllib.request.urlopen(urllib.request.Request(self.url + path, method=method)) as answer:
            return answer.read().decode()

    def keys(self, prefix):
        return re.findall(r'<Key>([^<]+)</Key>', self.call('GET', f'/bucket?list-type=2&prefix={prefix}'))

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


class Test:
    def __init__(self, moto, data_dir):
        self.moto, self.data_dir, self.acknowledged, self.wrong = moto, data_dir, 0, []
        self.settings = {'STORAGE__URL': 's3://bucket/first/cluster', 'STORAGE__ENDPOINT': moto.url,
                         'STORAGE__ALLOW_HTTP': 'true', 'INGESTION__HANDOFF_ROWS': 2000, 'INGESTION__HANDOFF_AGE_MS': 200}
        self.server = self.client = None

    def start(self):
        self.server = harness.Server(self.data_dir, self.settings).start()
        self.client = harness.Client(self.server.url)

    def push(self, count, batch=500, may_be_refused=False):
        """Pushes; with `may_be_refused` until the log takes no more. What is refused is not stored, and sent again."""
        end = time.monotonic() + DEADLINE_SECONDS
        for _ in range(count):
            start = self.acknowledged
            rows = [{'t': START_MS + (start + i) * 977 % (3 * DAY_MS), 'n': start + i} for i in range(batch)]
            body = '\n'.join(map(json.dumps, rows)).encode()
            status, reply = self.client.call('POST', '/v1/datasources/events/events', body)
            while status == 429 and not may_be_refused and time.monotonic() < end:
                time.sleep(0.05)
                status, reply = self.client.call('POST', '/v1/datasources/events/events', body)
            if status == 429 and may_be_refused:
                return
            if status != 200 or reply['accepted'] != batch:
                raise RuntimeError(f'push: HTTP {status} {reply}')
            self.acknowledged += batch

    def expect(self, when):
        end = time.monotonic() + DEADLINE_SECONDS
        wanted = (self.acknowledged, self.acknowledged * (self.acknowledged - 1) // 2)
        while True:
            status, answer = self.client.call('POST', '/druid/v2', QUERY)
            if status == 200:
                break
            if time.monotonic() > end:
                self.wrong.append(f'{when}: HTTP {status} {answer}')
                return
            time.sleep(0.05)
        result = answer[0]['result'] if answer else {'events': 0, 'n': 0}
        if (result['events'], result['n']) != wanted:
            self.wrong.append(f'{when}: {result}, expected {wanted}')
        print(f'  {when}: {result["events"]} events', flush=True)

    def await_handoff(self):
        """Waits until nothing is buffered: what is asked then comes from segments that are in the bucket."""
        end = time.monotonic() + DEADLINE_SECONDS
        while self.buffered():
            if time.monotonic() > end:
                raise RuntimeError('the hand-off did not end')
            time.sleep(0.05)

    def buffered(self):
        """True unless the answer has an ETag, which those over published segments alone have."""
        request = urllib.request.Request(self.server.url + '/druid/v2', json.dumps(QUERY).encode(),
                                         {'Content-Type': 'application/json'})
        with urllib.request.urlopen(request) as answer:
            return 'ETag' not in answer.headers

    def command(self, *arguments):
        done = subprocess.run([harness.binary(), *arguments], env=harness.Server(self.data_dir, self.settings).env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if SECRET in done.stdout:
            self.wrong.append(f'{arguments}: shows the credential')
        return done.returncode, done.stdout

    def refuses(self, settings, *texts):
        """A server with these settings does not start and says why."""
        kept, self.settings = self.settings, {**self.settings, **settings}
        other = tempfile.mkdtemp(prefix='henge-refused-')
        code, said = self.command('server', '--data-dir', other, '--port', '0')
        shutil.rmtree(other)
        self.settings = kept
        for text in texts:
            if code == 0 or text not in said:
                self.wrong.append(f'{settings}: exit code {code}, no {text!r} in: {said}')

    def run(self, pushes):
        self.start()
        self.client.must('PUT', '/v1/datasources/events', {
            'timestampSpec': {'column': 't', 'format': 'millis'}, 'dimensionsSpec': {'dimensions': []},
            'metricsSpec': [{'type': 'count', 'name': 'events'}, {'type': 'longSum', 'name': 'n', 'fieldName': 'n'}],
            'granularitySpec': {'segmentGranularity': 'day', 'queryGranularity': 'none', 'rollup': False}})
        self.push(pushes)
        self.await_handoff()
        self.expect('after pushes and hand-offs')
        segments = self.moto.keys('first/cluster/segments')
        if not segments or os.path.exists(os.path.join(self.data_dir, 'deep-storage')):
            self.wrong.append(f'{len(segments)} segments in the bucket, or a folder deep-storage beside it')
        self.server.stop()
        self.start()
        self.expect('after a restart')
        for kill in range(3):
            self.push(pushes // 4)
            self.server.kill()
            self.start()
            self.expect(f'after kill {kill + 1}')
        self.store_stands_still(pushes)
        self.cache_is_lost()
        self.metadata_are_lost()
        self.server.stop()

    def store_stands_still(self, pushes):
        self.moto.process.send_signal(signal.SIGSTOP)
        self.push(pushes, may_be_refused=True)
        self.moto.process.send_signal(signal.SIGCONT)
        self.await_handoff()
        self.expect('after the store stood still')

    def cache_is_lost(self):
        self.server.kill()
        shutil.rmtree(os.path.join(self.data_dir, 'segment-cache'))
        self.start()
        self.expect('after the segment cache was downloaded again')

    def metadata_are_lost(self):
        self.server.stop()
        code, said = self.command('metadata', 'check', '--data-dir', self.data_dir)
        if code:
            self.wrong.append(f'metadata check: {said}')
        for path in glob.glob(os.path.join(self.data_dir, 'metadata.sqlite*')):
            os.remove(path)
        code, said = self.command('metadata', 'rebuild', '--data-dir', self.data_dir)
        if code:
            self.wrong.append(f'metadata rebuild: {said}')
        self.start()
        self.expect('after the metadata were rebuilt from the bucket')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--pushes', type=int, default=40)
    options = parser.parse_args()
    program = os.environ.get('MOTO_SERVER') or shutil.which('moto_server')
    if not program:
        print("object store: SKIPPED, there is no moto_server; pip install 'moto[server,s3]==5.2.5' and set "
              'MOTO_SERVER')
        return 0
    os.environ.update({'AWS_ACCESS_KEY_ID': 'key', 'AWS_SECRET_ACCESS_KEY': SECRET, 'AWS_REGION': 'us-east-1'})
    data_dir, moto = tempfile.mkdtemp(prefix='henge-bucket-'), Moto(program)
    try:
        moto.call('PUT', '/bucket')
        test = Test(moto, data_dir)
        test.run(options.pushes)
        test.refuses({'STORAGE__URL': 's3://nowhere'}, 'object store s3://nowhere at http://127.0.0.1', 'create it')
        test.refuses({'STORAGE__URL': 's3://bucket/first/cluster'}, 'deep storage belongs to cluster')
        test.refuses({'STORAGE__ALLOW_HTTP': 'false'}, 'storage.allow_http')
        code, said = test.command('config', 'check')
        if code or '(hidden)' not in said:
            test.wrong.append(f'config check: {said}')
    finally:
        moto.end()
    for text in test.wrong:
        print('WRONG', text)
    print(f"object store: {test.acknowledged} events, {'0 passed, 1 failed' if test.wrong else '1 passed, 0 failed'}")
    if not test.wrong:
        shutil.rmtree(data_dir)
    return bool(test.wrong)


if __name__ == '__main__':
    raise SystemExit(main())
