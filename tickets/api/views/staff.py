"""Users and teams, for reading: whom a ticket can be assigned to."""

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view

from tickets.api.filters import TeamFilter, UserListFilter
from tickets.api.schema import ERRORS
from tickets.api.serializers.staff import TeamSerializer, UserSerializer
from tickets.api.views.base import ListAndDetail
from tickets.models import Team, User

_USER_ID = OpenApiParameter("user_id", OpenApiTypes.INT, OpenApiParameter.PATH)
_TEAM_ID = OpenApiParameter("team_id", OpenApiTypes.INT, OpenApiParameter.PATH)


@extend_schema_view(
    list=extend_schema(
        summary="List users",
        description="Members of staff. A ticket can be assigned to active ones: `is_active=true`.",
        responses={200: UserSerializer(many=True), **ERRORS},
    ),
    retrieve=extend_schema(summary="One user", parameters=[_USER_ID], responses={200: UserSerializer, **ERRORS}),
)
class UserViewSet(ListAndDetail):
    rights_model = User
    serializer_class = UserSerializer
    filterset_class = UserListFilter
    lookup_url_kwarg = "user_id"
    sorts = {"username": ("username", "id"), "newest": ("-id",)}

    def rows(self) -> QuerySet[User]:
        return User.objects.prefetch_related("teams")


@extend_schema_view(
    list=extend_schema(summary="List teams", responses={200: TeamSerializer(many=True), **ERRORS}),
    retrieve=extend_schema(summary="One team", parameters=[_TEAM_ID], responses={200: TeamSerializer, **ERRORS}),
)
class TeamViewSet(ListAndDetail):
    rights_model = Team
    serializer_class = TeamSerializer
    filterset_class = TeamFilter
    lookup_url_kwarg = "team_id"
    sorts = {"name": ("name", "id"), "newest": ("-id",)}

    def rows(self) -> QuerySet[Team]:
        return Team.objects.all()
