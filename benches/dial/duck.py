"""DuckDB in a process of its own: `duck.py LIMIT_MB` takes a list of SQL texts on standard input; `duck.py check`."""
import json
import os
import sys
import time

import group

DATA = os.environ.get('DATA', os.path.expanduser('~/.cache/henge-bench'))


def main():
    import duckdb
    connection = duckdb.connect(os.path.join(DATA, 'peers.duckdb'), read_only=True)
    connection.execute('select 1 from pageviews limit 1')
    if sys.argv[1] == 'check':
        return
    connection.execute(f'set threads = {os.cpu_count()}')
    if limit_mb := int(sys.argv[1]):
        # What it counts is not all that it takes.
        connection.execute(f"set memory_limit = '{limit_mb * 3 // 4}MB'")
    before, times = group.disk(os.getpid()), []
    for sql in json.load(sys.stdin):
        started = time.perf_counter()
        connection.execute(sql).fetchall()
        times.append((time.perf_counter() - started) * 1000)
    json.dump({'times': times, 'before': before, 'after': group.disk(os.getpid())}, sys.stdout)


if __name__ == '__main__':
    main()
