#!/usr/bin/env python3
"""What the questions of a list take of memory: Henge beside DuckDB, in megabytes.

    DATA=DIR memory.py BINARY [--keep DIR] [--engines duck] [--only PREFIX] [--queries FILE.py] [--set NAME=VALUE ...]

Both start anew for each question, which is asked once. `peak` is the largest anonymous memory of the process meanwhile
(RssAnon, looked at about every millisecond) beyond what it had before, `kept` what it has more afterwards. Files that
Henge maps are not in it, as the system takes their pages back when it wants to; DuckDB keeps the pages that it read in
its own memory, within its limit. What neither gives back at once counts as kept.
--keep leaves the server's data in a folder, from which the next run takes them instead of loading again; --set gives
the server a setting, such as MEMORY__TOTAL_BYTES=1073741824.
"""
import argparse
import contextlib
import multiprocessing
import os
import sys
import tempfile
import threading
import time

import compare
import engines
from loading import Henge, Peak

LOOK_EVERY_S = 0.001


def main():
    options = arguments()
    data = os.environ.get('DATA', os.path.expanduser('~/.cache/henge-bench'))
    entries = [entry for entry in compare.load_queries(options.queries) if entry['name'].startswith(options.only)]
    os.environ['BINARY'] = options.binary
    for setting in options.set:
        name, value = setting.split('=', 1)
        os.environ[f'HENGE_{name}'] = value
    tables = sorted({entry['table'] for entry in entries})
    with tempfile.TemporaryDirectory(prefix='henge-memory-') as scratch:
        folder = options.keep or scratch
        Henge(data, tables, folder=folder).stop()  # loads what is not there
        for entry in entries:
            line = f"{entry['name']:26s}"
            if 'duck' in options.engines:
                line += told('duck', lambda: peer_peak('duck', data, tables, entry))
            if entry['native'] is not None:
                line += told('henge', lambda: henge_peak(data, tables, folder, entry))
            print(line, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('binary')
    parser.add_argument('--keep', metavar='DIR')
    parser.add_argument('--only', default='')
    parser.add_argument('--engines', default='duck')
    parser.add_argument('--queries', default=os.path.join(engines.HERE, 'hits.py'))
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE')
    return parser.parse_args()


def told(engine, measure):
    """A question's figures, or why there are none: the other questions are asked all the same."""
    try:
        peak_mb, kept_mb, seconds = measure()
    except Exception as error:
        return f'  {engine}: {str(error)[:200]}'
    return f'  {engine} peak={peak_mb:.0f} kept={kept_mb:.0f} ms={seconds * 1000:.0f}'


def peak_of(pid, ask):
    """The peak of what is held beyond what was held before, what is held afterwards, and how long it took."""
    before, peak, done = Peak(pid).sample().anonymous_mb, Peak(pid), threading.Event()

    def look():
        while not done.is_set():
            peak.sample()
            time.sleep(LOOK_EVERY_S)

    looking = threading.Thread(target=look)
    looking.start()
    started = time.perf_counter()
    try:
        ask()
    finally:
        seconds = time.perf_counter() - started
        done.set()
        looking.join()
    return peak.anonymous_mb - before, Peak(pid).sample().anonymous_mb - before, seconds


def henge_peak(data, tables, folder, entry):
    """As `peak_of`, of a server that was just started."""
    with contextlib.redirect_stdout(None):
        server = Henge(data, tables, folder=folder)
    try:
        run = engines.henge(server.url)
        return peak_of(server.server.process.pid, lambda: run(entry))
    finally:
        server.stop()


def peer_peak(engine, data, tables, entry):
    """As `peak_of`, of a peer in a process of its own."""
    context = multiprocessing.get_context('spawn')
    own, others = context.Pipe()
    process = context.Process(target=answer, args=(others, engine, data, tables, entry))
    process.start()
    others.close()
    own.recv()

    def ask():
        own.send(True)
        if failure := own.recv():
            raise RuntimeError(failure)

    try:
        return peak_of(process.pid, ask)
    finally:
        own.close()
        process.join()


def answer(pipe, engine, data, tables, entry):
    run = engines.open_peer(engine, data, tables)
    pipe.send('open')
    try:
        while pipe.recv():
            try:
                run(entry)
                pipe.send(None)
            except Exception as error:  # told to whoever asks
                pipe.send(str(error))
    except EOFError:
        pass


if __name__ == '__main__':
    sys.exit(main())
