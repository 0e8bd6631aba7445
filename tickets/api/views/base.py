"""What all resources of the API share: scoped rows, rights by model, keyset lists, strict bodies."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import models
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from tickets.actors import Actor
from tickets.api.errors import LengthMissing, TooLarge, field_error, not_found
from tickets.api.filters import refuse_unknown_parameters
from tickets.api.pagination import KeysetPagination, Sorts
from tickets.models import User
from tickets.services.files import Upload
from tickets.storable import is_storable, storable

ID_PATTERN = r"[0-9]{1,18}"


class Resource(GenericViewSet[Any]):
    """A subclass names ``rights_model``, ``sorts`` and ``rows()``: what the caller may see."""

    rights_model: type[models.Model]
    sorts: Sorts = {"newest": ("-id",)}
    action_rights: Mapping[str, Sequence[str]] = {}
    lookup_value_regex = ID_PATTERN
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    def rows(self) -> QuerySet[Any]:
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return self.rights_model._default_manager.none()
        return self.rows()

    @property
    def user(self) -> User:
        user = self.request.user
        assert isinstance(user, User)
        return user

    @property
    def actor(self) -> Actor:
        request_id = self.request.headers.get("X-Request-ID", "")
        return Actor.of_user(self.user, "".join(char for char in request_id if char.isprintable())[:64])

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        check_size(request)
        check_parameters(request)
        super().initial(request, *args, **kwargs)

    def check_permissions(self, request: Request) -> None:
        """A method that the route does not have is 405 for everyone who has logged in, whatever their rights."""
        if self.action is None and request.user.is_authenticated:
            self.http_method_not_allowed(request)
        super().check_permissions(request)

    def get_object(self) -> Any:
        """The row that the address names. Raises NotFound also for one that is not visible."""
        name = self.lookup_url_kwarg or self.lookup_field
        row = self.get_queryset().filter(pk=int(self.kwargs[name])).first()
        if row is None:
            raise not_found(name)
        return row

    def body(self, serializer_class: type[BaseSerializer[Any]], *, partial: bool = False) -> dict[str, Any]:
        """The checked fields of the body. Raises ValidationError that names each field at fault."""
        serializer = serializer_class(data=self.request.data, partial=partial, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def shown(self, row: Any, status: int = 200, serializer: type[BaseSerializer[Any]] | None = None) -> Response:
        chosen = serializer or self.get_serializer_class()
        return Response(chosen(row, context=self.get_serializer_context()).data, status=status)


class ListAndDetail(Resource):
    """The two ways of reading."""

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.page(self.filter_queryset(self.get_queryset()))

    def page(self, rows: QuerySet[Any], serializer: type[BaseSerializer[Any]] | None = None) -> Response:
        chosen = serializer or self.get_serializer_class()
        found = self.paginate_queryset(rows)
        return self.get_paginated_response(chosen(found, many=True, context=self.get_serializer_context()).data)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        refuse_unknown_parameters(request.query_params, ("format",))
        return self.shown(self.get_object())


def check_parameters(request: Request) -> None:
    """Refuse what no column holds; the paths hold ids and numbers only. Raises ValidationError that names it."""
    for name, texts in request.query_params.lists():
        if not all(is_storable(text) for text in (name, *texts)):
            raise field_error(storable(name), "Null characters are not allowed.")


def check_size(request: Request) -> None:
    """Refuse a body by its announced length before a byte of it is read. Raises TooLarge, LengthMissing."""
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        raise LengthMissing
    with_files = (request.content_type or "").startswith("multipart/")
    limit = settings.MAIL_MAX_BYTES if with_files else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > limit:
        raise TooLarge(f"The request may have {limit} bytes at most.")


def uploads_of(files: "Sequence[UploadedFile[Any]]") -> list[Upload]:
    return [Upload(name=file.name or "file", content=file.read()) for file in files]


__all__ = ["ID_PATTERN", "KeysetPagination", "ListAndDetail", "Resource", "check_size", "uploads_of"]
