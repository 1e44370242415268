#!/usr/bin/env python3
"""Loads the comparison tables through the JSON path: exports Parquet to gzipped NDJSON, then ingests it.

    load_bench.py --data DIR --specs DIR --url http://127.0.0.1:8888

Wants a Python with duckdb, for the export alone. DIR holds lineitem.parquet and pageviews.parquet, the
specs are index_parallel tasks for them with an input format that is exchanged here.
"""
import argparse
import json
import os
import time

import harness


def export(data, table):
    out = os.path.join(data, f'{table}.json.gz')
    if not os.path.exists(out):
        import duckdb
        started = time.time()
        columns = "* replace (strftime(__time, '%Y-%m-%dT%H:%M:%S.%gZ') as __time)"
        duckdb.execute(f"copy (select {columns} from '{data}/{table}.parquet') to '{out}.tmp' (format json, compression gzip)")
        os.rename(out + '.tmp', out)
        print(f'{table}: exported in {time.time() - started:.0f} s, {os.path.getsize(out) / 1e6:.0f} MB', flush=True)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', required=True)
    parser.add_argument('--specs', required=True)
    parser.add_argument('--url', default='http://127.0.0.1:8888')
    options = parser.parse_args()
    client = harness.Client(options.url)
    for table in ('lineitem', 'pageviews'):
        with open(os.path.join(options.specs, f'{table}.json'), encoding='utf-8') as file:
            task = json.load(file)
        task['spec']['ioConfig']['inputSource'] = {'type': 'local', 'files': [os.path.abspath(export(options.data, table))]}
        task['spec']['ioConfig']['inputFormat'] = {'type': 'json'}
        started = time.time()
        status = harness.run_task(client, task, timeout=3600)
        progress, seconds = status['progress'], time.time() - started
        print(f"{table}: {progress['accepted']} rows, {progress['segments']} segments in {seconds:.0f} s, {progress['accepted'] / seconds:,.0f} rows/s", flush=True)


if __name__ == '__main__':
    main()
