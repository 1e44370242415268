#!/usr/bin/env python3
"""Times Henge and its peers on a list of queries in one run, and compares the answers with DuckDB's.

    DATA=DIR compare.py [--engines duck,ch,df] [--henge URL] [--context JSON] [--only PREFIX] [--n 5] [--cache]
                        [--sql] [--queries FILE.py] [--out FILE.json]

Each figure is the median of N warm runs in milliseconds. `ratio` is (Henge + 1 ms) / (fastest peer + 1 ms): Henge
alone answers through HTTP and JSON. Henge's caches are off unless --cache. Answers agree when the sums of every
aggregation over all rows do, to 1e-9, or to 3 % for sketches; a list may ask for whole rows of all engines instead
(answers.py), and may have questions that Henge cannot be asked: the peers are timed on them all the same.
With --sql Henge is asked in SQL too: `over native` is (SQL - 0.3 ms) / native.
"""
import argparse
import importlib.util
import json
import math
import os
import statistics
import time

import answers
import engines

STATEMENT_MS = 0.3
SKETCHES = ('HLLSketchBuild', 'HLLSketchMerge', 'cardinality', 'thetaSketch')


def main():
    options = arguments()
    data = os.environ.get('DATA', os.path.expanduser('~/.cache/henge-bench'))
    entries = [entry for entry in load_queries(options.queries) if entry['name'].startswith(options.only)]
    tables = sorted({entry['table'] for entry in entries})
    peers = [name for name in options.engines.split(',') if name]
    engines.require(peers)
    runners = {}
    for name in peers:
        started = time.time()
        runners[name] = engines.open_peer(name, data, tables)
        print(f'# {name} ready in {time.time() - started:.1f}s', flush=True)
    if options.henge:
        runners['henge'] = engines.henge(options.henge, options.context, options.cache)
    if options.henge and options.sql:
        runners['sql'] = engines.henge_sql(options.henge, options.context, options.cache)
    medians, differing = {}, 0
    for entry in entries:
        times, given = measure(entry, runners, options.n)
        medians[entry['name']] = times
        line, differs = describe(entry, times, given)
        differing += differs
        print(line, flush=True)
    summary(medians, differing)
    if options.out:
        with open(options.out, 'w', encoding='utf-8') as file:
            json.dump(medians, file, indent=1)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--engines', default='duck,ch,df')
    parser.add_argument('--henge')
    parser.add_argument('--context', type=json.loads, default={})
    parser.add_argument('--only', default='')
    parser.add_argument('--n', type=int, default=5)
    parser.add_argument('--cache', action='store_true')
    parser.add_argument('--sql', action='store_true')
    parser.add_argument('--queries', default=os.path.join(engines.HERE, 'queries.py'))
    parser.add_argument('--out')
    return parser.parse_args()


