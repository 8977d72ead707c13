# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one error that a bad description raises."""

from __future__ import annotations


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
