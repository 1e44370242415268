"""A cluster that scripts use as if it were one server: asked at one broker, restarted at its realtime nodes."""
import os
import shutil
import tempfile

from .cluster import BROKERS, REALTIMES, Cluster


class ClusterServer:
    """Of the interface of `harness.Server`; `settings` are those of all nodes."""

    def __init__(self, base_port, settings=None, network=False):
        self.data_dir = tempfile.mkdtemp(prefix='henge-cluster-')
        os.chmod(self.data_dir, 0o755)
        self.cluster = Cluster(self.data_dir, base_port, 'folder', network)
        self.env, self.is_up = dict(os.environ, **{f'HENGE_{name}': str(value) for name, value in (settings or {}).items()}), False
        self.cluster.env = self.env

    @property
    def url(self):
        return self.cluster.url(BROKERS[0])

    def start(self):
        if self.is_up:
            self.each(self.cluster.start)
        else:
            self.cluster.up()
            self.is_up = True
        return self

    def kill(self):
        self.each(self.cluster.kill)

    def stop(self):
        """In order; what stays of the cluster goes on."""
        self.each(lambda name: self.cluster.xtask('stop', name))
        return 0

    def close(self):
        self.cluster.down()
        shutil.rmtree(self.data_dir, ignore_errors=True)

    @staticmethod
    def each(what):
        for name in REALTIMES:
            what(name)
