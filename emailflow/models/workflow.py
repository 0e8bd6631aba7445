"""Rules that staff edit, the labels they listen to, and what each rule did to each mail."""

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from emailflow.models.message import Message
from emailflow.workflow.base import ANY_LABEL as ANY_LABEL


class Label(models.Model):
    """What the classifier may call a mail."""

    slug = models.SlugField(db_index=False, max_length=60)
    name = models.TextField()
    description = models.TextField(blank=True, default="")
    enabled = models.BooleanField(default=True)

    class Meta:
        db_table = "email_labels"
        constraints: ClassVar = [models.UniqueConstraint(fields=["slug"], name="email_labels_slug_once")]
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class Workflow(models.Model):
    name = models.TextField()
    description = models.TextField(blank=True, default="")
    classification_trigger = models.TextField(default=ANY_LABEL, help_text="Slug of a label, or * for any mail.")
    confidence_threshold = models.FloatField(default=0.7, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)])
    order = models.IntegerField(default=100)
    stop = models.BooleanField(default=False, help_text="No later rule runs once this one has run.")
    enabled = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "email_workflows"
        ordering = ["order", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name"], name="email_workflows_name_once"),
            models.CheckConstraint(
                condition=Q(confidence_threshold__gte=0) & Q(confidence_threshold__lte=1),
                name="email_workflows_threshold_range",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WorkflowCondition(models.Model):
    """All conditions of a workflow must hold. ``params`` is validated by the condition's own form."""

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="conditions")
    position = models.PositiveIntegerField(default=0)
    condition = models.TextField()
    params = models.JSONField(default=dict, blank=True)

    class Meta:
        db_table = "email_workflow_conditions"
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.condition


class WorkflowStep(models.Model):
    """One action with its parameters, validated by the action's own form."""

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField(default=0)
    action = models.TextField()
    params = models.JSONField(default=dict, blank=True)

    class Meta:
        db_table = "email_workflow_steps"
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.action


class ExecutionStatus(models.TextChoices):
    SUCCESS = "success", "Success"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Skipped"


class Execution(models.Model):
    """What one workflow did to one mail in one run."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="executions")
    workflow = models.ForeignKey(Workflow, null=True, blank=True, on_delete=models.SET_NULL, related_name="executions")
    workflow_name = models.TextField()
    run = models.PositiveIntegerField(default=1)
    dry_run = models.BooleanField(default=False)
    status = models.TextField(choices=ExecutionStatus.choices)
    results = models.JSONField(default=list, blank=True)
    error = models.TextField(blank=True, default="")
    duration = models.FloatField(default=0.0, help_text="Seconds.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "email_workflow_executions"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["message", "workflow", "run"],
                condition=Q(status="success", dry_run=False),
                name="email_workflow_executions_success_once",
            ),
            models.CheckConstraint(
                condition=Q(status__in=ExecutionStatus.values), name="email_workflow_executions_status"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-created_at", "-id"], name="email_executions_newest"),
            models.Index(fields=["status", "-created_at", "-id"], name="email_executions_status"),
            models.Index(
                fields=["workflow", "-created_at"], name="email_executions_failed", condition=Q(status="failed")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow_name}: {self.status}"
