"""The paths of the API that are about tokens."""

from __future__ import annotations

from http import HTTPStatus

from streams.api.documents.described import Reply
from streams.api.pages import PageQuery
from streams.api.router import Endpoint, Route
from streams.api.tokens import refused, revoking

TOKEN_ROUTES = (
    Route(
        "/refused",
        {
            "GET": Endpoint(
                refused.refused,
                PageQuery,
                summary="List the lanes that came to this pod without the right token",
                reply=Reply(HTTPStatus.OK, "They are refused, or with `observe` would be.", refused.Refused),
            )
        },
    ),
    Route(
        "/revocations",
        {
            "POST": Endpoint(
                revoking.revoke,
                body=revoking.Revoking,
                summary="Revoke a token, or all that a holder was issued before a moment",
                reply=Reply(
                    HTTPStatus.ACCEPTED, "All pods are told; its open streams end within a second.", revoking.Revoked
                ),
                example={"jti": "7f3c9a"},
            )
        },
    ),
)
