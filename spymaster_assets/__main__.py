"""`python -m spymaster_assets`: the runner (see `runner.py`), started and ended without collecting garbage.

Importing Dagster and the definitions makes a million objects of which none is garbage: looking for it costs a fifth of
the imports (`spare_what_stays` switches collection on again), and taking them apart at the end half a second.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys

gc.disable()

if __name__ == "__main__":
    from spymaster_assets.runner import main

    try:
        code = main()
    except SystemExit as usage:  # of argparse
        code = usage.code if isinstance(usage.code, int) else int(usage.code is not None)
    atexit._run_exitfuncs()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
