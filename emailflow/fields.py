"""A text column that is encrypted at rest, for passwords of mail servers."""

from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


def _cipher() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])


class SecretUnreadable(Exception):
    """The stored secret was encrypted with a key that FIELD_ENCRYPTION_KEYS no longer names."""


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]  # a class of stubs, not of Django
    """Holds the ciphertext; ``seal`` and ``unseal`` are the only ways in and out.

    The plain text never becomes an attribute of a model, so that no form, log, dump or template can show it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("editable", False)
        kwargs.setdefault("blank", True)
        kwargs.setdefault("default", "")
        super().__init__(*args, **kwargs)


def seal(plain: str) -> str:
    """Ciphertext of ``plain`` under the first key; '' stays ''."""
    return _cipher().encrypt(plain.encode()).decode() if plain else ""


def unseal(sealed: str) -> str:
    """The plain text. Raises SecretUnreadable when no key fits."""
    if not sealed:
        return ""
    try:
        return _cipher().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadable(
            "the stored password cannot be decrypted: its key is missing in FIELD_ENCRYPTION_KEYS"
        ) from error
