"""The peers, each over its own copy of the tables and with two threads, and Henge over HTTP.

Opening an engine loads the tables that it does not have yet: DuckDB into a database file, ClickHouse (through
chdb) into MergeTree tables; DataFusion reads the Parquet files where they are.
"""
import http.client
import importlib.metadata
import importlib.util
import json
import os
import re
import sys
import urllib.parse

import hits_columns

HERE = os.path.dirname(os.path.abspath(__file__))
THREADS = 2
MODULES = {'duck': 'duckdb', 'ch': 'chdb', 'df': 'datafusion'}
NAMES = {'duck': 'DuckDB', 'ch': 'ClickHouse', 'df': 'DataFusion', 'henge': 'Henge', 'sql': 'Henge in SQL'}
# Texts of few values, which a ClickHouse user would declare LowCardinality.
FEW_VALUES = {
    'lineitem': ('l_returnflag', 'l_linestatus', 'l_commitdate', 'l_receiptdate', 'l_shipinstruct', 'l_shipmode'),
    'pageviews': ('site', 'referrer', 'country', 'browser', 'device', 'event_type'),
    'ssb_flat': ('d_yearmonth', 'c_city', 'c_nation', 'c_region', 's_city', 's_nation', 's_region', 'p_mfgr', 'p_category', 'p_brand1'),
    'hits': hits_columns.FEW_VALUES,
}
NULLABLE = ('referrer',)
NO_CACHES = {name: False for name in ('useCache', 'populateCache', 'useResultLevelCache', 'populateResultLevelCache')}


def has(engine):
    """Whether this Python has the engine's module."""
    return importlib.util.find_spec(MODULES[engine]) is not None


def require(engines):
    """Ends with what to install when a module of the engines is missing."""
    missing = sorted({MODULES[engine] for engine in engines if engine in MODULES and not has(engine)})
    if missing:
        with open(os.path.join(HERE, 'requirements.txt'), encoding='utf-8') as file:
            pinned = [line.strip() for line in file if line.split('==')[0] in missing]
        sys.exit(f"{sys.executable} lacks {', '.join(missing)}; install: {sys.executable} -m pip install {' '.join(pinned)}")


def versions(engines):
    packages = {'duck': 'duckdb', 'ch': 'chdb-core', 'df': 'datafusion'}
    return ', '.join(f'{NAMES[engine]} {importlib.metadata.version(packages[engine])}' for engine in engines if engine in packages)


def parquet(data, table):
    return os.path.join(data, f'{table}.parquet')


def duck(data, tables, store=None):
    import duckdb
    connection = duckdb.connect(stored_at('duck', store or data))
    connection.execute(f"set threads = {THREADS}; set memory_limit = '12GB'")
    for table in tables:
        connection.execute(f"create table if not exists {table} as from '{parquet(data, table)}'")
    connection.execute('checkpoint')
    return lambda entry: connection.execute(entry['duck']).fetchall()


def ch(data, tables, store=None):
    from chdb import session
    opened = session.Session(stored_at('ch', store or data))
    ask = lambda sql: str(opened.query(sql, 'TabSeparated')).strip()
    for sql in (f'set max_threads = {THREADS}', 'create database if not exists p engine = Atomic', 'use p'):
        opened.query(sql)
    for table in tables:
        if ask(f'exists table p.{table}') == '1' and ask(f'select count() from p.{table}') != '0':
            continue
        source = f"file('{parquet(data, table)}')"
        described = [line.split('\t')[:2] for line in ask(f'describe {source}').splitlines()]
        columns = ', '.join(f'{name} {clickhouse_type(table, name, kind)}' for name, kind in described)
        opened.query(f'create table p.{table} ({columns}) engine = MergeTree order by __time')
        opened.query(f'insert into p.{table} select * from {source} settings max_insert_threads = 1')
        opened.query(f'optimize table p.{table} final')
    return lambda entry: str(opened.query(entry['ch'], 'TabSeparated'))


def clickhouse_type(table, name, kind):
    if name == '__time':
        return 'DateTime64(3)'
    kind = re.sub(r'^Nullable\((.*)\)$', r'\1', kind)
    kind = f'Nullable({kind})' if name in NULLABLE else kind
    return f'LowCardinality({kind})' if name in FEW_VALUES[table] else kind


def df(data, tables, store=None):
    import datafusion
    context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(THREADS))
    for table in tables:
        context.register_parquet(table, parquet(data, table))
    return lambda entry: context.sql(entry['df']).collect()


def henge(url, context=None, caches=False):
    post, switches = poster(url), {**({} if caches else NO_CACHES), **(context or {})}
    return lambda entry: post('/druid/v2', dict(entry['native'], context=switches))


def henge_sql(url, context=None, caches=False):
    """The same server, asked in SQL. Distinct counts are exact where the statement does not ask for an estimate."""
    post, switches = poster(url), {'useApproximateCountDistinct': False, **({} if caches else NO_CACHES), **(context or {})}
    return lambda entry: post('/druid/v2/sql', {'query': entry['sql'], 'resultFormat': 'array', 'context': switches})


def poster(url):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=600)

    def post(path, document):
        connection.request('POST', path, json.dumps(document), {'Content-Type': 'application/json'})
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(f'HTTP {response.status} {body[:400]}')
        return body
    return post


def stored_at(engine, folder):
    return os.path.join(folder, {'duck': 'peers.duckdb', 'ch': 'peers.chdb'}[engine])


def open_peer(engine, data, tables, store=None):
    """A function from an entry of a list to the engine's answer. What it loads goes into `store`, else beside the data."""
    return {'duck': duck, 'ch': ch, 'df': df}[engine](data, tables, store)


def size_bytes(path):
    """Of a file, or of all files below a folder."""
    if not os.path.isdir(path):
        return os.path.getsize(path) if os.path.exists(path) else 0
    return sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(path) for name in names)
