#!/usr/bin/env python3
"""Compares Henge with its peers and writes a Markdown table.

    report.py [--data DIR] [--rows N] [--henge URL | --start] [--only PREFIX] [--n 5] [--out FILE.md]
              [--lists base,star,dashboards,hits] [--engines duck,ch,df] [--modes scans,statistics,projections] [--keep DIR] [--load]

Tables that are missing in DIR (default $DATA, else ~/.cache/henge-bench) are made first; --rows makes and takes small
ones, in a folder of their own. --start runs a server on a free port, loads the tables through the task API from
../specs and measures three modes: `scans` (block statistics prune but answer nothing), `statistics`, and `projections`
(a second server, with the *_projections.json specs). --keep leaves the servers' data in a folder, from which the next
run takes them instead of loading again. --henge measures the first two on a server that has the tables.
--load also measures what loading takes, for DuckDB and ClickHouse too.

The harness is shared/bench/bench_peers.py and its list when they lie beside the project, else compare.py and queries.py;
for the list `hits`, whose answers are compared row by row, always compare.py.
Nothing is installed: what is missing is named. An environment in DIR/venv is taken when it exists.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import engines
import markdown
import tables

SHARED = os.path.join(os.path.dirname(engines.HERE), '..', '..', 'shared', 'bench')
CONTEXTS = {'scans': {'useBlockStatistics': False}, 'statistics': {}, 'projections': {}}


def main():
    options = arguments()
    use_environment(options.data)
    engines.require(['duck', *options.engines])
    if options.rows:
        options.data = os.path.join(options.data, f'rows-{options.rows}')
    harnesses, lists = chosen(options)
    wanted = sorted({entry['table'] for entries in lists.values() for entry in entries})
    if not wanted:
        sys.exit(f"no query of the lists begins with '{options.only}'")
    for table in wanted:
        tables.make(argparse.Namespace(data=options.data, rows=options.rows or tables.DEFAULT_ROWS, only=table))
    result = markdown.Result(options.data, wanted, options.engines, options.n)
    for entries in lists.values():
        result.add_entries(entries)
    run_modes(options, harnesses, lists, wanted, result)
    if options.load:
        load_peers(options, wanted, result)
    text = result.render()
    print('\n' + text)
    if options.out:
        with open(options.out, 'w', encoding='utf-8') as file:
            file.write(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = lambda text: [name for name in text.split(',') if name]
    parser.add_argument('--data', default=os.environ.get('DATA', os.path.expanduser('~/.cache/henge-bench')))
    parser.add_argument('--rows', type=int)
    server = parser.add_mutually_exclusive_group()
    server.add_argument('--henge', metavar='URL')
    server.add_argument('--start', action='store_true')
    parser.add_argument('--only', default='', metavar='PREFIX')
    parser.add_argument('--n', type=int, default=5)
    parser.add_argument('--lists', type=names, default=['base', 'star', 'dashboards', 'hits'])
    parser.add_argument('--engines', type=names, default=['duck', 'ch', 'df'])
    parser.add_argument('--modes', type=names, default=list(CONTEXTS))
    parser.add_argument('--keep', metavar='DIR')
    parser.add_argument('--load', action='store_true')
    parser.add_argument('--out', metavar='FILE.md')
    options = parser.parse_args()
    if unknown := set(options.modes) - set(CONTEXTS):
        parser.error(f"--modes: unknown {', '.join(unknown)}; known: {', '.join(CONTEXTS)}")
    options.data = os.path.abspath(options.data)
    return options


def use_environment(data):
    """Starts over with DIR/venv's Python when this one has no DuckDB and that one exists."""
    python = os.path.join(data, 'venv', 'bin', 'python')
    if not engines.has('duck') and os.path.exists(python) and sys.prefix != os.path.join(data, 'venv'):
        os.execv(python, [python, *sys.argv])


def chosen(options):
    """By path of a list the harness that runs it, and by path its entries that were asked for."""
    from compare import load_queries
    shared = os.path.exists(os.path.join(SHARED, 'bench_peers.py'))
    base, own = SHARED if shared else engines.HERE, os.path.join(engines.HERE, 'compare.py')
    harness = os.path.abspath(os.path.join(SHARED, 'bench_peers.py')) if shared else own
    paths = {'base': os.path.join(base, 'queries.py'), 'star': os.path.join(engines.HERE, 'star_schema.py'),
             'dashboards': os.path.join(engines.HERE, 'dashboards.py'), 'hits': os.path.join(engines.HERE, 'hits.py')}
    if unknown := set(options.lists) - set(paths):
        sys.exit(f"--lists: unknown {', '.join(unknown)}; known: {', '.join(paths)}")
    lists = {paths[name]: [entry for entry in load_queries(paths[name]) if entry['name'].startswith(options.only)] for name in options.lists}
    return {path: own if name == 'hits' else harness for name, path in paths.items()}, {path: entries for path, entries in lists.items() if entries}


def run_modes(options, harnesses, lists, wanted, result):
    """The peers run beside the first mode, DuckDB beside the others too, since its answers are what is compared with."""
    if not (options.start or options.henge):
        return run_lists(options, harnesses, lists, result, None, None, options.engines)
    peers, server, loaded = options.engines, None, None
    for mode in options.modes:
        if mode == 'projections' and not options.start:
            continue
        if options.start:
            import loading
            projections = mode == 'projections'
            with_specs = [table for table in wanted if os.path.exists(loading.spec_of(table, projections))]
            if projections and not with_specs:
                print('# no specs with projections for these tables', flush=True)
                continue
            if loaded != projections:
                if server:
                    server.stop()
                folder = options.keep and os.path.join(options.keep, 'projections' if projections else 'plain')
                server, loaded = loading.Henge(options.data, with_specs, projections, folder), projections
                if server.loads:
                    result.add_loads('Henge with projections' if projections else 'Henge', server.loads)
        else:
            with_specs = wanted
        run_lists(options, harnesses, lists, result, mode, options.henge or server.url, peers, with_specs)
        peers = [name for name in peers if name == 'duck']
        if server:
            result.peaks[mode] = server.peak_mb()
    if server:
        server.stop()


def run_lists(options, harnesses, lists, result, mode, url, peers, with_tables=None):
    for path, entries in lists.items():
        if with_tables is not None and not any(entry['table'] in with_tables for entry in entries):
            continue
        with tempfile.NamedTemporaryFile(suffix='.json') as out:
            command = [sys.executable, harnesses[path], '--queries', path, '--n', str(options.n), '--only', options.only, '--engines', ','.join(peers), '--out', out.name]
            if url:
                command += ['--henge', url, '--context', json.dumps(CONTEXTS[mode])]
            print(f"# {os.path.basename(path)}{', ' + mode if mode else ''}", flush=True)
            lines = stream(command, dict(os.environ, DATA=options.data))
            result.add_run(mode, json.load(open(out.name, encoding='utf-8')), lines)


def stream(command, env):
    """Runs a command, shows its lines as they come and returns them."""
    lines = []
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end='', flush=True)
            lines.append(line.rstrip('\n'))
    if process.returncode:
        sys.exit(f'{os.path.basename(command[1])} ended with code {process.returncode}')
    return lines


def load_peers(options, wanted, result):
    import loading
    for engine in options.engines:
        if engine != 'df':  # reads the Parquet files where they are
            loads = {table: loading.load_peer(engine, options.data, table, options.data) for table in wanted}
            result.add_loads(engines.NAMES[engine], {table: load for table, load in loads.items() if load})


if __name__ == '__main__':
    main()
