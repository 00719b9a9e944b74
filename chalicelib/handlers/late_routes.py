"""Routes that are registered by the first who looks for one of them: a pay page must not pay for the API's import.

Whoever lists the routes, as packaging and the local server do, sees them all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from chalice.app import Chalice, RouteEntry

Register = Callable[[], None]


def register_late(app: Chalice) -> None:
    """Have API, webhooks and portal registered when they are needed. What else the app has must be registered."""

    def webhooks() -> None:
        from chalicelib.handlers.webhooks import webhooks

        app.register_blueprint(webhooks)

    def portal() -> None:
        from chalicelib.handlers.portal import portal

        app.register_blueprint(portal)

    def api() -> None:
        from chalicelib.handlers.api import api

        app.register_blueprint(api)

    app.routes = LateRoutes(app.routes, {"/webhooks/": webhooks, "/portal/": portal, "": api})


class LateRoutes(defaultdict[str, dict[str, RouteEntry]]):
    """Chalice's table of routes: method and view by path, and by the beginning of a path who registers what is missing.

    An unknown path has no methods, as in Chalice's own table.
    """

    def __init__(self, known: dict[str, dict[str, RouteEntry]], late: dict[str, Register]) -> None:
        super().__init__(dict, known)
        self._late: dict[str, Register | None] = {**late}

    def __missing__(self, path: str) -> dict[str, RouteEntry]:
        self._register(next((each for each in self._late if path.startswith(each)), None))
        return self[path] if super().__contains__(path) else super().__missing__(path)

    def _register(self, beginning: str | None) -> None:
        register = None if beginning is None else self._late[beginning]
        if beginning is not None and register is not None:
            # Registering looks up its own paths, which are missing still: it must not begin again.
            self._late[beginning] = None
            register()

    def _all(self) -> None:
        for beginning in self._late:
            self._register(beginning)

    def __iter__(self) -> Iterator[str]:
        self._all()
        return super().__iter__()

    def __len__(self) -> int:
        self._all()
        return super().__len__()

    def __contains__(self, path: object) -> bool:
        self._all()
        return super().__contains__(path)

    def keys(self) -> Any:
        """Every path."""
        self._all()
        return super().keys()

    def values(self) -> Any:
        """The methods of every path."""
        self._all()
        return super().values()

    def items(self) -> Any:
        """Every path with its methods."""
        self._all()
        return super().items()
