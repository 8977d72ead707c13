"""Attacks on the switch as jobs submitted to HTCondor, each with a control that shows it succeed where there is no protection.

``inside`` is sent along and run by a job, wherever that runs; the other modules need a host whose files they may look at.
"""
