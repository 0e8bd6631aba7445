"""Who acts: a user, a rule, a mail, or Hub itself. Every service asks for one."""

from dataclasses import dataclass
from typing import Self

from tickets.models import ActorType, User


@dataclass(frozen=True, slots=True)
class Actor:
    """A plain value, so that the audit log outlives the user or rule that it names."""

    type: ActorType
    id: int | None = None
    name: str = ""
    request_id: str = ""

    @classmethod
    def of_user(cls, user: User, request_id: str = "") -> Self:
        return cls(ActorType.USER, user.pk, user.get_username(), request_id)

    @classmethod
    def of_rule(cls, workflow_id: int, name: str) -> Self:
        return cls(ActorType.RULE, workflow_id, name)

    @classmethod
    def of_mail(cls, message_pk: int) -> Self:
        return cls(ActorType.MAIL, message_pk)

    @classmethod
    def of_system(cls, name: str) -> Self:
        return cls(ActorType.SYSTEM, None, name)
