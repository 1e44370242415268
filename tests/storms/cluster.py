"""The cluster of `cargo xtask cluster`, and what can be done to its processes."""
import glob
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from harness import ROOT, binary

BROKERS, COORDINATORS = ['broker-1', 'broker-2'], ['coordinator-1', 'coordinator-2']
HISTORICALS, REALTIMES = ['historical-1', 'historical-2', 'historical-3'], ['realtime-1', 'realtime-2']
NODES = BROKERS + COORDINATORS + HISTORICALS + REALTIMES
# Nobody has it: what is sent there is lost without a word.
NOBODY = '02:00:00:00:00:01'


def can_cut():
    """Whether this user may make networks."""
    return subprocess.run(['unshare', '-n', 'ip', 'link', 'add', 'probe', 'type', 'veth'], check=False, stderr=subprocess.DEVNULL).returncode == 0


def in_new_cluster(what, base_port, work, **kind):
    """What `work` gives of a cluster in a folder of its own; 0 where there is no PostgreSQL for `what`."""
    if not glob.glob('/usr/lib/postgresql/*/bin/postgres'):
        print(f'SKIPPED, there is no PostgreSQL here: {what}')
        return 0
    with tempfile.TemporaryDirectory(prefix='henge-cluster-') as folder:
        os.chmod(folder, 0o755)
        return work(Cluster(os.path.join(folder, 'cluster'), base_port, 'folder', **kind))


class Cluster:
    def __init__(self, folder, base_port, s3, network=False, tiers=False):
        self.folder, self.base_port, self.network = folder, base_port, network
        self.options = ['--dir', folder, '--binary', binary(), '--base-port', str(base_port), '--s3', s3] + ['--network'] * network + ['--tiers'] * tiers
        self.addresses, self.headers, self.env = {}, {}, os.environ

    def run_with(self, program):
        """What starts from now on is this program."""
        self.options[self.options.index('--binary') + 1] = program

    def xtask(self, *arguments):
        # One that is built, for whoever builds meanwhile.
        xtask = [os.environ['XTASK']] if 'XTASK' in os.environ else ['cargo', 'xtask']
        command = [*xtask, 'cluster', *arguments, *self.options]
        done = subprocess.run(command, cwd=ROOT, env=self.env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f'{" ".join(command)}: {done.stdout[-2000:]}')
        return done.stdout

    def up(self):
        told = self.xtask('up', '--fresh')
        print(told, end='', flush=True)
        self.addresses = {name: (host, int(port)) for name, host, port in re.findall(r'^(\S+) +(?:http://)?([\d.]+):(\d+)', told, re.M)}
        self.headers = dict(re.findall(r'^clients say +(Authorization): (.*)$', told, re.M))

    def down(self):
        print(self.xtask('down'), end='', flush=True)

    def pid(self, name):
        with open(os.path.join(self.folder, 'processes'), encoding='ascii') as processes:
            for line in processes:
                known, pid, _ = line.split()
                if known == name:
                    return int(pid)
        raise RuntimeError(f'no {name} was started')

    def runs(self, name):
        try:
            with open(f'/proc/{self.pid(name)}/stat', encoding='ascii') as stat:
                return stat.read().rsplit(')', 1)[1].split()[0] != 'Z'
        except FileNotFoundError:
            return False

    def signal(self, name, number):
        """To the process and, of PostgreSQL, to those that work for it."""
        pids = [self.pid(name)]
        if name == 'postgres':  # those that it started
            found = subprocess.run(['pgrep', '-P', str(pids[0])], check=False, stdout=subprocess.PIPE, text=True)
            pids += [int(pid) for pid in found.stdout.split()]
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill(self, name):
        self.signal(name, signal.SIGKILL)
        while self.runs(name):
            time.sleep(0.01)
        if name == 'postgres':
            # Its number may still be that of a process nobody has waited for.
            folder = os.path.join(self.folder, 'postgres')
            for stale in [os.path.join(folder, 'data', 'postmaster.pid'), *glob.glob(os.path.join(folder, '.s.PGSQL.*.lock'))]:
                if os.path.exists(stale):
                    os.remove(stale)

    def start(self, name):
        self.xtask('start', name)

    def data_dir(self, name):
        return os.path.join(self.folder, name)

    def empty(self, name):
        """As after the loss of its disk; a folder that is a disk of its own stays."""
        for entry in os.scandir(self.data_dir(name)):
            shutil.rmtree(entry) if entry.is_dir(follow_symlinks=False) else os.remove(entry)

    def url(self, name):
        return 'http://{}:{}'.format(*self.addresses[name])

    def cut(self, left, right):
        """What `left` sends to `right` is lost."""
        self.ip(left, 'neigh', 'replace', self.addresses[right][0], 'lladdr', NOBODY, 'nud', 'permanent', 'dev', 'eth0')

    def mend(self, left, right):
        self.ip(left, 'neigh', 'del', self.addresses[right][0], 'dev', 'eth0')

    def ip(self, name, *arguments):
        subprocess.run(['ip', '-n', f'henge{self.base_port}-{name}', *arguments], check=True)

    def call(self, name, method, path, body=None, headers=None, timeout=30):
        """(status, JSON or text, headers); raises OSError when nobody answers."""
        connection = http.client.HTTPConnection(*self.addresses[name], timeout=timeout)
        try:
            body = json.dumps(body).encode() if body is not None and not isinstance(body, bytes) else body
            connection.request(method, path, body, {'Content-Type': 'application/json', **self.headers, **(headers or {})})
            response = connection.getresponse()
            data = response.read()
        except http.client.HTTPException as error:
            raise OSError(f'{name}: {error!r}') from error
        finally:
            connection.close()
        try:
            answer = json.loads(data) if data else None
        except ValueError:
            answer = data.decode('utf-8', 'replace')
        return response.status, answer, response.headers

    def must(self, name, method, path, body=None):
        status, answer, _ = self.call(name, method, path, body)
        if status != 200:
            sys.exit(f'{name}: {method} {path}: HTTP {status}: {answer}')
        return answer
