#!/usr/bin/env python3
"""Runs what README.md tells a newcomer to run, and looks for the outputs that it promises.

Every fenced block is taken line by line. `henge server` runs on a free port for the rest; `henge demo` is ended when
it has shown its answers; `cargo test` is what runs this. Lines that begin with `#>` must be part of the output of the
command before them, in their order.
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

from harness import ROOT, Server, binary

COMMAND_SECONDS = 120


def recipes(text):
    """[(command, expected outputs)]"""
    found = []
    for block in re.findall(r'^```[a-z]*\n(.*?)^```', text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith('#>'):
                found[-1][1].append(line[2:].strip())
            elif line.strip() and not line.startswith('#'):
                found.append((line.strip(), []))
    return found


def missing(output, expected):
    """The first expected piece that the output lacks behind the ones before it."""
    at = 0
    for piece in expected:
        at = output.find(piece, at)
        if at < 0:
            return piece
        at += len(piece)
    return None


def run_demo(folder):
    """Ctrl-C when it has answered: it has to end well."""
    process = subprocess.Popen([binary(), 'demo', '--port', '0'], cwd=folder, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + COMMAND_SECONDS
    shown = ''
    for line in process.stdout:
        shown += line
        if 'Ctrl-C' in line or time.monotonic() > deadline:
            break
    process.send_signal(signal.SIGINT)
    shown += process.communicate(timeout=60)[0]
    return process.returncode, shown


def main():
    with open(os.path.join(ROOT, 'README.md'), encoding='utf-8') as file:
        found = recipes(file.read())
    failed = server = None
    with tempfile.TemporaryDirectory() as folder:
        tools = os.path.join(folder, 'tools')
        os.mkdir(tools)
        os.symlink(binary(), os.path.join(tools, 'henge'))
        environment = dict(os.environ, PATH=tools + os.pathsep + os.environ['PATH'])
        for command, expected in found:
            command = command.replace('cargo run --release --', 'henge')
            if command.startswith('cargo test'):
                continue
            print(f'$ {command}', flush=True)
            if command.startswith('henge server'):
                server = Server(os.path.join(folder, 'data')).start()
                environment['HENGE_URL'] = server.url
                continue
            if command.startswith('henge demo'):
                code, output = run_demo(folder)
            else:
                if server:
                    address = server.url.split('//')[1]
                    command = command.replace('localhost:8888', address)
                done = subprocess.run(['bash', '-c', command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      timeout=COMMAND_SECONDS, check=False)
                code, output = done.returncode, done.stdout
            lacking = missing(output, expected)
            if code != 0 or lacking:
                failed = True
                print(f'FAIL: exit code {code}, not found: {lacking!r}\n{output}')
        if server:
            server.stop()
    print('FAIL' if failed else f'PASS: {len(found)} commands of README.md')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
