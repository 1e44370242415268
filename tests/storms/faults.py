"""What goes wrong: one thing at a time, sometimes two, each mended after a while."""
import os
import signal
import time

from .cluster import BROKERS, HISTORICALS, NODES, REALTIMES

SETTLE_SECONDS = 120


class Storm:
    def __init__(self, cluster, history, rng, stop):
        self.cluster, self.history, self.rng, self.stop = cluster, history, rng, stop
        self.kinds = [self.kill, self.kill, self.pause, self.lose_segments, self.stop_in_order, self.postgres]
        if not os.path.isdir(os.path.join(cluster.folder, 'deep-storage')):
            self.kinds.append(self.store)
        if cluster.network:
            self.kinds += [self.cut_pair, self.cut_off]
        self.small = [node for node in REALTIMES + HISTORICALS if os.path.ismount(cluster.data_dir(node))]
        if self.small:
            self.kinds.append(self.fill_disk)

    def rage(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and len(self.history.wrong) < 20:
            try:
                self.rng.choice(self.kinds)()
                self.revive()
            except RuntimeError as error:
                self.history.fail(str(error))
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
        self.cluster.empty(node)
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

    def cut_pair(self):
        """Two that do not reach each other, in one direction or in both, while all others reach them."""
        left, right = self.rng.sample(NODES + ['postgres'] + ['s3'] * ('s3' in self.cluster.addresses), 2)
        ways = [(left, right), (right, left)][: self.rng.choice([1, 2, 2])]
        self.begin(f'cut {role(left)} from {role(right)}', f'{left}, {right}, {len(ways)} ways')
        self.part(ways)

    def cut_off(self):
        """One that reaches nobody of the cluster; clients reach it."""
        node = self.rng.choice(NODES)
        self.begin(f'cut off {role(node)}', node)
        self.part([way for other in self.cluster.addresses if other != node for way in ((node, other), (other, node))])

    def part(self, ways):
        for way in ways:
            self.cluster.cut(*way)
        self.down_for(20.0)
        for way in ways:
            self.cluster.mend(*way)

    def fill_disk(self):
        """Only a folder that is a disk of its own is filled."""
        node = self.rng.choice(self.small)
        self.begin(f'full disk of {role(node)}', node)
        ballast = os.path.join(self.cluster.data_dir(node), 'ballast')
        try:
            with open(ballast, 'wb', buffering=0) as file:
                while file.write(b'\0' * (1 << 20)):
                    pass
        except OSError:
            pass
        self.down_for(12.0)
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
