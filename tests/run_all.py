#!/usr/bin/env python3
"""Runs the scripts that need a real server process.

    run_all.py [--quick]
    run_all.py --wire      what is worth another run with HENGE_QUERY__ENCODE_CALLS=true, as if there were
                           a wire between broker and data nodes
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    quick = '--quick' in sys.argv[1:]
    wire = '--wire' in sys.argv[1:]
    over_a_wire = [['conformance.py'], ['answers.py'], ['handoff_probe.py', '--seconds', '10']]
    runs = over_a_wire if wire else [
        ['conformance.py'],
        ['readme_recipes.py'],
        ['answers.py'],
        ['old_folders.py'],
        ['attacks.py'],
        ['memory_ceiling.py', *(['--quick'] if quick else [])],
        ['kill_loop.py', '--kills', '40' if quick else '300'],
        ['handoff_probe.py', '--seconds', '10' if quick else '30'],
    ]
    failed = 0
    for script, *arguments in runs:
        print(f'-- {script}', flush=True)
        failed += subprocess.run([sys.executable, os.path.join(HERE, script), *arguments], check=False).returncode != 0
    print(f'{len(runs) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
