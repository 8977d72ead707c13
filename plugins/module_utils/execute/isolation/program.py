# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a job executes."""

from __future__ import annotations

import os

from ..linux import coredump, signal_dispositions


class Program:
    """What is to be executed. Words and environment are bytes, as the kernel has them.

    ``ignored``: signals that it finds ignored.
    """

    __slots__ = ("directory", "environment", "ignored", "words")

    def __init__(self, words: list[bytes], environment: dict[bytes, bytes], directory: str, ignored: list[int]) -> None:
        self.words = words
        self.environment = environment
        self.directory = directory
        self.ignored = ignored

    def execute(self, teller: int) -> None:
        """Become the program, in a session of its own; ``teller`` is told the errno when that fails. Does not return."""
        try:
            os.setsid()
            os.chdir(self.directory)
            coredump.restore()
            # Python ignores some for itself; the job gets what the starter would have given it.
            signal_dispositions.execute(self.words, self.environment, self.ignored)
        except OSError as error:
            os.write(teller, str(error.errno).encode())
        finally:
            os._exit(126)
