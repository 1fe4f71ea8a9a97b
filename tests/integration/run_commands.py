"""Runs commands of the command line in one process, one after the other.

`python run_commands.py COMMANDS.json RESULTS.json`: from a list of lists of arguments to a list of
[exit status, standard output, standard error], and the names of the imported packages.
"""

import contextlib
import io
import json
import pathlib
import sys
import time

from compare_gan import main

results = []
for arguments in json.loads(pathlib.Path(sys.argv[1]).read_text()):
    out, err, status = io.StringIO(), io.StringIO(), 0
    start = time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main.main(arguments)
        except SystemExit as error:
            status = error.code
    results.append([status, out.getvalue(), err.getvalue()])
    seconds = time.process_time() - start
    print(f"{arguments[0]:<15} {status} {seconds:5.1f} s  {err.getvalue()[-300:]!r}", flush=True)
packages = sorted({name.split(".")[0] for name, module in sys.modules.items() if module})
pathlib.Path(sys.argv[2]).write_text(json.dumps({"results": results, "packages": packages}))
