# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that runs the daemon's cycles: a configuration a line in, a cycle as plain data a line out.

It may be killed at any moment. Its log goes to the standard error output that it has from its parent.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
from typing import Any

from ...condor.errors import CondorError
from .. import summary
from ..config.configuration import parse
from ..cycle import CycleRunner, Report, prepare

_PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Be killed when the parent ends: no cycle goes on beside that of the next shepherd."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # It ended before we could ask for that.
        os.kill(os.getpid(), signal.SIGKILL)


class CycleWorker:
    """Cycles of one configuration after the other."""

    def __init__(self) -> None:
        self._values: Any = None
        self._cycle: CycleRunner | None = None

    def answer(self, values: dict[str, Any]) -> dict[str, Any]:
        """Run one cycle. Raises nothing that HTCondor does."""
        try:
            if self._cycle is None or values != self._values:
                if self._cycle is not None:
                    self._cycle.close()
                    self._cycle = None
                self._cycle, self._values = prepare(parse(values), seed=os.uname().nodename), values
            return summary.whole(self._cycle.run())
        except CondorError as error:
            return summary.whole(Report(error=f"the pool cannot be asked: {error}"))


def main() -> None:
    """Answer until there is nothing more to answer."""
    end_with(int(sys.argv[1]))
    # The parent ends us, not the terminal.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A cycle of a big pool makes hundreds of thousands of objects, and next to no circles of them.
    gc.set_threshold(200_000, 20, 20)
    worker = CycleWorker()
    for line in sys.stdin:
        reply = worker.answer(json.loads(line))
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()
    # Not through the interpreter's own end, which waits for threads that wait for HTCondor.
    os._exit(0)


if __name__ == "__main__":
    main()
