"""News of stored frames. Listeners are only woken; each reads what it has not had from the store.

So a slow listener holds nothing up and needs no queue, one that comes back reads on from its last id, and
frames stored by another process are found too.
"""

import asyncio

POLL_S = 1.0


class News:
    """Lives in the event loop."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()
        self.closing = False

    def publish(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def close(self) -> None:
        """Ends every stream: a server that drains waits for its open responses."""
        self.closing = True
        self.publish()

    def listen(self) -> "asyncio.Future[None]":
        """Done when something is stored from now on: ask before looking into the store, and nothing falls between."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        return waiter

    async def wait(self, waiter: "asyncio.Future[None]") -> None:
        """Until `waiter` is done, or a second has passed."""
        await asyncio.wait([waiter], timeout=POLL_S)
        self.forget(waiter)

    def forget(self, waiter: "asyncio.Future[None]") -> None:
        self._waiters.discard(waiter)
