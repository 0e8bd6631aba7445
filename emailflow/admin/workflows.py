"""Rules: when they fire, on which conditions, and what they do."""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from emailflow import querysets
from emailflow.admin.stepforms import ActionInline, ConditionInline, StepFormSet
from emailflow.models import ANY_LABEL, Label, Workflow
from emailflow.services.workflows import delete_workflow, save_workflow
from emailflow.workflow import registry
from emailflow.workflow.base import Step
from tickets.admin.base import HubModelAdmin, actor_of, badge
from tickets.models import User

if TYPE_CHECKING:
    _WorkflowModelForm = forms.ModelForm[Workflow]
else:
    _WorkflowModelForm = forms.ModelForm


class WorkflowForm(_WorkflowModelForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "classification_trigger" not in self.fields:
            return
        labels = [(label.slug, label.name) for label in Label.objects.all()]
        stored = self.instance.classification_trigger
        if stored != ANY_LABEL and stored not in dict(labels):
            labels.append((stored, f"{stored} (no such label)"))
        self.fields["classification_trigger"] = forms.ChoiceField(
            label="When the mail is", choices=[(ANY_LABEL, "anything (*)"), *labels]
        )
        self.fields["confidence_threshold"].label = "And the confidence is at least"
        sure = "How sure Hub must be of the label, from 0 to 1. 0 fires always; mail without any sign has 0.5."
        self.fields["confidence_threshold"].help_text = sure
        if self.instance.pk is None:
            # A new rule is for anything, and a call for certainty would keep ordinary mail out.
            self.initial["confidence_threshold"] = 0.0
        self.fields["order"].help_text = "Rules run in this order, small numbers first."
        self.fields["stop"].label = "Stop after this rule"


@admin.register(Workflow)
class WorkflowAdmin(HubModelAdmin):
    form = WorkflowForm
    change_form_template = "admin/emailflow/workflow/change_form.html"
    inlines = (ConditionInline, ActionInline)
    list_display = ("order", "name", "fires_on", "does", "stop", "enabled")
    list_display_links = ("name",)
    list_filter = ("enabled",)
    ordering = ("order",)
    sortable_by = ("order",)
    search_fields = ("name",)
    search_help_text = "The beginning of the name."
    long_texts: ClassVar = ("description",)
    actions = ("switch_on", "switch_off")
    fieldsets = (
        (None, {"fields": ("name", "description", ("enabled", "stop"), "order")}),
        ("Fires", {"fields": (("classification_trigger", "confidence_threshold"),)}),
    )

    class Media:
        js = ("emailflow/admin/steps.js",)

    def scoped(self, user: User) -> QuerySet[Workflow]:
        return querysets.workflows_for(user)

    def find(self, rows: QuerySet[Workflow], text: str) -> QuerySet[Workflow]:
        return rows.filter(name__istartswith=text)

    def save_model(self, request: HttpRequest, obj: Workflow, form: Any, change: bool) -> None:
        """Nothing yet: a rule is saved with its steps, in one call."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        steps: dict[str, list[Step]] = {"conditions": [], "steps": []}
        for formset in formsets:
            assert isinstance(formset, StepFormSet)
            name = formset.form.slug_field
            steps["conditions" if name == "condition" else "steps"] = formset.steps()
        save_workflow(actor=actor_of(request), workflow=form.instance, **steps)

    def delete_model(self, request: HttpRequest, obj: Workflow) -> None:
        delete_workflow(actor=actor_of(request), workflow=obj)

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Workflow]) -> None:
        self._switch(request, queryset, True)

    @admin.action(description="Switch off", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Workflow]) -> None:
        self._switch(request, queryset, False)

    def _switch(self, request: HttpRequest, rules: QuerySet[Workflow], enabled: bool) -> None:
        for rule in rules:
            conditions = [Step(row.condition, row.params) for row in rule.conditions.all()]
            steps = [Step(row.action, row.params) for row in rule.steps.all()]
            rule.enabled = enabled

            def save(rule: Workflow = rule, conditions: Any = conditions, steps: Any = steps) -> None:
                save_workflow(actor=actor_of(request), workflow=rule, conditions=conditions, steps=steps)

            self.attempt(request, save, f"{rule} is switched {'on' if enabled else 'off'}.")

    @admin.display(description="Fires on")
    def fires_on(self, row: Workflow) -> str:
        label = "anything" if row.classification_trigger == ANY_LABEL else row.classification_trigger
        number = len(row.conditions.all())
        more = f", {number} condition{'' if number == 1 else 's'}" if number else ""
        return f"{label} from {row.confidence_threshold:g}{more}"

    @admin.display(description="Does")
    def does(self, row: Workflow) -> SafeString:
        """The actions in order; one that Hub does not know is marked as broken."""
        known = registry.actions
        parts = [
            (known[step.action].label if step.action in known else badge(f"{step.action}: broken", "bad"),)
            for step in row.steps.all()
        ]
        broken = [c for c in row.conditions.all() if c.condition not in registry.conditions]
        parts += [(badge(f"condition {c.condition}: broken", "bad"),) for c in broken]
        return format_html_join(" → ", "{}", parts) if parts else format_html("-")

    def runs_page(self, row: Workflow) -> str:
        return f"{reverse('admin:emailflow_execution_changelist')}?workflow__id__exact={row.pk}"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        rule = kwargs.get("obj")
        if rule is not None:
            context["runs_page"] = self.runs_page(rule)
        return super().render_change_form(request, context, *args, **kwargs)
