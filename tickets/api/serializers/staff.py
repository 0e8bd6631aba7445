"""Staff and teams, as somebody needs them who assigns tickets: ids and names, no addresses."""

from typing import Any

from rest_framework import serializers

from tickets.models import Team, User


class UserSerializer(serializers.ModelSerializer[User]):
    name = serializers.CharField(source="__str__", read_only=True)
    teams = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields: Any = ["id", "username", "name", "is_active", "working", "teams"]
        read_only_fields = fields

    def get_teams(self, user: User) -> list[int]:
        return sorted(team.pk for team in user.teams.all())


class TeamSerializer(serializers.ModelSerializer[Team]):
    class Meta:
        model = Team
        fields: Any = ["id", "name"]
        read_only_fields = fields
