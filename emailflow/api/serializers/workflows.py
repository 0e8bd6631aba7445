"""Workflows in the form that import and export use too."""

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from emailflow.models import Workflow, WorkflowCondition, WorkflowStep
from tickets.api.serializers.base import CleanJSONField, StrictSerializer, WholeSerializer

_EXAMPLE = {
    "name": "Printers to Ada",
    "classification_trigger": "support_request",
    "confidence_threshold": 0.7,
    "conditions": [{"condition": "subject", "params": {"operator": "is", "match": "words", "values": ["printer"]}}],
    "workflow_steps": [{"action": "create_ticket", "params": {"assigned_to_user_id": 5}}],
    "order": 50,
    "stop": False,
    "enabled": True,
}


class ConditionSerializer(serializers.ModelSerializer[WorkflowCondition]):
    params = serializers.DictField(read_only=True)

    class Meta:
        model = WorkflowCondition
        fields = ["condition", "params"]
        read_only_fields = fields


class StepSerializer(serializers.ModelSerializer[WorkflowStep]):
    params = serializers.DictField(read_only=True)

    class Meta:
        model = WorkflowStep
        fields = ["action", "params"]
        read_only_fields = fields


class WorkflowSerializer(serializers.ModelSerializer[Workflow]):
    conditions = ConditionSerializer(many=True, read_only=True)
    workflow_steps = StepSerializer(source="steps", many=True, read_only=True)

    class Meta:
        model = Workflow
        fields = [
            "id",
            "name",
            "description",
            "classification_trigger",
            "confidence_threshold",
            "order",
            "stop",
            "enabled",
            "version",
            "conditions",
            "workflow_steps",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class ConditionWriteSerializer(WholeSerializer):
    condition = serializers.CharField(max_length=100)
    params = CleanJSONField(required=False, default=dict)


class StepWriteSerializer(WholeSerializer):
    action = serializers.CharField(max_length=100)
    params = CleanJSONField(required=False, default=dict)


@extend_schema_serializer(examples=[OpenApiExample("A workflow", value=_EXAMPLE, request_only=True)])
class WorkflowWriteSerializer(StrictSerializer):
    """``conditions`` and ``workflow_steps`` replace the old ones; each checks its own parameters."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(required=False, allow_blank=True, max_length=5000)
    classification_trigger = serializers.CharField(
        required=False, max_length=60, help_text="Slug of a label, or `*` for any mail."
    )
    confidence_threshold = serializers.FloatField(required=False, min_value=0.0, max_value=1.0)
    order = serializers.IntegerField(required=False, min_value=-(2**31), max_value=2**31 - 1)
    stop = serializers.BooleanField(required=False)
    enabled = serializers.BooleanField(required=False)
    conditions = ConditionWriteSerializer(many=True, required=False)
    workflow_steps = StepWriteSerializer(many=True, required=False)
