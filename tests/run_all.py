#!/usr/bin/env python3
"""Runs the scripts that need a real server process.

    run_all.py [--quick]
"""
import concurrent.futures
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


# As if there were a wire between broker and data nodes.
WIRE = {'HENGE_QUERY__ENCODE_CALLS': 'true'}


def run(script, *arguments, settings=None):
    """Runs one script: whether it passed, its seconds, and what it printed."""
    started = time.monotonic()
    done = subprocess.run([sys.executable, os.path.join(HERE, script), *arguments], env={**os.environ, **(settings or {})},
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode == 0, time.monotonic() - started, done.stdout


def main():
    quick = '--quick' in sys.argv[1:]
    # The longest first, and one more at a time than there are cores, for most of their time is waiting.
    runs = [
        ['attacks.py', '--jobs', '1'],
        ['memory_ceiling.py', *(['--quick'] if quick else [])],
        ['answers.py'],
        ['kill_loop.py', '--kills', '40' if quick else '300'],
        ['conformance.py'],
        ['handoff_probe.py', '--seconds', '10' if quick else '30'],
        ['old_folders.py'],
        ['grpc_docs.py'],
        ['csv_zoo.py'],
        ['readme_recipes.py'],
        ['getting_started.py'],
        ['migrating.py'],
        ['python_client.py'],
        ['cluster_walk.py'],
        *([] if quick else [['chaos.py', '--minutes', '5'], ['rolling_upgrade.py'], ['tier_drill.py']]),
        ['object_store.py'],
    ]
    over_a_wire = [['answers.py'], ['conformance.py'], ['handoff_probe.py', '--seconds', '10']]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() + 1) as pool:
        running = {pool.submit(run, *one): one[0] for one in runs}
        running |= {pool.submit(run, *one, settings=WIRE): f'{one[0]} over a wire' for one in over_a_wire}
        for done in concurrent.futures.as_completed(running):
            passed, seconds, printed = done.result()
            failed += not passed
            print(f'-- {running[done]} ({seconds:.0f} s): {"passed" if passed else "FAILED"}\n{printed}', end='', flush=True)
    print(f'{len(running) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
