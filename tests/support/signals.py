"""Default signals for what tests start, whoever started the tests: ``nohup`` and many CI runners ignore some."""

from __future__ import annotations

import os
import signal

#: Numbers that were ignored, for the workers of pytest-xdist: by then they are not ignored any more.
_IGNORED = "SHEEPFOLD_IGNORED_SIGNALS"
#: What Python ignores for itself and gives back to what it starts.
_PYTHONS_OWN = {signal.SIGPIPE, signal.SIGXFSZ}
_CATCHABLE = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


def restore() -> None:
    """Have each program that this process starts begin with default signals and none blocked.

    What was ignored is caught instead and still does nothing here: tests under ``nohup`` outlive their terminal.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    ignored = {int(number) for number in _CATCHABLE if signal.getsignal(number) is signal.SIG_IGN} - _PYTHONS_OWN
    ignored |= {int(number) for number in os.environ.get(_IGNORED, "").split()}
    os.environ[_IGNORED] = " ".join(str(int(number)) for number in sorted(ignored))
    for number in ignored:
        signal.signal(number, signal.SIG_DFL if number == signal.SIGCHLD else lambda *_: None)
