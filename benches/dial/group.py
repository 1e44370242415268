"""A memory control group of one measurement, of either version; processes enter it before they become the program."""
import os
import time

FIRST, SECOND = '/sys/fs/cgroup/memory', '/sys/fs/cgroup'


class Group:
    """A group with a limit in megabytes; 0 is none. The page cache is empty when it begins."""

    def __init__(self, limit_mb):
        self.limit_mb = limit_mb
        is_first = os.path.isdir(FIRST)
        if not is_first:
            enable()
        self.folder = os.path.join(FIRST if is_first else SECOND, f'henge-dial-{os.getpid()}')
        self.file, self.none = ('memory.limit_in_bytes', '-1') if is_first else ('memory.max', 'max')

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        write(os.path.join(self.folder, self.file), str(self.limit_mb << 20) if self.limit_mb else self.none)
        os.sync()
        write('/proc/sys/vm/drop_caches', '3')
        return self

    def __exit__(self, *_):
        # It goes once the kernel has noticed that the last process left.
        for _ in range(50):
            try:
                return os.rmdir(self.folder)
            except OSError:
                time.sleep(0.1)

    def enter(self):
        """For the child, between fork and exec."""
        write(os.path.join(self.folder, 'cgroup.procs'), str(os.getpid()))


def enable():
    """Groups below the root may limit memory, where they may not yet."""
    with open(os.path.join(SECOND, 'cgroup.subtree_control'), encoding='ascii') as file:
        if 'memory' in file.read().split():
            return
    write(os.path.join(SECOND, 'cgroup.subtree_control'), '+memory')


def write(path, text):
    with open(path, 'w', encoding='ascii') as file:
        file.write(text)


def disk(pid):
    """Megabytes that a process read from disks, and its major faults."""
    with open(f'/proc/{pid}/io', encoding='ascii') as file:
        read = next(int(line.split()[1]) for line in file if line.startswith('read_bytes'))
    with open(f'/proc/{pid}/stat', encoding='ascii') as file:
        faults = int(file.read().rsplit(')', 1)[1].split()[9])
    return read / 1e6, faults
