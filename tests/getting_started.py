#!/usr/bin/env python3
"""Runs docs/getting-started.md: its commands, and each of its questions both ways.

A question is a heading with a block of SQL, a block of JSON and a table. Both answers have to be the table's rows, in
its order, as far as its columns go.

    getting_started.py [--write]    --write puts the answers of SQL into the tables instead
"""
import json
import os
import re
import subprocess
import sys
import tempfile

from harness import ROOT, Client, Server, binary
from readme_recipes import missing, recipes

PAGE = os.path.join(ROOT, 'docs', 'getting-started.md')
COMMAND_SECONDS = 120
# There is a program already.
BEFORE = ('cargo build', 'export PATH')

sys.path.insert(0, os.path.join(ROOT, 'clients', 'python'))
from henge import rows as native_rows  # noqa: E402 (the client of this tree)

QUESTION = re.compile(
    r'^```sql\n(?P<sql>.*?)^```\n\n```json\n(?P<json>.*?)^```\n\n(?P<table>(?:^\|[^\n]*\n)+)', re.M | re.S)


def run_commands(page, folder, server):
    """What is wrong with the commands of the page, in a folder that looks like a clone."""
    os.symlink(os.path.join(ROOT, 'docs'), os.path.join(folder, 'docs'))
    tools = os.path.join(folder, 'tools')
    os.mkdir(tools)
    os.symlink(os.path.abspath(binary()), os.path.join(tools, 'henge'))
    environment = dict(os.environ, PATH=tools + os.pathsep + os.environ['PATH'], HENGE_URL=server.url)
    blocks = '\n'.join(re.findall(r'^```sh\n.*?^```', page, re.M | re.S))
    faults = []
    for command, expected in recipes(blocks):
        if command.startswith(BEFORE) or command.startswith('henge server'):
            continue
        command = command.replace('localhost:8888', server.url.split('//')[1])
        done = subprocess.run(['bash', '-c', command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=COMMAND_SECONDS,
                              check=False)
        lacking = missing(done.stdout, expected)
        if done.returncode or lacking:
            faults.append(f'$ {command}\nexit code {done.returncode}, not found: {lacking!r}\n{done.stdout}')
    return faults


def table(text):
    """(names, rows as texts) of a table in Markdown."""
    lines = [[cell.strip() for cell in line.strip().strip('|').split('|')] for line in text.strip().splitlines()]
    return lines[0], lines[2:]


def shown(value):
    """As tables show it: floats with what six decimals say."""
    return f'{value:.6g}' if isinstance(value, float) else str(value)


def ask(client, question):
    """The rows of both answers, SQL's first."""
    answer = client.must('POST', '/druid/v2/sql', {'query': question['sql']})
    native = json.loads(question['json'])
    return answer, native_rows.flat(native, client.query(native))


def faults_of(client, question):
    """What of a question's answers is not in its table."""
    names, expected = table(question['table'])
    for way, answer in zip(('SQL', 'natively'), ask(client, question)):
        found = [[shown(row.get(name)) for name in names] for row in answer]
        if found != expected:
            yield f'{way}: {question["sql" if way == "SQL" else "json"]}\nanswers {found}\nthe page has {expected}'


def written(client, question):
    """The question with the answer of SQL as its table."""
    head = ''.join(question['table'].splitlines(keepends=True)[:2])
    names, _ = table(question['table'])
    rows = ['| ' + ' | '.join(shown(row[name]) for name in names) + ' |\n' for row in ask(client, question)[0]]
    return question[0][:-len(question['table'])] + head + ''.join(rows)


def main():
    with open(PAGE, encoding='utf-8') as file:
        page = file.read()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(os.path.join(folder, 'data')).start()
        client = Client(server.url)
        faults = run_commands(page, folder, server)
        if '--write' in sys.argv[1:]:
            with open(PAGE, 'w', encoding='utf-8') as file:
                file.write(QUESTION.sub(lambda question: written(client, question), page))
            server.stop()
            return 0
        questions = list(QUESTION.finditer(page))
        for question in questions:
            faults += faults_of(client, question)
        server.stop()
    for fault in faults:
        print(f'FAIL: {fault}')
    if len(questions) != len(re.findall(r'^```sql', page, re.M)) or len(questions) < 10:
        faults.append('headings')
        print('FAIL: a block of SQL lacks its block of JSON or its table')
    print('FAIL' if faults else f'PASS: {len(questions)} questions of docs/getting-started.md, each both ways')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
