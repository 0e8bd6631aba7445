"""The REST API under ``/api/v1/``: the routes of both apps, the OpenAPI schema and its page."""

from functools import cache
from typing import Any

from django.urls import URLPattern, URLResolver, re_path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from emailflow.api.urls import urlpatterns as mail_routes
from tickets.api.errors import not_found
from tickets.api.urls import urlpatterns as ticket_routes

app_name = "api"


class Schema(SpectacularAPIView):
    """The description, made once a process: it is the same for everyone, and open to all."""

    authentication_classes = ()

    def _get_schema_response(self, request: Request) -> Response:
        return Response(_described(), headers={"Content-Disposition": 'inline; filename="hub-api.yaml"'})


@cache
def _described() -> dict[str, Any]:
    described: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return described


class Addresses(APIView):
    """Where everything is, for whoever begins at the beginning; open to all, as the description is."""

    authentication_classes = ()
    permission_classes = [AllowAny]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        root = request.build_absolute_uri("/api/v1/")
        paths = {path.removeprefix("/api/v1/") for path in _described()["paths"]}
        lists = sorted(path for path in paths if "{" not in path)
        return Response({name: f"{root}{name}" for name in (*lists, "schema", "docs")})


class NoSuchAddress(APIView):
    """Everything else below ``/api/``: 404 in the form of all errors."""

    authentication_classes = ()
    permission_classes = [AllowAny]

    @extend_schema(exclude=True)
    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise not_found("path", f"There is nothing at {request.path}.")

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        raise AssertionError("unreachable: initial() answers")


urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^$", Addresses.as_view(), name="addresses"),
    re_path(r"^schema/?$", Schema.as_view(), name="schema"),
    re_path(
        r"^docs/?$",
        SpectacularSwaggerSplitView.as_view(
            authentication_classes=(), url_name="api:schema", template_name="api/docs.html"
        ),
        name="docs",
    ),
    *ticket_routes,
    *mail_routes,
    re_path(r"", NoSuchAddress.as_view(), name="nothing"),
]
