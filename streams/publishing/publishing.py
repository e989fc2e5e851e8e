"""What a pod has for whoever publishes over HTTP."""

from __future__ import annotations

from collections.abc import Sequence

from streams.broker.primary import Primary
from streams.conf import StreamSettings
from streams.publishing.publication import Draft
from streams.publishing.rates import Rates
from streams.publishing.script import Outcome
from streams.publishing.sender import Sender


class Publishing:
    """Publishes for callers, so many at once and so much a second as the settings say."""

    def __init__(self, conf: StreamSettings, primary: Primary) -> None:
        self.sender = Sender(conf.redis_url, conf.redis_channel, primary=primary, kept_seconds=conf.idempotency_seconds)
        self.rates = Rates(conf.publish_rate)
        self._under_way = 0
        self._most = conf.publish_concurrency

    @property
    def busy(self) -> bool:
        """Say whether no further request is taken now."""
        return self._under_way >= self._most

    async def publish(self, drafts: Sequence[Draft], *, looked_up: bool = False) -> Outcome:
        """Publish a request's events, all or none; raises NotTaken or Doubtful."""
        self._under_way += 1
        try:
            return await self.sender.publish(drafts, looked_up=looked_up)
        finally:
            self._under_way -= 1
