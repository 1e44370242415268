"""What the scripts of this folder share: a server process, and HTTP to it. Standard library only."""
import atexit
import http.client
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def binary():
    """The server's binary: $BINARY, else the release build."""
    target = os.environ.get('CARGO_TARGET_DIR', os.path.join(ROOT, 'target'))
    path = os.environ.get('BINARY', os.path.join(target, 'release', 'henge'))
    if not os.path.exists(path):
        sys.exit(f'{path} is missing: cargo build --release -p henge-server')
    return path


# Servers that were started; a script that ends them early clears the list.
RUNNING = []


class Server:
    """`henge server` on a free port. `settings` are HENGE_ variables without the prefix."""

    def __init__(self, data_dir, settings=None, log='warn', handles=None):
        self.data_dir, self.log, self.handles = data_dir, log, handles
        self.env = dict(os.environ, **{f'HENGE_{k}': str(v) for k, v in (settings or {}).items()})
        self.process = self.url = self.ready_line = None
        self.ready_ms = 0

    def start(self, timeout=120):
        started = time.monotonic()
        command = [binary(), 'server', '--data-dir', self.data_dir, '--port', '0', '--log', self.log]
        self.process = subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, text=True, preexec_fn=self.limit)
        atexit.register(self.process.kill)  # no server outlives its script
        RUNNING.append(self)
        guard = threading.Timer(timeout, self.process.kill)
        guard.start()
        line = self.process.stdout.readline()
        guard.cancel()
        found = re.search(r'http://\S+', line)
        if not found:
            raise RuntimeError(f'the server did not start: {line!r}, exit code {self.process.wait()}')
        self.ready_ms = (time.monotonic() - started) * 1000
        self.url, self.ready_line = found.group(0), line.strip()
        return self

    def limit(self):
        if self.handles:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.handles, self.handles))

    def kill(self):
        """kill -9"""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        return code

    def memory_mb(self):
        with open(f'/proc/{self.process.pid}/status', encoding='ascii') as status:
            fields = dict(line.split(':', 1) for line in status if ':' in line)
        return int(fields['VmRSS'].split()[0]) / 1024


class Client:
    """One keep-alive connection. Not to be shared between threads."""

    # The server closes connections that are idle for longer than its header timeout.
    IDLE_SECONDS = 10

    def __init__(self, url, timeout=60):
        self.netloc, self.timeout, self.connection, self.used = urllib.parse.urlsplit(url).netloc, timeout, None, 0.0

    def call(self, method, path, body=None, headers=None):
        """(status, decoded JSON or text)"""
        if self.connection and time.monotonic() - self.used > self.IDLE_SECONDS:
            self.connection.close()
            self.connection = None
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.netloc, timeout=self.timeout)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        try:
            self.connection.request(method, path, body, {'Content-Type': 'application/json', **(headers or {})})
            response = self.connection.getresponse()
            data = response.read()
            self.used = time.monotonic()
        except BaseException:
            self.connection.close()
            self.connection = None
            raise
        try:
            return response.status, json.loads(data) if data else None
        except ValueError:
            return response.status, data.decode('utf-8', 'replace')

    def must(self, method, path, body=None, headers=None):
        status, answer = self.call(method, path, body, headers)
        if status != 200:
            raise RuntimeError(f'{method} {path}: HTTP {status}: {str(answer)[:500]}')
        return answer

    def query(self, query):
        return self.must('POST', '/druid/v2', query)


def run_task(client, task, timeout=300):
    """Submits a batch task and waits for its end."""
    task_id = client.must('POST', '/druid/indexer/v1/task', task)['task']
    end = time.monotonic() + timeout
    path = '/druid/indexer/v1/task/' + urllib.parse.quote(task_id, safe='')
    while time.monotonic() < end:
        status = client.must('GET', path + '/status')['status']
        if status['statusCode'] == 'SUCCESS':
            return status
        if status['statusCode'] == 'FAILED':
            raise RuntimeError(f"task failed: {status['errorMsg']}")
        time.sleep(0.02)
    raise RuntimeError('the task did not end in time')
