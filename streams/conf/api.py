"""The settings of the API and of the operators' pages: who may ask, how much, and on which port."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from streams.conf import secrets
from streams.conf.tokens import TokenSettings
from streams.conf.variables import DAY_SECONDS, Group, Seconds, Switch


class ApiSettings(TokenSettings, frozen=True, kw_only=True, rename="upper"):
    """What a pod was told about the API and its pages, and about tokens, which open both."""

    http_api: Annotated[
        Switch, Group("The API, and operators"), Meta(description="whether the pod serves `/api/v1`")
    ] = True
    publish_door: Annotated[
        Literal["log", "channel"],
        Meta(
            description="where `/api/v1/events` publishes what does not say `durable`: in the journal, which pods "
            "catch up on, or on the channel"
        ),
    ] = "log"
    idempotency_seconds: Annotated[
        Seconds,
        Meta(
            ge=1, le=DAY_SECONDS, description="how long an event's id or `Idempotency-Key` is known to `/api/v1/events`"
        ),
    ] = 300
    publish_rate: Annotated[
        int,
        Meta(
            title="events a second", ge=0, le=100_000, description="what one pod takes from one caller; 0 is no limit"
        ),
    ] = 0
    publish_concurrency: Annotated[
        int,
        Meta(title="requests", ge=1, le=10_000, description="how many requests to publish a pod serves at one moment"),
    ] = 64
    admin_token: Annotated[
        str,
        secrets.ADMIN_TOKEN,
        Meta(
            description="what a script sends as `Authorization: Bearer` in production, to `/api/v1` and to read the "
            "JSON under `/admin`"
        ),
    ] = ""
    metrics_auth: Annotated[
        Literal["off", "required"],
        Meta(description="whether `/metrics` needs a token with the right to `read`, or `ADMIN_TOKEN`"),
    ] = "off"
    admin_port: Annotated[
        int,
        Meta(
            title="port",
            ge=0,
            le=65535,
            description="a second port on `HOST`, where alone `/admin`, `/api`, `/metrics` and all of `/api/v1` but "
            "publishing are then served; 0 is none",
        ),
    ] = 0
