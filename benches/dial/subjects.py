"""What is measured: servers with their segments in one form or another, and DuckDB."""
import glob
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import group

FORMS = {'hot': {'CODEC': 'none'}, 'as_stored': {'CODEC': 'as_stored'}, 'on_demand': {'RESIDENCY': 'on_demand'}}
# The form of each, and settings on top.
KNOWN = {'before': ('hot', {}), 'hot': ('hot', {}), 'unaided': ('hot', {'READ_AHEAD': 'false'}),
         'as_stored': ('as_stored', {}), 'on_demand': ('on_demand', {}), 'duck': (None, {})}
SUFFIX = {'hot': 'hot', 'as_stored': 'segment', 'on_demand': 'blocks'}
CHILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'duck.py')


def prepared(options):
    """Those of the subjects that can be, with their copies of the data folder."""
    chosen = []
    for name in options.subjects:
        form, settings = KNOWN[name]
        if name == 'before' and not options.before:
            continue
        if form is None:
            if subprocess.run([sys.executable, CHILD, 'check'], stderr=subprocess.DEVNULL).returncode:
                print('# no DuckDB: its Python package or its table peers.duckdb is missing', flush=True)
                continue
            chosen.append(Duck())
            continue
        binary = options.before if name == 'before' else options.binary
        chosen.append(Server(name, binary, folder_of(options, name, form), form, settings))
    return chosen


def folder_of(options, name, form):
    """The data folder that a subject is started on."""
    if name == 'before' and options.before_data_dir:
        return copy_of(options.before_data_dir, os.path.join(options.scratch, name), options.before, form)
    return copy_of(options.data_dir, os.path.join(options.scratch, form), options.binary, form)


def copy_of(source, folder, binary, form):
    """A data folder whose segments are in this form, made by a server without limits."""
    if not os.path.isdir(folder):
        print(f'# copies {source} to {folder}', flush=True)
        shutil.copytree(source, folder + '.tmp', symlinks=True)
        os.rename(folder + '.tmp', folder)
    server = Server(form, binary, folder, form, {})
    server.start(None)
    try:
        while not server.is_settled():
            time.sleep(1)
    finally:
        server.stop()
    return folder


class Server:
    """A server of a form."""

    def __init__(self, name, binary, folder, form, settings):
        self.name, self.binary, self.folder, self.form = name, binary, folder, form
        self.settings = {f'HENGE_HISTORICAL__{key}': value for key, value in (FORMS[form] | settings).items()}
        self.process, self.port = None, 0

    def measure(self, asked, limited):
        """None when it does not get through."""
        if self.form == 'on_demand':
            for blocks in glob.glob(os.path.join(self.folder, 'segment-cache', '*', '*.blocks')):
                os.remove(blocks)
        self.start(limited)
        try:
            connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=600)
            before, times = group.disk(self.process.pid), []
            for native, _ in asked:
                started = time.perf_counter()
                connection.request('POST', '/druid/v2', json.dumps(native), {'Content-Type': 'application/json'})
                response = connection.getresponse()
                body = response.read()
                times.append((time.perf_counter() - started) * 1000)
                if response.status != 200:
                    print(f'# {self.name}: {response.status} {body[:200]}', flush=True)
                    return None
            return figures(times, before, group.disk(self.process.pid))
        except (OSError, http.client.HTTPException) as error:
            print(f'# {self.name} failed: {error!r}, exit {self.process.poll()}', flush=True)
            return None
        finally:
            self.stop()

    def start(self, limited):
        """Returns once it answers for its segments."""
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        command = [self.binary, 'server', '--data-dir', self.folder, '--port', str(self.port)]
        enter = limited.enter if limited else None
        # One that begins to read again while it is measured would be measured too.
        environment = dict(os.environ, HENGE_HISTORICAL__SCRUB_BYTES_PER_SECOND='0', **self.settings)
        self.process = subprocess.Popen(command, preexec_fn=enter, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while self.process.poll() is None:
            if (self.get('/status/ready') or {}).get('complete'):
                return
            time.sleep(0.1)
        raise ConnectionError(f'{self.binary} ended with {self.process.returncode}')

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def is_settled(self):
        """Whether all that it serves is in its form."""
        dial = self.get('/henge/v1/dial')
        count = lambda suffix: len(glob.glob(os.path.join(self.folder, 'segment-cache', '*', f'*.{suffix}')))
        files = count(SUFFIX[self.form])
        if dial is None:  # an older program
            return 0 < files == sum(map(count, SUFFIX.values()))
        return 0 < dial['total']['segments'] <= files

    def get(self, path):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        try:
            connection.request('GET', path)
            response = connection.getresponse()
            body = response.read()
            return json.loads(body) if response.status in (200, 503) else None
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            connection.close()


class Duck:
    """DuckDB in a process of its own."""

    name = 'duck'

    def measure(self, asked, limited):
        command = [sys.executable, CHILD, str(limited.limit_mb)]
        texts = json.dumps([sql for _, sql in asked])
        done = subprocess.run(command, preexec_fn=limited.enter, input=texts, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            print(f'# duck ended with {done.returncode}', flush=True)
            return None
        told = json.loads(done.stdout)
        return figures(told['times'], told['before'], told['after'])


def figures(times, before, after):
    """Milliseconds of the first question and of all; what was read before it was ready, and by the questions."""
    ordered = sorted(times)
    at = lambda part: round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 1)
    return {'first': round(times[0], 1), 'p50': at(0.5), 'p99': at(0.99), 'largest': round(ordered[-1], 1),
            'start_mb': round(before[0]), 'read_mb': round(after[0] - before[0]), 'faults': after[1] - before[1]}
