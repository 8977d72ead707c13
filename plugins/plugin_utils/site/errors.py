# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error that a bad description raises, and how several mistakes become one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable


class DescriptionError(ValueError):
    """A value of the site's description is not usable.

    The text is one sentence that names the variable, its value and what is expected.
    """

    def __init__(self, variable: str, value: object, expected: str) -> None:
        found = "not set" if value is None else repr(value)
        super().__init__(f"{variable} is {found}: expected {expected}")
        self.variable = variable
        self.value = value
        self.expected = expected
        self.problems: tuple[str, ...] = (str(self),)


class DescriptionErrors(DescriptionError):
    """All that is wrong with the site's description, in ``problems`` one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        ValueError.__init__(self, "; ".join(problems))
        self.problems = tuple(problems)


class Mistakes:
    """Collects what checks raise, so that one run tells all of it."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def catch(self, check: Callable[..., Any], *arguments: Any) -> Any:
        """Return what the check returns, or None when it raises and the mistake is noted."""
        try:
            return check(*arguments)
        except DescriptionError as error:
            self.found += error.problems
            return None

    def of(self, check: Callable[..., Any], *arguments: Any) -> Any:
        """Do the same, but for a check with None among its arguments: what that comes from is noted already, or is optional."""
        return None if any(each is None for each in arguments) else self.catch(check, *arguments)

    def end(self) -> None:
        """Raise all mistakes.

        Raises:
            DescriptionErrors: there are some.
        """
        if self.found:
            raise DescriptionErrors(list(dict.fromkeys(self.found)))
