#!/usr/bin/env python3
"""Runs the walk through a cluster that docs/operations.md describes, and looks for the outputs that it promises.

    cluster_walk.py [--base-port 17100]

The blocks below "A walk through a cluster" are run line by line, on other ports than those of the page, so that a
cluster of yours is left alone. Skipped loudly where there is no PostgreSQL.
"""
import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile
import time

from harness import ROOT, binary
from readme_recipes import missing, recipes

COMMAND_SECONDS = 180
# Some outputs come once something has happened that nothing announces.
RETRY_SECONDS = 60


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--base-port', type=int, default=17100)
    options = parser.parse_args()
    if not glob.glob('/usr/lib/postgresql/*/bin/postgres'):
        print('SKIPPED, there is no PostgreSQL here: the walk through a cluster')
        return 0
    with open(os.path.join(ROOT, 'docs', 'operations.md'), encoding='utf-8') as file:
        text = file.read()
    walk = text[text.index('### A walk through a cluster'):]
    walk = walk[: walk.index('\n## ')]
    failed = None
    with tempfile.TemporaryDirectory(prefix='henge-walk-') as folder:
        os.chmod(folder, 0o755)
        where = f' --dir {folder}/cluster --binary {binary()} --base-port {options.base_port}'
        for command, expected in recipes(walk):
            command = re.sub(r'\b(88[89]8)\b', lambda port: str(options.base_port + int(port[1]) - 8888), command)
            if command.startswith('cargo xtask cluster'):
                command = f'cd {ROOT} && {command}{where}'
            expected = [re.sub(r'\b(88[89]8)\b', lambda port: str(options.base_port + int(port[1]) - 8888), piece) for piece in expected]
            print(f'$ {command}', flush=True)
            failed = run(command, expected, folder)
            if not failed and 'cluster up' in command:
                failed = over_grpc(options.base_port)
            if failed:
                break
        if failed:
            subprocess.run(f'cd {ROOT} && cargo xtask cluster down{where}', shell=True, check=False)
    print(failed or 'the walk went through')
    return 1 if failed else 0


def over_grpc(port):
    """What is wrong with a broker that a client of gRPC pushes to and asks, or None."""
    done = subprocess.run([sys.executable, os.path.join(ROOT, 'tests', 'grpc_docs.py'), '--broker', str(port)],
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, end='')
    return None if done.returncode == 0 else 'FAILED: docs/grpc.md at a broker'


def run(command, expected, folder):
    """What is wrong, or None."""
    end = time.monotonic() + RETRY_SECONDS
    while True:
        done = subprocess.run(command, shell=True, cwd=folder, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=COMMAND_SECONDS)
        lacks = missing(done.stdout, expected)
        if done.returncode == 0 and lacks is None:
            return None
        # Only questions are asked again.
        if not (command.startswith('curl') and '-X' not in command and '/events' not in command) or time.monotonic() > end:
            return f'FAILED: {command}\nexit code {done.returncode}, lacks {lacks!r}:\n{done.stdout[-3000:]}'
        time.sleep(0.5)


if __name__ == '__main__':
    sys.exit(main())
