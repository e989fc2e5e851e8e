"""What a path answers that nothing serves, and where Django fails: a page for a browser, JSON for everybody else."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.csrf import csrf_exempt

from streams.http import views
from streams.http.target import serves_operators


def devices_only(request: HttpRequest) -> bool:
    """Say whether a request came to the port at which the operators' pages are not."""
    return not serves_operators(getattr(request, "scope", {}), settings.STREAMS.admin_port)


def for_people(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Put an answer into a page with links to go on from where a browser shows it."""
    if "text/html" not in request.headers.get("Accept", ""):
        return answer
    title = f"{answer.status_code} {HTTPStatus(answer.status_code).phrase}"
    # Without the request: whatever failed, nothing is asked of the session or the database.
    context = {"title": title, "sentence": views.sentence_of(answer), "devices_only": devices_only(request)}
    body = render_to_string("dashboard/error.html", context)
    return HttpResponse(body, status=answer.status_code, headers={"Cache-Control": "no-store"})


@csrf_exempt
async def not_found(request: HttpRequest) -> HttpResponse:
    """Answer any path that nothing else serves."""
    return for_people(request, await views.not_found(request))


# Django calls these as plain functions, and by the names of their arguments.
def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    """Answer what a view of Django's own does not find."""
    return for_people(request, views.nothing_at(request))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    """Answer what a view of Django's own does not allow."""
    return for_people(request, views.error_response("You may not do this.", HTTPStatus.FORBIDDEN))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django itself refuses."""
    return for_people(request, views.bad_request(request, exception))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer where this service failed; the log has the traceback."""
    return for_people(request, views.server_error(request))
