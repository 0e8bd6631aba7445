"""Workflows: read, made, changed and deleted, with the checks of the admin's own form."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from emailflow import querysets
from emailflow.api.filters import WorkflowFilter
from emailflow.api.serializers.workflows import WorkflowSerializer, WorkflowWriteSerializer
from emailflow.models import ANY_LABEL, Workflow
from emailflow.services.workflow_files import default_threshold
from emailflow.services.workflows import delete_workflow, save_workflow
from emailflow.workflow.base import Step
from tickets.api.schema import ERRORS
from tickets.api.views.base import ListAndDetail

_WORKFLOW_ID = OpenApiParameter("workflow_id", OpenApiTypes.INT, OpenApiParameter.PATH)


@extend_schema_view(
    list=extend_schema(summary="List workflows", responses={200: WorkflowSerializer(many=True), **ERRORS}),
    retrieve=extend_schema(
        summary="One workflow", parameters=[_WORKFLOW_ID], responses={200: WorkflowSerializer, **ERRORS}
    ),
)
class WorkflowViewSet(ListAndDetail):
    rights_model = Workflow
    serializer_class = WorkflowSerializer
    filterset_class = WorkflowFilter
    lookup_url_kwarg = "workflow_id"
    sorts = {"order": ("order", "id"), "newest": ("-id",)}

    def rows(self) -> QuerySet[Workflow]:
        return querysets.workflows_for(self.user)

    @extend_schema(
        summary="Make a workflow",
        request={"application/json": WorkflowWriteSerializer},
        responses={201: WorkflowSerializer, **ERRORS},
    )
    def create(self, request: Request) -> Response:
        fields = self.body(WorkflowWriteSerializer)
        threshold = default_threshold(fields.get("classification_trigger", ANY_LABEL))
        return self._save(Workflow(confidence_threshold=threshold), fields, 201)

    @extend_schema(
        summary="Change a workflow",
        parameters=[_WORKFLOW_ID],
        request={"application/json": WorkflowWriteSerializer},
        responses={200: WorkflowSerializer, **ERRORS},
    )
    def partial_update(self, request: Request, workflow_id: str) -> Response:
        workflow: Workflow = self.get_object()
        return self._save(workflow, self.body(WorkflowWriteSerializer, partial=True), 200)

    @extend_schema(
        summary="Delete a workflow",
        description="What it did to mails stays listed under its name.",
        parameters=[_WORKFLOW_ID],
        responses={204: None, **ERRORS},
    )
    def destroy(self, request: Request, workflow_id: str) -> Response:
        delete_workflow(actor=self.actor, workflow=self.get_object())
        return Response(status=204)

    def _save(self, workflow: Workflow, fields: dict[str, Any], status: int) -> Response:
        conditions = fields.pop("conditions", None)
        steps = fields.pop("workflow_steps", None)
        for name, value in fields.items():
            setattr(workflow, name, value)
        saved = save_workflow(
            actor=self.actor,
            workflow=workflow,
            conditions=_kept_conditions(workflow) if conditions is None else _steps("condition", conditions),
            steps=_kept_steps(workflow) if steps is None else _steps("action", steps),
        )
        return self.shown(self.get_queryset().get(pk=saved.pk), status)


def _steps(slug: str, rows: Sequence[Mapping[str, Any]]) -> list[Step]:
    return [Step(row[slug], row["params"]) for row in rows]


def _kept_conditions(workflow: Workflow) -> list[Step]:
    if workflow.pk is None:
        return []
    return [Step(row.condition, row.params) for row in workflow.conditions.all()]


def _kept_steps(workflow: Workflow) -> list[Step]:
    if workflow.pk is None:
        return []
    return [Step(row.action, row.params) for row in workflow.steps.all()]
