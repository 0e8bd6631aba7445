"""The record of who changed what. Append-only by trigger; values only, no foreign keys, no addresses, no texts."""

from django.db import models
from django.db.models import Q


class ActorType(models.TextChoices):
    USER = "user", "User"
    RULE = "rule", "Rule"
    MAIL = "mail", "Mail"
    SYSTEM = "system", "System"


class AuditEntry(models.Model):
    actor_type = models.TextField(choices=ActorType.choices)
    actor_id = models.BigIntegerField(null=True, blank=True)
    actor_name = models.TextField(blank=True, default="", help_text="User name or name of the rule.")
    action = models.TextField()
    entity_type = models.TextField()
    entity_id = models.BigIntegerField(null=True, blank=True)
    ticket_id = models.BigIntegerField(null=True, blank=True)
    old_values = models.JSONField(default=dict, blank=True)
    new_values = models.JSONField(default=dict, blank=True)
    request_id = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "tticket_audit_log"
        verbose_name = "audit entry"
        verbose_name_plural = "audit log"
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(condition=Q(actor_type__in=ActorType.values), name="tticket_audit_log_actor_known"),
        ]
        indexes = [
            models.Index(fields=["ticket_id", "id"], name="tticket_audit_log_ticket"),
            models.Index(fields=["entity_type", "entity_id", "id"], name="tticket_audit_log_entity"),
            models.Index(fields=["-created_at", "-id"], name="tticket_audit_log_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.entity_type} {self.entity_id}"


class Maintenance(models.Model):
    """While a row is here, in the same transaction, an append-only table lets a DELETE through."""

    reason = models.TextField()
    actor = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "tticket_maintenance"
        default_permissions = ()

    def __str__(self) -> str:
        return self.reason


class Installed(models.Model):
    """What a fresh start has put into the tables once, so that a change by staff is never undone."""

    key = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "tticket_installed"
        constraints = [models.UniqueConstraint(fields=["key"], name="tticket_installed_key_once")]
        default_permissions = ()

    def __str__(self) -> str:
        return self.key
