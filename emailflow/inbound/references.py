"""Rows that rules name by id: users, teams, customers. Each is read once for a whole group of mails."""

from emailflow.workflow.base import StepError
from tickets.models import Customer, Team, User


class References:
    """Lives inside one transaction."""

    def __init__(self) -> None:
        self._users: dict[int, User | None] = {}
        self._teams: dict[int, Team | None] = {}
        self._customers: dict[int, Customer | None] = {}

    def user(self, pk: int | None) -> User | None:
        """The active user. Raises StepError when there is none."""
        if pk is None:
            return None
        if pk not in self._users:
            self._users[pk] = User.objects.filter(pk=pk).first()
        user = self._users[pk]
        if user is None or not user.is_active:
            raise StepError(f"user {pk} does not exist" if user is None else f"user {pk} is not active")
        return user

    def team(self, pk: int | None) -> Team | None:
        """Raises StepError when there is none."""
        if pk is None:
            return None
        if pk not in self._teams:
            self._teams[pk] = Team.objects.filter(pk=pk).first()
        if self._teams[pk] is None:
            raise StepError(f"team {pk} does not exist")
        return self._teams[pk]

    def customer(self, pk: int | None) -> Customer | None:
        """Raises StepError when there is none."""
        if pk is None:
            return None
        if pk not in self._customers:
            self._customers[pk] = Customer.objects.filter(pk=pk).first()
        if self._customers[pk] is None:
            raise StepError(f"customer {pk} does not exist")
        return self._customers[pk]
