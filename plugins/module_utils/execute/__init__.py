# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switch: runs each job of an unprivileged execute point as an account of its own.

It starts once for each job, so that its start-up is part of every job's time: few and cheap imports, no dataclasses, no
``re``, no ``json`` (each takes 5 to 20 ms to import).
"""
