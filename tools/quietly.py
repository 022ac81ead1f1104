"""Run a command behind one line: a dot now and then while it works, and its whole log only if it fails.

python tools/quietly.py "Installing ..." pip install something
"""

import subprocess
import sys
import tempfile
import time

PATIENCE = 3  # seconds for each dot


def main(said, *command):
    """Return the exit status of the command."""
    print(said, end=" ", flush=True)
    start = time.monotonic()
    with tempfile.TemporaryFile() as log:
        working = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        while True:
            try:
                status = working.wait(PATIENCE)
                break
            except subprocess.TimeoutExpired:
                print(".", end="", flush=True)
        print(f" {'failed' if status else 'done'} after {time.monotonic() - start:.0f} s", flush=True)
        if status:
            log.seek(0)
            sys.stdout.write(log.read().decode(errors="replace"))
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
