"""Users, teams and API tokens."""

import zoneinfo
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from tickets.actors import Actor
from tickets.admin.base import HubModelAdmin, actor_of, link_to, no_cache, starts_with, user_of
from tickets.models import ApiToken, Team, User
from tickets.services.staff import (
    SCOPES,
    delete_team,
    make_token,
    revoke_token,
    save_team,
    save_user,
    set_password,
)

if TYPE_CHECKING:
    _TeamModelForm = forms.ModelForm[Team]
    _TokenModelForm = forms.ModelForm[ApiToken]
    _StockUserAdmin = StockUserAdmin[User]
    _UserChangeForm = UserChangeForm[User]
    _PasswordForm = AdminPasswordChangeForm[User]
else:
    _TeamModelForm = _TokenModelForm = forms.ModelForm
    _StockUserAdmin, _UserChangeForm, _PasswordForm = StockUserAdmin, UserChangeForm, AdminPasswordChangeForm

_CHECKS = {"class": "hub-checks"}
_SCOPE_WORDS = {
    "read": "read: everything that the user may read",
    "write": "write: read and change everything that the user may",
    "inbound": "inbound: hand in mail, nothing else",
}


class StaffForm(_UserChangeForm):
    teams = forms.ModelMultipleChoiceField(
        Team.objects.all(), required=False, widget=forms.CheckboxSelectMultiple(attrs=_CHECKS)
    )
    time_zone = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "time_zone" in self.fields:
            zones = sorted(zoneinfo.available_timezones())
            self.fields["time_zone"].choices = [("", "As the site"), *((z, z) for z in zones)]  # type: ignore[attr-defined]
        if "teams" in self.fields and self.instance.pk:
            self.initial["teams"] = list(self.instance.teams.all())


class PasswordForm(_PasswordForm):
    """Django's own, but saved by the service. ``acting`` was put on the user by the admin page."""

    def save(self, commit: bool = True) -> Any:
        password = self.cleaned_data["password1"] if self.cleaned_data["set_usable_password"] else None
        actor: Actor = self.user.acting  # type: ignore[attr-defined]
        set_password(actor=actor, user=self.user, password=password)
        return self.user


