"""What breaks while the server is down: files lost, cut and flipped, torn writes, logs lost or put back
from an older copy, lost metadata, a shifted clock."""
import glob
import json
import os
import shutil
import subprocess

import harness

from kills.model import PUSHED

SHIM_SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'clock_shim.c')


def build_clock_shim(folder):
    """The shim's path; `None` where there is no C compiler, which is said loudly."""
    path = os.path.join(folder, 'clock_shim.so')
    try:
        subprocess.run(['cc', '-shared', '-fPIC', '-O1', '-o', path, SHIM_SOURCE, '-ldl'], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f'clock steps: SKIPPED, the shim cannot be built: {error}')
        return None
    return path


class Damage:
    """One kind of damage at a time, never to both copies of a segment."""

    def __init__(self, model, data_dir):
        self.model, self.data_dir, self.rng = model, data_dir, model.rng('damage')
        self.without_original = set()
        # Logs and metadata as they were at an earlier kill, and what they take the place of.
        self.older, self.aside = data_dir + '-older', data_dir + '-right'

    def files(self, pattern):
        return sorted(path for path in glob.glob(os.path.join(self.data_dir, pattern), recursive=True) if os.path.isfile(path))

    def something(self):
        """Breaks something or nothing; gives the name of what it did."""
        kind = self.rng.choice(['nothing'] * 4 + ['cache_file', 'cache_file', 'original', 'torn_log', 'metadata', 'older_log', 'lost_log', 'older_metadata'])
        shutil.rmtree(self.aside, ignore_errors=True)
        done = kind != 'nothing' and getattr(self, kind)()
        if self.rng.random() < 0.5:
            self.keep_a_copy()
        self.model.count(f'damage: {done or "nothing"}')
        return done

    def keep_a_copy(self):
        shutil.rmtree(self.older, ignore_errors=True)
        shutil.copytree(os.path.join(self.data_dir, 'wal'), os.path.join(self.older, 'wal'))
        for path in self.files('metadata.sqlite*'):
            if '.damaged' not in path:
                shutil.copy(path, self.older)

    def spoil(self, path):
        how = self.rng.choice(['delete', 'flip', 'truncate', 'empty'])
        size = os.path.getsize(path)
        if how == 'delete' or size == 0:
            os.remove(path)
        elif how == 'flip':
            with open(path, 'r+b') as file:
                at = self.rng.randrange(size)
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ (1 << self.rng.randrange(8))]))
        else:
            os.truncate(path, 0 if how == 'empty' else self.rng.randrange(size))
        return how

    @staticmethod
    def identity(path):
        """Datasource, interval's start, version and partition, as both the cache and deep storage name them."""
        parts = os.path.basename(path).split('.')[0].split('_')
        return path if len(parts) < 4 else '_'.join(parts[-2:])

    def cache_file(self):
        files = [path for path in self.files('segment-cache/**') if os.path.basename(path).count('_') >= 3]
        files = [path for path in files if self.identity(path) not in self.without_original]
        if not files:
            return None
        return f'{self.spoil(self.rng.choice(files))} of a cached file'

    def original(self):
        files = self.files('deep-storage/segments/**')
        cached = {self.identity(path) for path in self.files('segment-cache/**')}
        for path in self.rng.sample(files, len(files)):
            identity = f"{os.path.basename(os.path.dirname(path))}_{os.path.basename(path).split('_')[0]}"
            # Only an object whose copy is served: the other copy must be enough.
            if identity in cached and identity not in self.without_original:
                self.without_original.add(identity)
                return f'{self.spoil(path)} of an original'
        return None

    def torn_log(self):
        files = self.files('wal/**/*.wal')
        if not files:
            return None
        path = self.rng.choice(files)
        if path != max(p for p in files if os.path.dirname(p) == os.path.dirname(path)):
            return None
        with open(path, 'ab') as file:
            file.write(self.rng.randbytes(self.rng.randrange(1, 2000)))
        return 'torn write at the end of a log'

    def older_log(self):
        names = [name for name in PUSHED if os.path.isdir(os.path.join(self.older, 'wal', name))]
        if not names:
            return None
        name = self.rng.choice(names)
        place = self.put_aside('wal', name)
        shutil.copytree(os.path.join(self.older, 'wal', name), place)
        return self.refused_or_harmless(f"the log of '{name}'", 'older copy of a log')

    def lost_log(self):
        name = self.rng.choice(PUSHED)
        place = self.put_aside('wal', name)
        if self.rng.random() < 0.5:
            os.mkdir(place)
        return self.refused_or_harmless(f"the log of '{name}'", 'loss of a log')

    def older_metadata(self):
        if not os.path.isdir(self.older):
            return None
        for path in self.files('metadata.sqlite*'):
            if '.damaged' not in path:
                self.put_aside(os.path.basename(path))
        for path in glob.glob(os.path.join(self.older, 'metadata.sqlite*')):
            shutil.copy(path, self.data_dir)
        return self.refused_or_harmless('metadata', 'older copy of the metadata')

    def put_aside(self, *place):
        """Moves something to where it is put back from; gives its place."""
        kept, place = os.path.join(self.aside, *place), os.path.join(self.data_dir, *place)
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        shutil.move(place, kept)
        return place

    def put_back(self):
        """Puts back what was put aside, and takes away what is in its place."""
        for name in os.listdir(os.path.join(self.aside, 'wal')) if os.path.isdir(os.path.join(self.aside, 'wal')) else []:
            place = os.path.join(self.data_dir, 'wal', name)
            shutil.rmtree(place, ignore_errors=True)
            shutil.move(os.path.join(self.aside, 'wal', name), place)
        kept = glob.glob(os.path.join(self.aside, 'metadata.sqlite*'))
        for path in self.files('metadata.sqlite*') if kept else []:
            if '.damaged' not in path:
                os.remove(path)
        for path in kept:
            shutil.move(path, self.data_dir)

    def refused_or_harmless(self, naming, what):
        """Refused by name, and then the right one is put back; else nothing is missing that is not
        published, and the counts go on to hold without it."""
        checked = subprocess.run([harness.binary(), 'metadata', 'check', '--json', '--data-dir', self.data_dir], capture_output=True, text=True, check=False)
        said = json.loads(checked.stdout)
        if said['fits']:
            return f'{what}, all of it published'
        if not all(naming in finding for finding in said['findings']):
            self.model.wrong(f'{what}, {naming}: {said["findings"]}')
        self.must_refuse(naming)
        self.put_back()
        return f'{what}, refused'

    def metadata(self):
        if self.rng.random() < 0.5:
            return None
        for path in self.files('metadata.sqlite*'):
            os.remove(path)
        self.must_refuse('metadata')
        rebuilt = subprocess.run([harness.binary(), 'metadata', 'rebuild', '--data-dir', self.data_dir], capture_output=True, text=True, check=False)
        if rebuilt.returncode != 0:
            self.model.wrong(f'metadata rebuild: {rebuilt.stdout[-500:]} {rebuilt.stderr[-500:]}')
        return 'loss of the metadata'

    def must_refuse(self, naming):
        command = [harness.binary(), 'server', '--data-dir', self.data_dir, '--port', '0', '--log', 'error']
        started = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if started.returncode == 0 or naming not in started.stderr + started.stdout:
            self.model.wrong(f'a server without {naming}: exit {started.returncode} {started.stderr[-300:]}')
