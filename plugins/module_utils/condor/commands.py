# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTCondor's command numbers, raw.

The enumeration ``htcondor2.DaemonCommand`` is wrong from 23.9.6 to 25.14.1: its ``DaemonOffPeaceful`` is 469, which is
DAEMON_ON, and its ``DaemonsOn`` is 483, which is DAEMON_OFF_PEACEFUL. These are the numbers of HTCondor's
``condor_commands.h``; tests/pool sends every one of them to real daemons.
"""

from __future__ import annotations

from .goals import How

DAEMON_OFF = 467
DAEMON_OFF_FAST = 468
DAEMON_ON = 469
DAEMON_OFF_PEACEFUL = 483
DC_SET_PEACEFUL_SHUTDOWN = 60016

OFF = {How.PEACEFUL: DAEMON_OFF_PEACEFUL, How.GRACEFUL: DAEMON_OFF, How.FAST: DAEMON_OFF_FAST}

DRAIN_GRACEFUL = 0
DRAIN_FAST = 20

DRAIN = {How.PEACEFUL: DRAIN_GRACEFUL, How.GRACEFUL: DRAIN_GRACEFUL, How.FAST: DRAIN_FAST}

DRAIN_ON_COMPLETION_NOTHING = 0
"""25.14 acts on the end of a drain only at a periodic evaluation, minutes later: we act ourselves"""

EMPTY = (
    "(PartitionableSlot =?= true && NumDynamicSlots =?= 0) || (PartitionableSlot =!= true && DynamicSlot =!= true && "
    '(State =?= "Unclaimed" || State =?= "Owner" || State =?= "Drained" || State =?= "Backfill"))'
)
"""True of a slot that runs nothing. The startd evaluates it on every slot before it begins a drain: no job can slip in."""

DRAIN_CHECK_FALSE = "10003"
"""the startd's error code when its check expression is not true, as the tools show it"""

DRAIN_REFUSED = "failed to start draining"
"""all that the bindings say of a drain that did not begin, whatever the reason (23.9.6 and 25.14.1)"""