@admin.register(User)
class UserAdmin(HubModelAdmin, _StockUserAdmin):
    """Django's page for users, with our fields; saved by the service.

    Who is not a superuser can neither make nor change one: else the right to edit users were every right.
    """

    form = StaffForm
    change_password_form = PasswordForm
    change_list_template = HubModelAdmin.change_list_template
    list_display = ("username", "full_name", "email", "group_words", "visibility", "is_active", "is_staff")
    list_filter = ("is_active", "is_staff", "groups", "teams")
    list_select_related = False
    ordering = ("username",)
    sortable_by = ("username",)
    search_fields = ("username",)
    search_help_text = "The beginning of the user name."
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (
            "Person",
            {"fields": (("first_name", "last_name"), "email", ("language", "time_zone"), "signature")},
        ),
        ("Work", {"fields": ("teams", "visibility", "working", "alerts")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"classes": ("collapse",), "fields": (("last_login", "date_joined"),)}),
    )
    readonly_fields = ("last_login", "date_joined")
    read_as: ClassVar = {"teams": "team_words"}
    long_texts: ClassVar = ("signature",)

    def scoped(self, user: User) -> QuerySet[User]:
        return User.objects.all()

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def find(self, rows: QuerySet[User], text: str) -> QuerySet[User]:
        return rows.filter(starts_with("username", text))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> User | None:
        user: User | None = super().get_object(request, object_id, from_field)
        if user is not None:
            user.acting = actor_of(request)  # type: ignore[attr-defined]
        return user

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fixed = tuple(super().get_readonly_fields(request, obj))
        if not user_of(request).is_superuser:
            fixed += ("is_superuser", "user_permissions", "groups")
        return fixed

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or not obj.is_superuser or user_of(request).is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Never: tickets and the audit log speak of them. "Active" is switched off instead."""
        return False

    def write(self, request: HttpRequest, row: User, form: Any, change: bool) -> None:
        data = form.cleaned_data
        save_user(
            actor=actor_of(request),
            user=row,
            groups=data.get("groups"),
            permissions=data.get("user_permissions"),
            teams=data.get("teams"),
        )

    @admin.display(description="Name")
    def full_name(self, row: User) -> str:
        return row.get_full_name() or "-"

    @admin.display(description="Teams")
    def team_words(self, row: User) -> str:
        return ", ".join(row.teams.values_list("name", flat=True)) or "-"

    @admin.display(description="Groups")
    def group_words(self, row: User) -> str:
        if row.is_superuser:
            return "Superuser"
        return ", ".join(sorted(group.name for group in row.groups.all())) or "-"


# The form for a new user asks for name and password only; the rest is on the page that follows.
UserAdmin.add_form = AdminUserCreationForm


class TeamForm(_TeamModelForm):
    members = forms.ModelMultipleChoiceField(
        User.objects.order_by("username"), required=False, widget=forms.CheckboxSelectMultiple(attrs=_CHECKS)
    )


@admin.register(Team)
class TeamAdmin(HubModelAdmin):
    form = TeamForm
    fields = ("name", "members")
    list_display = ("name", "member_names")
    ordering = ("name",)
    sortable_by = ("name",)
    search_fields = ("name",)
    search_help_text = "The beginning of the name."

    def scoped(self, user: User) -> QuerySet[Team]:
        return Team.objects.prefetch_related("members")

    def find(self, rows: QuerySet[Team], text: str) -> QuerySet[Team]:
        return rows.filter(name__istartswith=text)

    def write(self, request: HttpRequest, row: Team, form: Any, change: bool) -> None:
        save_team(actor=actor_of(request), team=row, members=form.cleaned_data["members"])

    def delete_model(self, request: HttpRequest, obj: Team) -> None:
        delete_team(actor=actor_of(request), team=obj)

    @admin.display(description="Members")
    def member_names(self, row: Team) -> str:
        return ", ".join(sorted(str(user) for user in row.members.all())) or "-"


class TokenForm(_TokenModelForm):
    name = forms.CharField(max_length=100, help_text="Which program uses it, so that you know it again.")
    scopes = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs=_CHECKS),
        choices=[(name, _SCOPE_WORDS.get(name, name)) for name in SCOPES],
        help_text="None: everything that the user may do.",
    )
    days = forms.IntegerField(
        required=False, min_value=1, max_value=36500, label="Expires after days", help_text="Empty: never."
    )
    field_aliases: ClassVar = {"expires_in": "days"}


@admin.register(ApiToken)
class ApiTokenAdmin(HubModelAdmin):
    """Tokens are made and revoked; their text is shown once, on the answer to the form itself."""

    form = TokenForm
    list_display = ("name_shown", "token_start", "user", "scope_words", "created", "last_used_at", "expiry")
    list_filter = (("user", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("user",)
    ordering = ("-created",)
    sortable_by = ("created",)
    search_fields = ("token_key",)
    search_help_text = "The first characters of the token."
    readonly_fields = ("token_start", "user_link", "scope_words", "created", "last_used_at", "expiry")

    def scoped(self, user: User) -> QuerySet[ApiToken]:
        tokens: QuerySet[ApiToken] = ApiToken._default_manager.select_related("user")
        return tokens if user.is_superuser else tokens.filter(user=user)

    def find(self, rows: QuerySet[ApiToken], text: str) -> QuerySet[ApiToken]:
        return rows.filter(starts_with("token_key", text))

    def get_fieldsets(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("name", "user", "scopes", "days")})]
        shown = ("name_shown", "token_start", "user_link", "scope_words", "created", "last_used_at", "expiry")
        return [(None, {"fields": shown})]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        return () if obj is None else (*self.readonly_fields, "name_shown")

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A token carries its user's rights: only a superuser makes one for somebody else."""
        user = user_of(request)
        users = User.objects.filter(is_active=True)
        kwargs["queryset"] = users.order_by("username") if user.is_superuser else users.filter(pk=user.pk)
        kwargs["initial"] = user.pk
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def write(self, request: HttpRequest, row: ApiToken, form: Any, change: bool) -> None:
        data = form.cleaned_data
        days = data["days"]
        token, plain = make_token(
            actor=actor_of(request),
            user=data["user"],
            name=data["name"],
            scopes=data["scopes"],
            expires_in=timedelta(days=days) if days else None,
        )
        # What the stock log and the page of the new token name; user and name came with the form.
        row.pk, row.token_key = token.pk, token.token_key
        request._token_text = plain  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        """No redirect: the text must not travel through a cookie or stand in a table."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Your new API token",
            "opts": self.opts,
            "token": obj,
            "plain": request._token_text,  # type: ignore[attr-defined]
        }
        return no_cache(TemplateResponse(request, "admin/tickets/apitoken/made.html", context))

    def delete_model(self, request: HttpRequest, obj: ApiToken) -> None:
        revoke_token(actor=actor_of(request), token=obj)

    @admin.display(description="Name")
    def name_shown(self, row: ApiToken) -> str:
        return row.name or "(no name)"

    @admin.display(description="Begins with")
    def token_start(self, row: ApiToken) -> str:
        return f"{row.token_key}…"

    @admin.display(description="User")
    def user_link(self, row: ApiToken) -> SafeString | str:
        return link_to(row.user)

    @admin.display(description="May")
    def scope_words(self, row: ApiToken) -> str:
        return ", ".join(row.scopes) or "everything the user may"
