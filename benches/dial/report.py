#!/usr/bin/env python3
"""The operator's dial: how long dashboards wait when a server may hold only so much memory, as a Markdown table.

    report.py --data-dir DIR [--binary FILE] [--before FILE --before-data-dir DIR] [--limits 0,400,200] [--n 120]
              [--runs 3] [--seed 1] [--subjects hot,unaided,as_stored,on_demand,before,duck] [--scratch DIR] [--out FILE.md]

DIR is the data folder of a server that has the table `pageviews` (`cargo xtask bench-peers --start --keep`) and is not
running; it is copied, once for each form, below --scratch (default: DIR-dial), where copies of earlier runs are used again.

Subjects, of which those are left out that cannot be: `hot` (uncompressed files), `unaided` (the same without
historical.read_ahead), `as_stored` (compressed files), `on_demand` (blocks fetched from deep storage, none there at the
start), `before` (hot, by another binary, --before, which may need a data folder of its own, for an older program opens
no newer one) and `duck` (DuckDB, with its table in $DATA/peers.duckdb).
For each run and limit all subjects take turns, each in a process of its own, in a memory control group of that size,
after the page cache was dropped: N questions drawn with the run's seed, 80 % over the last three days, 15 % over ten and
5 % over the month, no caches of results. Shown are the medians over the runs. What a process reads before it is ready has a column
of its own: a program that opens all of its files at the start has read there what another reads when it is asked. Limits are megabytes, 0 is none. Wants root.
"""
import argparse
import os
import statistics
import sys

import group
import questions
import subjects

COLUMNS = ['limit', 'subject', 'first, ms', 'p50, ms', 'p99, ms', 'largest, ms', 'read at the start, MB', 'read, MB', 'major faults', 'p99 to']


def main():
    options = arguments()
    if os.geteuid():
        sys.exit('limiting memory and dropping the page cache want root')
    chosen = subjects.prepared(options)
    found = {}
    for run in range(options.runs):
        asked = questions.drawn(options.seed + run, options.n)
        for limit_mb in options.limits:
            for subject in chosen:
                with group.Group(limit_mb) as limited:
                    measured = subject.measure(asked, limited)
                if measured:
                    found.setdefault((limit_mb, subject.name), []).append(measured)
                    print(f'# run {run + 1}, {limit_mb or "no"} MB, {subject.name}: {measured}', flush=True)
    text = table(options, [subject.name for subject in chosen], found)
    print('\n' + text)
    if options.out:
        with open(options.out, 'w', encoding='utf-8') as file:
            file.write(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = lambda text: [name for name in text.split(',') if name]
    target = os.environ.get('CARGO_TARGET_DIR', 'target')
    parser.add_argument('--data-dir', required=True)
    parser.add_argument('--binary', default=os.path.join(target, 'release', 'henge'))
    parser.add_argument('--before')
    parser.add_argument('--before-data-dir')
    parser.add_argument('--limits', type=lambda text: [int(limit) for limit in text.split(',')], default=[0, 400, 200])
    parser.add_argument('--n', type=int, default=120)
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--subjects', type=names, default=list(subjects.KNOWN))
    parser.add_argument('--scratch')
    parser.add_argument('--out', metavar='FILE.md')
    options = parser.parse_args()
    if unknown := set(options.subjects) - set(subjects.KNOWN):
        parser.error(f"--subjects: unknown {', '.join(unknown)}; known: {', '.join(subjects.KNOWN)}")
    options.data_dir = os.path.abspath(options.data_dir).rstrip('/')
    options.scratch = os.path.abspath(options.scratch or options.data_dir + '-dial')
    return options


def table(options, names, found):
    """Medians over the runs, and what the 99th percentile is to that of the first subject that is `before`, or the first."""
    base = 'before' if any(name == 'before' for _, name in found) else names[0] if names else ''
    lines = [f'{options.n} questions a run, {options.runs} runs, medians.\n', '| ' + ' | '.join(COLUMNS) + f' {base} |', '| --- | --- ' + '| ---: ' * (len(COLUMNS) - 2) + '|']
    for limit_mb in options.limits:
        against = median(found.get((limit_mb, base)), 'p99')
        for name in names:
            runs = found.get((limit_mb, name))
            if not runs:
                continue
            p99 = median(runs, 'p99')
            ratio = f'{p99 / against:.2f}' if against else ''
            numbers = [f'{median(runs, field):.1f}' for field in ('first', 'p50', 'p99', 'largest')]
            numbers += [f'{median(runs, field):.0f}' for field in ('start_mb', 'read_mb', 'faults')]
            lines.append(f"| {limit_mb or 'none'} | {name} | " + ' | '.join(numbers + [ratio]) + ' |')
    return '\n'.join(lines) + '\n'


def median(runs, field):
    return statistics.median(run[field] for run in runs) if runs else None


if __name__ == '__main__':
    main()
