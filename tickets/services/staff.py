"""Staff, their teams and their API tokens. The only writer of these rows, besides Django's own login."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from knox.models import get_digest_token
from knox.settings import CONSTANTS

from tickets import audit
from tickets.actors import Actor
from tickets.errors import ServiceError
from tickets.limits import check_length
from tickets.models import ApiToken, Team, User
from tickets.removing import remove
from tickets.storable import storable

# What the audit log keeps with its value. Of a name, an address or a text it keeps only that it changed.
_SHOWN = ("is_active", "is_staff", "is_superuser", "language", "time_zone", "alerts", "working", "visibility")
_HIDDEN = ("username", "first_name", "last_name", "email", "signature", "password")
# What a token may be limited to; no scope is everything that its user may do.
SCOPES = ("read", "write", "inbound")


def save_user(
    *,
    actor: Actor,
    user: User,
    groups: Iterable[Group] | None = None,
    permissions: Iterable[Permission] | None = None,
    teams: Iterable[Team] | None = None,
) -> User:
    """Write a new or changed user, the memberships that are given, and an audit row, in one transaction.

    The password, if it is new, has been hashed by ``user.set_password``. Locks the row of a user that exists.
    Raises ServiceError that names the field, and when the last active superuser would lose the rights.
    """
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        field, texts = next(iter(error.message_dict.items()))
        raise ServiceError(texts[0], field="" if field == "__all__" else field) from error
    # Closes the race between two people who edit the same user, and keeps the audit row with its change.
    with transaction.atomic():
        before = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first() if user.pk else None
        old = _values(before) if before else {}
        _keep_one_superuser(before, user)
        user.save()
        old |= _set_memberships(user, "groups", groups)
        old |= _set_memberships(user, "user_permissions", permissions)
        old |= _set_memberships(user, "teams", teams)
        new = _values(user) | {name: _names(user, name) for name in ("groups", "teams") if name in old}
        if "user_permissions" in old:
            new["user_permissions"] = _names(user, "user_permissions")
        _record(actor, "user", user, before is None, old, new)
    return user


def set_password(*, actor: Actor, user: User, password: str | None) -> None:
    """Give ``user`` a new password; None takes it away. Writes the hash and an audit row without values."""
    user.set_password(password)
    # Closes nothing but the gap between the change and its audit row.
    with transaction.atomic():
        user.save(update_fields=["password"])
        action = "user.password_set" if password is not None else "user.password_removed"
        audit.record(actor=actor, action=action, entity=user)


def save_team(*, actor: Actor, team: Team, members: Iterable[User] | None = None) -> Team:
    """Write a new or changed team, its members where given, and an audit row. Raises ServiceError at name."""
    team.name = storable(team.name).strip()
    if not team.name:
        raise ServiceError("A team needs a name.", field="name")
    check_length(team.name, "name")
    taken = ServiceError("There is a team of this name already.", field="name")
    is_new = team.pk is None
    try:
        # The row is locked, so that the audit row has the true old values, and is written with its change.
        with transaction.atomic():
            if Team.objects.filter(name=team.name).exclude(pk=team.pk).exists():
                raise taken
            before = None if is_new else Team.objects.select_for_update(no_key=True).filter(pk=team.pk).first()
            old: dict[str, Any] = {"name": before.name} if before else {}
            team.save()
            new: dict[str, Any] = {"name": team.name}
            if members is not None:
                old["members"] = sorted(team.members.values_list("pk", flat=True)) if before else []
                team.members.set(members)
                new["members"] = sorted(team.members.values_list("pk", flat=True))
            _record(actor, "team", team, before is None, old, new)
    except IntegrityError as error:
        # Somebody else took the name since we looked.
        if is_new:
            team.pk = None
        if Team.objects.filter(name=team.name).exclude(pk=team.pk).exists():
            raise taken from error
        raise
    return team


def delete_team(*, actor: Actor, team: Team) -> None:
    """Remove a team; its tickets and mailboxes stay, without one. Writes an audit row. Raises Conflict."""
    old = {"name": team.name}
    remove(team, lambda: audit.record(actor=actor, action="team.deleted", entity=team, old=old))


def make_token(
    *,
    actor: Actor,
    user: User,
    name: str,
    scopes: Sequence[str] = (),
    expires_in: timedelta | None = None,
) -> tuple[ApiToken, str]:
    """A new API token and its text, which is stored nowhere and cannot be shown again.

    Writes the token and an audit row. Raises ServiceError for an inactive user, an unknown scope or a time
    that is not in the future.
    """
    if not user.is_active:
        raise ServiceError(f"{user} is not an active user.", field="user")
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        known = ", ".join(SCOPES)
        raise ServiceError(f"There is no scope {', '.join(unknown)}. Known are: {known}.", field="scopes")
    if expires_in is not None and expires_in <= timedelta(0):
        raise ServiceError("A token must expire in the future.", field="expires_in")
    digest, plain = get_digest_token()
    token = ApiToken(
        digest=digest,
        token_key=plain[: CONSTANTS.TOKEN_KEY_LENGTH],
        user=user,
        name=name.strip(),
        scopes=list(dict.fromkeys(scopes)),
        expiry=timezone.now() + expires_in if expires_in else None,
    )
    # Closes nothing but the gap between the token and its audit row.
    with transaction.atomic():
        token.save(force_insert=True)
        new = {"user": user.pk, "scopes": token.scopes, "expires": _iso(token.expiry), "key": token.token_key}
        audit.record(actor=actor, action="token.made", entity=token, new=new)
    return token, plain


def revoke_token(*, actor: Actor, token: ApiToken) -> None:
    """Remove a token; the program that uses it gets 401 from now on. Writes an audit row."""
    # Closes nothing but the gap between the removal and its audit row.
    with transaction.atomic():
        old = {"user": token.user_id, "key": token.token_key}
        audit.record(actor=actor, action="token.revoked", entity=token, old=old)
        token.delete()


def _values(user: User) -> dict[str, Any]:
    return {name: getattr(user, name) for name in (*_SHOWN, *_HIDDEN)}


def _names(user: User, relation: str) -> list[str]:
    return sorted(str(row) for row in getattr(user, relation).all())


def _set_memberships(user: User, relation: str, rows: Iterable[Any] | None) -> dict[str, list[str]]:
    if rows is None:
        return {}
    old = {relation: _names(user, relation)}
    getattr(user, relation).set(rows)
    return old


def _keep_one_superuser(before: User | None, user: User) -> None:
    if before is None or not (before.is_active and before.is_superuser) or (user.is_active and user.is_superuser):
        return
    if not User.objects.filter(is_active=True, is_superuser=True).exclude(pk=user.pk).exists():
        field = "is_superuser" if user.is_active else "is_active"
        raise ServiceError("This is the last active superuser: nobody could change users any more.", field=field)


def _record(actor: Actor, what: str, row: User | Team, is_new: bool, old: dict[str, Any], new: dict[str, Any]) -> None:
    if is_new:
        shown = {name: value for name, value in new.items() if name not in _HIDDEN}
        audit.record(actor=actor, action=f"{what}.made", entity=row, new=shown)
        return
    changed = [name for name in new if old.get(name) != new[name]]
    if not changed:
        return
    audit.record(
        actor=actor,
        action=f"{what}.changed",
        entity=row,
        old={name: "(hidden)" if name in _HIDDEN else old.get(name) for name in changed},
        new={name: "(changed)" if name in _HIDDEN else new[name] for name in changed},
    )


def _iso(moment: Any) -> str | None:
    return moment.isoformat() if moment else None
