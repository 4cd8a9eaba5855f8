"""Keys one after the other: each waits until all is done that the one before it does.

Textual hands a key at once to the widget with the cursor, and asks what it is bound to only when it has come back from
there. Keys that come together, as over SSH or while the console is busy, would overtake each other: letters a Backspace
before them; and those after / would be commands to the run instead of what is to be found.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any

from textual import events
from textual.app import App
from textual.message_pump import MessagePump

PATIENCE = 5.0  # seconds for a key to pass a widget; one that is just being removed may let nothing pass


class KeysInOrder(App[None]):
    """An app for those who type ahead."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._keys: deque[events.Key] = deque()
        self._is_at_work = False

    async def on_event(self, event: events.Event) -> None:
        """Let new keys wait in a row; one that has come back from a widget is Textual's."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        self._keys.append(event)
        if not self._is_at_work:
            self._is_at_work = True
            self.run_worker(self._work_off(), group="keys")

    async def _work_off(self) -> None:
        try:
            while self._keys:
                way = (self.focused or self.screen).ancestors_with_self
                await super().on_event(self._keys.popleft())
                # Up to the app, which does what the key is bound to, and once more for what that asks for: a screen.
                for node in (*way, self):
                    await _has_passed(node)
        finally:
            self._is_at_work = False


async def _has_passed(node: MessagePump) -> None:
    """Wait until a widget has worked off what was in its queue."""
    passed = asyncio.Event()
    if node.call_later(passed.set):
        with suppress(TimeoutError):
            await asyncio.wait_for(passed.wait(), PATIENCE)
