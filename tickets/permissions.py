"""What a right means where the name of one permission does not say it. Asked by the admin and the API."""

from tickets.models import User, Visibility


def may_set_domains(user: User, *, is_new: bool) -> bool:
    """Whether ``user`` may say which mail domains are a customer's, of a new customer or of one that exists.

    A domain takes in everybody who writes from it. Who sees some tickets only cannot see whom that would be.
    """
    actions = ("add",) if is_new else ("add", "change", "delete")
    rights = [f"tickets.{action}_customerdomain" for action in actions]
    return user.visibility == Visibility.ALL and user.has_perms(rights)
