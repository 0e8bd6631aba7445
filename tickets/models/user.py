"""Staff: users, their teams, and the tokens of programs that act for them."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from knox.models import AbstractAuthToken


class Visibility(models.TextChoices):
    ALL = "all", "All tickets"
    OWN_TEAMS = "own_teams", "Tickets of own teams, and own"
    OWN_TICKETS = "own_tickets", "Own tickets only"


class User(AbstractUser):  # type: ignore[django-manager-missing]  # of the tokens: knox ships no types
    """A member of staff. Customers never log in; they are contacts."""

    language = models.TextField(choices=[("en", "English"), ("da", "Dansk")], default="en")
    time_zone = models.TextField(blank=True, default="", help_text="Empty: the zone of the site.")
    signature = models.TextField(blank=True, default="")
    alerts = models.BooleanField(default=True, help_text="Tell me by mail about my tickets.")
    working = models.BooleanField(default=True, help_text="Takes part when tickets are handed out in turn.")
    visibility = models.TextField(choices=Visibility.choices, default=Visibility.ALL)

    class Meta(AbstractUser.Meta):
        db_table = "users"
        constraints = [
            models.CheckConstraint(condition=models.Q(visibility__in=Visibility.values), name="users_visibility_known"),
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.username


class Team(models.Model):
    name = models.TextField()
    members = models.ManyToManyField(User, related_name="teams", blank=True, db_table="tticket_team_members")

    class Meta:
        db_table = "tticket_teams"
        constraints = [models.UniqueConstraint(fields=["name"], name="tticket_teams_name_once")]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ApiToken(AbstractAuthToken):  # type: ignore[misc]  # knox ships no types
    """A token of the REST API. Only its hash is kept; the text is shown once, when it is made."""

    name = models.TextField(default="", blank=True)
    scopes = models.JSONField(default=list, blank=True, help_text="Empty: everything the user may do.")
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "tticket_api_tokens"
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name or 'token'} {self.token_key}…"
