#!/usr/bin/env python3
"""Runs the scripts that need a real server process.

    run_all.py [--quick]
    run_all.py --wire      what is worth another run with HENGE_QUERY__ENCODE_CALLS=true, as if there were
                           a wire between broker and data nodes
"""
import concurrent.futures
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def run(script, *arguments):
    """Runs one script: whether it passed, its seconds, and what it printed."""
    started = time.monotonic()
    done = subprocess.run([sys.executable, os.path.join(HERE, script), *arguments],
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode == 0, time.monotonic() - started, done.stdout


def main():
    quick = '--quick' in sys.argv[1:]
    wire = '--wire' in sys.argv[1:]
    over_a_wire = [['answers.py'], ['conformance.py'], ['handoff_probe.py', '--seconds', '10']]
    # The longest first: as many run at a time as there are cores, for most of their time is waiting.
    runs = over_a_wire if wire else [
        ['attacks.py', '--jobs', '1'],
        ['memory_ceiling.py', *(['--quick'] if quick else [])],
        ['answers.py'],
        ['kill_loop.py', '--kills', '40' if quick else '300'],
        ['conformance.py'],
        ['handoff_probe.py', '--seconds', '10' if quick else '30'],
        ['old_folders.py'],
        ['grpc_docs.py'],
        ['readme_recipes.py'],
        ['cluster_walk.py'],
        *([] if quick else [['chaos.py', '--minutes', '5'], ['rolling_upgrade.py']]),
        ['object_store.py'],
    ]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {pool.submit(run, *one): one[0] for one in runs}
        for done in concurrent.futures.as_completed(running):
            passed, seconds, printed = done.result()
            failed += not passed
            print(f'-- {running[done]} ({seconds:.0f} s): {"passed" if passed else "FAILED"}\n{printed}', end='', flush=True)
    print(f'{len(runs) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
