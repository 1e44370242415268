#!/usr/bin/env python3
"""The Python client: installed by pip, its own tests (also against the real program), and what its README shows.

What needs pyarrow or pandas is skipped where they are not installed. Where pip cannot install (it fetches setuptools),
that is said loudly and the folder is used as it is.
"""
import os
import re
import subprocess
import sys
import tempfile

from harness import ROOT, binary
from readme_recipes import missing

PACKAGE = os.path.join(ROOT, 'clients', 'python')
INSTALL_SECONDS, RUN_SECONDS = 300, 300


def installed(folder):
    """Where Python finds the package."""
    # Of a copy: the build leaves files beside the source.
    source = os.path.join(folder, 'source')
    subprocess.run(['cp', '-r', PACKAGE, source], check=True)
    done = run([sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--target',
                os.path.join(folder, 'site'), source], INSTALL_SECONDS)
    if done.returncode == 0:
        return os.path.join(folder, 'site')
    print(f'NOT INSTALLED, used where it lies: {done.stdout}')
    return PACKAGE


def shown(text):
    """The Python of a page, as one program, and what its comments `#>` promise."""
    blocks = re.findall(r'^```python\n(.*?)^```', text, re.MULTILINE | re.DOTALL)
    program = '\n'.join(blocks)
    return program, [line[2:].strip() for line in program.splitlines() if line.startswith('#>')]


def run(command, seconds, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds,
                          check=False, **options)


def main():
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, HENGE_BINARY=os.path.abspath(binary()), PYTHONPATH=installed(folder),
                           PYTHONDONTWRITEBYTECODE='1')
        # The tests leave it to the garbage collector to close connections.
        tests = run([sys.executable, '-W', 'ignore::ResourceWarning', '-m', 'unittest', 'discover', '-s',
                     os.path.join(PACKAGE, 'tests')], RUN_SECONDS, env=environment, cwd=folder)
        print(tests.stdout)
        with open(os.path.join(PACKAGE, 'README.md'), encoding='utf-8') as page:
            program, promised = shown(page.read())
        example = run([sys.executable, '-c', program], RUN_SECONDS, env=environment, cwd=folder)
        lacking = missing(example.stdout, promised)
        if example.returncode or lacking or not promised:
            print(f'FAIL: README.md, exit code {example.returncode}, not found: {lacking!r}\n{example.stdout}')
            return 1
        if tests.returncode:
            print('FAIL')
            return 1
        print('PASS: the Python client and its README')
        return 0


if __name__ == '__main__':
    sys.exit(main())
