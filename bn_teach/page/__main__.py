"""``python -m bn_teach.page lesson.html``: write the page, with every processor of this machine."""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bn_teach.page.write import write_page


def main(arguments=None):
    """Write the page, and say where it is.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m bn_teach.page", description="Write the lesson as one HTML page.")
    parser.add_argument("path", help="where to, for example bn_teach.html")
    parser.add_argument("--notebooks", metavar="URL", help="address of the folder of notebooks, to link to them")
    given = parser.parse_args(arguments)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for the workers: the matrices are small
    try:
        with ProcessPoolExecutor() as executor:
            write_page(given.path, notebooks=given.notebooks, executor=executor, progress=_show)
    except OSError as error:
        parser.exit(1, f"{error}\n")
    path = Path(given.path)
    print(f"\nWritten: {path} ({path.stat().st_size / 1e6:.1f} MB). Open it in a browser.")


def _show(done, total):
    print(f"\rtrained {done} of {total} networks", end="", flush=True)


if __name__ == "__main__":
    main()
