#!/usr/bin/env python3
"""Runs the example of docs/grpc.md against a real server, and looks for the outputs that it promises.

    grpc_docs.py [--broker PORT]     a server of its own, or the broker of a cluster that is there

Needs grpcio: `pip install -r tests/requirements.txt`; without it the example is skipped, and says so.
"""
import os
import re
import subprocess
import sys
import tempfile

from harness import ROOT, Client, Server
from readme_recipes import missing


def blocks(text, language):
    return re.findall(rf'^```{language}\n(.*?)^```', text, re.MULTILINE | re.DOTALL)


def main():
    try:
        import grpc_reflection  # noqa: F401
    except ImportError as error:
        print(f'SKIPPED: {error}: pip install -r tests/requirements.txt')
        return 0
    with open(os.path.join(ROOT, 'docs', 'grpc.md'), encoding='utf-8') as file:
        text = file.read()
    [example], [recipe] = blocks(text, 'python'), blocks(text, 'sh')
    schema = re.search(r"-d '(.*)'", recipe, re.DOTALL).group(1)
    expected = [line[2:].strip() for line in example.splitlines() if line.startswith('#>')]
    if sys.argv[1:2] == ['--broker']:
        port = int(sys.argv[2])
        # Whoever looks on may have a datasource of that name.
        elsewhere = re.sub(r"(data_?[sS]ource['\"]?\s*[=:]\s*['\"])visits", r'\1visits_over_grpc', example)
        done = ask(elsewhere, schema, f'http://127.0.0.1:{port}', f'127.0.0.1:{port + 1}', 'visits_over_grpc')
        stopped = 0
    else:
        with tempfile.TemporaryDirectory() as folder:
            server = Server(folder).start()
            done = ask(example, schema, server.url, re.search(r'gRPC on ([^\s)]+)', server.ready_line).group(1))
            stopped = server.stop()
    lacking = missing(done.stdout, expected)
    if done.returncode != 0 or stopped != 0 or lacking:
        print(f'FAIL: exit codes {done.returncode} and {stopped}, not found: {lacking!r}\n{done.stdout}')
        return 1
    print(f'PASS: {len(expected)} outputs of docs/grpc.md')
    return 0


def ask(example, schema, url, address, name='visits'):
    Client(url).must('PUT', f'/v1/datasources/{name}', schema.encode())
    return subprocess.run([sys.executable, '-c', example.replace('localhost:8889', address)], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


if __name__ == '__main__':
    sys.exit(main())
