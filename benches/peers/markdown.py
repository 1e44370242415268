"""The figures of a comparison, and their Markdown."""
import math
import os
import re

import engines


class Result:
    """Times by query and engine or mode, what loading took, and what the harness said about answers."""

    def __init__(self, data, tables, peers, repeats):
        self.data, self.tables, self.peers, self.repeats = data, tables, peers, repeats
        self.queries, self.modes, self.answers, self.loads, self.peaks = {}, [], {}, {}, {}
        self.missing, self.failures = {}, []

    def add_run(self, mode, medians, lines):
        """What one run of the harness measured: the medians and its lines."""
        if mode and mode not in self.modes:
            self.modes.append(mode)
        for name, times in medians.items():
            row = self.queries.setdefault(name, {})
            for engine, time in times.items():
                # A peer keeps the time of its first run, that of the mode all of them ran beside.
                row.setdefault(mode if engine == 'henge' else engine, time)
        for line in lines:
            if found := re.match(r'(\S+) .*answers (agree|DIFFER.*)$', line):
                self.answers.setdefault(found[1], {})[mode] = found[2]
            elif (found := re.match(r'# (\S+) (\w+): (.*)$', line)) and found[1] in medians:
                self.failures.append(f"{found[1]}, {engines.NAMES[found[2]]}{', ' + mode if mode else ''}: {found[3]}")

    def add_loads(self, name, loads):
        """Per table: seconds, bytes, peak_mb, and rows where the loader counts them."""
        self.loads[name] = loads

    def add_entries(self, entries):
        """Remembers why Henge cannot be asked some of them."""
        self.missing.update({entry['name']: entry['missing'] for entry in entries if entry.get('native') is None})

    def ratio(self, row, mode):
        """(Henge + 1 ms) / (fastest peer + 1 ms)."""
        best = min((row[peer] for peer in self.peers if row.get(peer)), default=None)
        return (row[mode] + 1) / (best + 1) if best and row.get(mode) else None

    def render(self):
        parts = [self.heading(), self.times(), self.summary(), self.inexpressible(), self.failed(), self.loading(), self.differing()]
        return '\n\n'.join(part for part in parts if part) + '\n'

    def heading(self):
        rows = ', '.join(f'{table} {count:,}' for table, count in self.row_counts().items())
        return '\n'.join((f'Machine: {machine()}. Rows: {rows}. {engines.versions(self.peers)}; Henge {commit()}. {engines.THREADS} threads each.',
                          f'Medians of {self.repeats} warm runs in milliseconds. A ratio is (Henge + 1 ms) / (fastest peer + 1 ms).'))

    def row_counts(self):
        import duckdb
        count = lambda table: duckdb.execute(f"select count(*) from '{engines.parquet(self.data, table)}'").fetchone()[0]
        return {table: count(table) for table in self.tables}

    def times(self):
        columns = ['query', *(engines.NAMES[peer] for peer in self.peers)]
        for mode in self.modes:
            columns += [mode, 'ratio']
        lines = header(columns + (['answers'] if self.modes else []))
        for name, row in self.queries.items():
            cells = [name, *(measured(row, peer) for peer in self.peers)]
            for mode in self.modes:
                cells += ['not expressible' if name in self.missing else measured(row, mode), number(self.ratio(row, mode), 2)]
            if self.modes:
                said = self.answers.get(name, {})
                cells.append('' if not said else 'agree' if set(said.values()) == {'agree'} else '**differ**')
            lines.append(joined(cells))
        return '\n'.join(lines)

    def summary(self):
        if not self.modes:
            return ''
        lines = header(['Henge', 'queries', 'geometric mean', 'worst', 'at most 0.5', 'peak memory MB'])
        for mode in self.modes:
            ratios = {name: found for name, row in self.queries.items() if (found := self.ratio(row, mode))}
            if ratios:
                worst = max(ratios, key=ratios.get)
                mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
                within = sum(found <= 0.5 for found in ratios.values())
                lines.append(joined([mode, len(ratios), f'{mean:.3f}', f'{ratios[worst]:.2f} ({worst})', within, number(self.peaks.get(mode), 0)]))
        return '\n'.join(lines)

    def inexpressible(self):
        """The questions of this run that Henge was not asked, by reason."""
        reasons = {}
        for name in self.queries if self.modes else ():
            if name in self.missing:
                reasons.setdefault(self.missing[name], []).append(name)
        lines = [f"- {reason}: {', '.join(names)}" for reason, names in reasons.items()]
        return 'Not expressible in native queries:\n\n' + '\n'.join(lines) if lines else ''

    def failed(self):
        return 'Failed:\n\n' + '\n'.join(f'- {failure}' for failure in self.failures) if self.failures else ''

    def loading(self):
        if not self.loads:
            return ''
        counts = self.row_counts()
        lines = header(['loading', *(f'{table}: {what}' for table in self.tables for what in ('s', 'bytes/row', 'peak MB'))])
        parquet = {table: dict(bytes=os.path.getsize(engines.parquet(self.data, table))) for table in self.tables}
        for name, loads in {'Parquet, ZSTD': parquet, **self.loads}.items():
            cells = [name]
            for table in self.tables:
                load = loads.get(table, {})
                cells += [number(load.get('seconds'), 0), number(load['bytes'] / counts[table] if load else None), number(load.get('peak_mb'), 0)]
            lines.append(joined(cells))
        lines.append('\nPeaks of memory include files that are mapped.')
        return '\n'.join(lines)

    def differing(self):
        lines = [f'- {name}, {mode}: {what}' for name, said in self.answers.items() for mode, what in said.items() if what != 'agree']
        return 'Answers that differ from DuckDB\'s:\n\n' + '\n'.join(lines) if lines else ''


def header(columns):
    return [joined(columns), joined(['---', *['---:'] * (len(columns) - 1)])]


def joined(cells):
    return '| ' + ' | '.join(map(str, cells)) + ' |'


def measured(row, engine):
    """A time; empty for an engine that was not asked, unlike one that was and has none."""
    return 'failed' if engine in row and row[engine] is None else number(row.get(engine))


def number(value, digits=1):
    return '' if value is None else f'{value:,.{digits}f}'


def machine():
    """The processor, its cores and the memory."""
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        model = next((line.split(':', 1)[1].strip() for line in file if line.startswith('model name')), 'unknown processor')
    gigabytes = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2 ** 30
    return f'{model}, {os.cpu_count()} cores, {gigabytes:.0f} GiB'


def commit():
    """The revision of the sources, with a mark when they were changed."""
    import subprocess
    described = subprocess.run(['git', 'describe', '--always', '--dirty'], cwd=engines.HERE, capture_output=True, text=True, check=False)
    return described.stdout.strip() or 'of unknown revision'
