"""What goes wrong: one thing at a time, sometimes two, each mended after a while."""
import os
import shutil
import signal
import time

from .cluster import BROKERS, HISTORICALS, NODES, REALTIMES

SETTLE_SECONDS = 120


class Storm:
    def __init__(self, cluster, history, rng, stop):
        self.cluster, self.history, self.rng, self.stop = cluster, history, rng, stop
        self.kinds = [self.kill, self.kill, self.pause, self.lose_segments, self.stop_in_order, self.postgres, self.store, self.fill_disk]

    def rage(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and len(self.history.wrong) < 20:
            self.rng.choice(self.kinds)()
            self.revive()
            self.history.end_fault()
            time.sleep(self.rng.uniform(1.0, 6.0))

    def revive(self):
        """What a supervisor does: a node that others took for dead ends by itself once it sees that."""
        for node in NODES:
            if not self.cluster.runs(node):
                self.history.count(f'ended by itself: {role(node)}')
                self.cluster.start(node)

    def begin(self, kind, text):
        print(f'  {kind}: {text}', flush=True)
        self.history.begin_fault(kind, text)

    def down_for(self, longest=8.0):
        time.sleep(self.rng.uniform(0.0, longest**0.5) ** 2)

    def kill(self):
        node = self.rng.choice(NODES)
        self.begin(f'kill {role(node)}', node)
        self.cluster.kill(node)
        self.down_for()
        self.cluster.start(node)

    def stop_in_order(self):
        node = self.rng.choice(NODES)
        self.begin(f'stop {role(node)}', node)
        self.cluster.xtask('stop', node)
        self.down_for()
        self.cluster.start(node)

    def pause(self):
        node = self.rng.choice(NODES)
        self.begin(f'pause {role(node)}', node)
        self.cluster.signal(node, signal.SIGSTOP)
        self.down_for(20.0)
        self.cluster.signal(node, signal.SIGCONT)

    def lose_segments(self):
        node = self.rng.choice(HISTORICALS)
        self.begin('lose disk of historical', node)
        self.cluster.kill(node)
        shutil.rmtree(self.cluster.data_dir(node), ignore_errors=True)
        self.down_for()
        self.cluster.start(node)

    def postgres(self):
        way = self.rng.choice(['kill', 'pause', 'stop'])
        self.begin(f'{way} postgres', '')
        self.away('postgres', way)

    def store(self):
        way = self.rng.choice(['kill', 'pause'])
        if not os.path.isdir(os.path.join(self.cluster.folder, 's3')):
            way = 'pause'  # what is kept in memory only is not to be lost
        if os.path.isdir(os.path.join(self.cluster.folder, 'deep-storage')):
            return
        self.begin(f'{way} s3', '')
        self.away('s3', way)

    def away(self, server, way):
        if way == 'pause':
            self.cluster.signal(server, signal.SIGSTOP)
            self.down_for(12.0)
            self.cluster.signal(server, signal.SIGCONT)
            return
        if way == 'kill':
            self.cluster.kill(server)
        else:
            self.cluster.xtask('stop', server)
        self.down_for()
        self.cluster.start(server)

    def fill_disk(self):
        """Only a folder with a limit of its own is filled: see --small-disks."""
        node = self.rng.choice(REALTIMES)
        folder = self.cluster.data_dir(node)
        if not os.path.ismount(folder):
            return
        self.begin('full disk of realtime', node)
        ballast = os.path.join(folder, 'ballast')
        try:
            with open(ballast, 'wb', buffering=0) as file:
                while file.write(b'\0' * (1 << 20)):
                    pass
        except OSError:
            pass
        self.down_for()
        os.remove(ballast)


def role(node):
    return node.split('-', maxsplit=1)[0]


def settle(cluster, history, look, datasources):
    """After the last fault everything is there again, and counted exactly; gives the seconds it took."""
    started = time.monotonic()
    waits = {'nothing was asked'}
    while waits:
        waits = set()
        for broker in BROKERS:
            try:
                status, ready, _ = cluster.call(broker, 'GET', '/status/ready')
                if status != 200 or not ready['complete']:
                    waits.add(f'{broker}: {str(ready)[:500]}')
            except OSError as error:
                waits.add(str(error))
            for name in datasources:
                found, must = look(cluster, history, broker, name), history.floor(name)
                if found is None or found.rows < must.rows:
                    waits.add(f'{broker}: {name} has {found and found.rows} rows of {must.rows}')
        if waits and time.monotonic() - started > SETTLE_SECONDS:
            history.fail(f'not settled after {SETTLE_SECONDS} s: {waits}')
            break
        time.sleep(0.2)
    return time.monotonic() - started