def load_queries(path):
    spec = importlib.util.spec_from_file_location('listed_queries', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Q


def measure(entry, runners, repeats):
    """Medians and last answers by engine; an engine that fails, or that is not asked, has no time."""
    times, given = {}, {}
    for name, run in runners.items():
        if name == 'henge' and entry['native'] is None:
            times[name] = None
            continue
        try:
            given[name], samples = run(entry), []
            for _ in range(repeats):
                started = time.perf_counter()
                run(entry)
                samples.append((time.perf_counter() - started) * 1000)
            times[name] = round(statistics.median(samples), 2)
        except Exception as error:  # whatever a peer raises, the others go on
            times[name] = None
            print(f"# {entry['name']} {name}: {str(error)[:450]}")
    return times, given


def ratio(times, asked='henge'):
    """Henge to the fastest peer, if both answered."""
    peers = [time for name, time in times.items() if name not in ('henge', 'sql') and time]
    return (times[asked] + 1) / (min(peers) + 1) if times.get(asked) and peers else None


def over_native(times):
    """What SQL takes beside the native query, if both answered."""
    return max(times['sql'] - STATEMENT_MS, 0.01) / times['henge'] if times.get('sql') and times.get('henge') else None


def describe(entry, times, given):
    line = f"{entry['name']:26s} " + ' '.join(f'{name}={time}' for name, time in times.items())
    found, differs = ratio(times), False
    if found:
        line += f'  ratio={found:.2f}'
    if found := over_native(times):
        line += f'  over native={found:.2f}'
    if 'henge' in times and entry['native'] is None:
        line += f"  not expressible: {entry['missing']}"
    others = [name for name in given if name != 'duck' and (name in ('henge', 'sql') or 'row' in entry)]
    if 'duck' in given and others:
        wrong = '; '.join(f'{name}: {what}' for name in others if (what := compared(entry, given['duck'], name, given[name])))
        differs = bool(wrong)
        line += f"  answers {'DIFFER: ' + wrong if wrong else 'agree'}"
    return line, differs


def compared(entry, expected, engine, answer):
    """What differs from DuckDB's rows: in whole rows where the entry asks for that, else in Henge's sums."""
    if 'row' not in entry:
        return differences(entry, expected, named_rows(entry, engine, answer))
    return answers.difference(entry, answers.rows_of('duck', entry, expected), answers.rows_of(engine, entry, answer))


def named_rows(entry, engine, body):
    """Henge's rows as values by name. SQL's columns have the names of the aggregations that stand where they do."""
    if engine == 'sql':
        return [{name: row[position] for name, position in positions(entry).items()} for row in json.loads(body)]
    listed = [row.get('result', row.get('event')) for row in json.loads(body)]
    return [row for part in listed for row in (part if isinstance(part, list) else [part])]


def positions(entry):
    """By name of an aggregation the position of its column in the SQL."""
    aggregations = entry['native']['aggregations']
    last = len(aggregations) + len(entry['native'].get('postAggregations', []))
    return dict(zip(map(name_of, aggregations), entry.get('cols') or range(-last, len(aggregations) - last)))


def differences(entry, rows, got):
    """What differs between DuckDB's rows and Henge's; empty when nothing does."""
    native, columns, wrong = entry['native'], positions(entry), []
    if native['queryType'] != 'timeseries' and len(got) != len(rows):  # a time series has its empty buckets too
        wrong.append(f'{len(got)} rows for {len(rows)}')
    metric, limit = cut(native)
    worst = min(float(row[columns[metric]] or 0) for row in rows) if metric in columns and len(rows) == limit else None
    for aggregation in native['aggregations']:
        name, inner = name_of(aggregation), aggregation.get('aggregator', aggregation)
        # Which of the groups that tie for the last place are shown is up to each engine.
        above = None if name == metric else worst
        expected = total(((row[columns[name]], row[columns.get(metric, 0)]) for row in rows), above)
        actual = total(((row.get(name), row.get(metric)) for row in got), above)
        if abs(expected - actual) > (0.03 if inner['type'] in SKETCHES else 1e-9) * max(abs(expected), 1e-9):
            wrong.append(f'{name} {actual:g} for {expected:g}')
    return '; '.join(wrong)


def total(pairs, above):
    """The sum of the first values, where the second is above a number, if one is given."""
    return math.fsum(float(value or 0) for value, order in pairs if above is None or float(order or 0) > above * (1 + 1e-9))


def name_of(aggregation):
    return aggregation.get('name') or aggregation['aggregator']['name']


def cut(native):
    """The aggregation that rows are ordered by, best first, and how many are shown; (None, None) when all are."""
    if native['queryType'] == 'topN':
        return native['metric'], native['threshold']
    limits = native.get('limitSpec', {})
    return (limits['columns'][0]['dimension'], limits['limit']) if 'limit' in limits else (None, None)


def summary(medians, differing):
    ratios = [found for found in map(ratio, medians.values()) if found]
    if ratios:
        geometric = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f'henge/best peer over {len(ratios)} of {len(medians)}: geomean {geometric:.3f}, worst {max(ratios):.2f}, '
              f'at most 0.5 on {sum(found <= 0.5 for found in ratios)}, answers differ on {differing}')
    for what, found in (('sql/best peer', [ratio(times, 'sql') for times in medians.values()]), ('sql/native', list(map(over_native, medians.values())))):
        found = [value for value in found if value]
        if found:
            print(f'{what} over {len(found)} of {len(medians)}: geomean {math.exp(sum(map(math.log, found)) / len(found)):.3f}, worst {max(found):.2f}')


if __name__ == '__main__':
    main()
