# Copyright: (c) 2026, Sheepfold contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Icinga 2 is told before a startd is taken away, and when it has been seen up again: by downtimes through its REST API.

The API user needs ``actions/schedule-downtime``, ``actions/remove-downtime`` and ``objects/query/Downtime``. Requests and answers
are those of Icinga's documentation, chapter "Icinga 2 API" (actions, filters, POST with X-HTTP-Method-Override).
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...condor.goals import Verb
from ..config.configuration import IcingaOptions
from .monitoring import WORDS, MonitoringError

AUTHOR = "shepherd"
# In a filter for downtimes ``host`` and ``service`` are the downtime's own objects.
_OURS = "downtime.host_name == host_wanted && downtime.service_name == service_wanted && downtime.author == author_wanted"
_BYTES_MOST = 1 << 20


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The password goes to the configured server and nowhere else."""

    def redirect_request(self, *_arguments: Any) -> None:
        """Never."""
        return


class Icinga:
    """A site's Icinga 2. Both methods may be called twice."""

    def __init__(self, options: IcingaOptions, clock: Callable[[], float] = time.time) -> None:
        self.options = options
        self._clock = clock

    def tells(self, verb: Verb) -> bool:
        """Whether the configuration names this command."""
        return WORDS.get(verb, "") in self.options.when

    def _opener(self) -> urllib.request.OpenerDirector:
        try:
            context = ssl.create_default_context(cafile=self.options.ca_file)
        except OSError as error:
            raise MonitoringError(f"ca_file {self.options.ca_file} cannot be used: {error.strerror or error}") from error
        # Icinga's own authority (`icinga2 api setup`) writes no key identifiers; Python 3.13 has begun to ask for them by default
        # (ssl.create_default_context). The signature, the dates and the host's name are looked at all the same.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        # No proxy of the environment stands between a site's central manager and its monitoring.
        return urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirect()
        )

    def _authorization(self) -> str:
        try:
            password = Path(self.options.password_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise MonitoringError(f"password_file {self.options.password_file} cannot be read: {why}") from error
        return "Basic " + base64.b64encode(f"{self.options.user}:{password}".encode()).decode()

    def _ask(self, path: str, body: dict[str, Any], method: str = "POST") -> list[dict[str, Any]]:
        """The results of one request; none when Icinga knows no such object."""
        request = urllib.request.Request(  # noqa: S310 - the configuration has been looked at: https
            f"{self.options.url.rstrip('/')}/v1/{path}",
            data=json.dumps(body).encode(),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                "Authorization": self._authorization(),
                "X-HTTP-Method-Override": method,
            },
            method="POST",
        )
        try:
            with self._opener().open(request, timeout=self.options.timeout) as answer:
                results = json.loads(answer.read(_BYTES_MOST))["results"]
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404 and b"No objects found" in error.read(_BYTES_MOST):
                    return []
            raise MonitoringError(f"Icinga at {self.options.url} answered {path} with {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            raise MonitoringError(f"Icinga at {self.options.url} cannot be asked: {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            raise MonitoringError(f"Icinga at {self.options.url} cannot be asked: {error}") from error
        except (ValueError, LookupError, TypeError) as error:
            raise MonitoringError(f"Icinga at {self.options.url} answered {path} with something else than results") from error
        found = [result for result in results if isinstance(result, dict)]
        bad = [result for result in found if not 200 <= int(result.get("code", 200)) < 300]
        if bad:
            raise MonitoringError(f"Icinga at {self.options.url} answered {path} with: {bad[0].get('status', bad[0])}")
        return found

    def _variables(self, node: str) -> dict[str, str]:
        return {
            "host_wanted": self.options.host.replace("{node}", node),
            "service_wanted": self.options.service,
            "author_wanted": AUTHOR,
        }

    def before_off(self, node: str, reason: str) -> str:
        """Schedule a downtime for the startd's service, unless there is one of ours; its name. Raises MonitoringError."""
        variables = self._variables(node)
        there = self._ask("objects/downtimes", {"filter": _OURS, "filter_vars": variables, "attrs": ["__name"]}, "GET")
        if there:
            return str(there[0].get("name", ""))
        now = int(self._clock())
        made = self._ask(
            "actions/schedule-downtime",
            {
                "type": "Service",
                "filter": "host.name == host_wanted && service.name == service_wanted",
                "filter_vars": variables,
                "author": AUTHOR,
                "comment": reason or "lent to the flock",
                "start_time": now,
                "end_time": now + int(self.options.hours * 3600),
                "fixed": True,
            },
        )
        if not made:
            raise MonitoringError(
                f"Icinga at {self.options.url} knows no service {variables['host_wanted']}!{variables['service_wanted']}"
            )
        return str(made[0].get("name", ""))

    def after_on(self, node: str, silence: str) -> None:
        """Remove our downtimes of the startd's service; none is no error. Raises MonitoringError."""
        body = {"type": "Downtime", "filter": _OURS, "filter_vars": self._variables(node), "author": AUTHOR}
        self._ask("actions/remove-downtime", body)
