"""The servers of a path as a file lists them, read again while they are asked.

Who stays keeps what is known of it.  Knows neither signals nor settings.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from proto.web.proxy.resource import ProxyResource
from proto.web.proxy.routes import Route


class Roster:
    """Who answers for one path."""

    log = Logger()

    def __init__(self, route: Route, resource: ProxyResource, changed: Callable[[], None]) -> None:
        """`route` was read; `changed` is called when there may be others."""
        self._route = route
        self._resource = resource
        self._changed = changed

    def read(self) -> None:
        """Have the servers that are listed now; a list that is wrong changes nothing."""
        try:
            route = self._route.read()
            if route.base != self._route.base:
                raise ValueError("the servers have another path in their URLs than before")
            self._resource.upstreams.group.update(route.servers)
        except (OSError, ValueError) as error:
            self.log.error(
                "proxy {path}: {error}; the servers stay as they were",
                path=self._route.path,
                error=str(error),
            )
            return
        self._route = route
        self._resource.place = route.place
        self._changed()
