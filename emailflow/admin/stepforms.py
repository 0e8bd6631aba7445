"""The forms of a rule's conditions and steps: typed fields for each plug-in, no JSON by hand.

A stored step shows the fields of its action. A new one carries the fields of every action, and a small script
shows those of the chosen one; without the script all are visible and only the chosen one's are read.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest

from emailflow.models import WorkflowCondition, WorkflowStep
from emailflow.workflow import registry
from emailflow.workflow.base import Step
from emailflow.workflow.forms import params_of
from emailflow.workflow.rowfields import list_for
from tickets.admin.base import user_of
from tickets.models import User

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Any]
    _Inline = admin.StackedInline[Any, Any]
    _FormSet = BaseInlineFormSet[Any, Any, Any]
else:
    _ModelForm, _Inline, _FormSet = forms.ModelForm, admin.StackedInline, BaseInlineFormSet

LAST = 10_000


class StepForm(_ModelForm):
    """One condition or step: ``params_form`` is the chosen plug-in's, ``offered`` are those of all."""

    slug_field = ""
    noun = ""
    plugins: Mapping[str, Any] = {}

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        stored = str(getattr(self.instance, self.slug_field)) if self.instance.pk else ""
        choices = [("", "---------"), *((slug, plugin.label) for slug, plugin in self.plugins.items())]
        self.is_broken = bool(stored) and stored not in self.plugins
        if self.is_broken:
            choices.append((stored, f"{stored} (unknown)"))
        self.fields[self.slug_field] = forms.ChoiceField(label=self.noun.capitalize(), choices=choices)
        self.fields["position"] = forms.IntegerField(
            label="Place", required=False, min_value=0, help_text="Small numbers first. Empty: last."
        )
        if stored:
            # The fields below belong to it: another action is another step.
            self.fields[self.slug_field].widget = forms.HiddenInput()
        else:
            self.initial["position"] = None
        wanted = [stored] if stored else list(self.plugins)
        self.offered = [self._offer(slug, stored) for slug in wanted if slug in self.plugins]

    def _offer(self, slug: str, stored: str) -> dict[str, Any]:
        plugin = self.plugins[slug]
        form: forms.Form = plugin.ParamsForm(
            data=self.data if self.is_bound else None,
            prefix=self.add_prefix(f"cfg-{slug}"),
            initial=self.instance.params if slug == stored else None,
            use_required_attribute=False,
        )
        list_for(form, self.user)
        if slug != stored:
            _as_untouched(form)
        for field in form.fields.values():
            if isinstance(field.widget, forms.TextInput | forms.EmailInput):
                field.widget.attrs.setdefault("class", "vTextField")
        chosen = not self.is_bound or slug == self.chosen
        return {"slug": slug, "label": plugin.label, "help": plugin.help, "form": form, "chosen": chosen}

    @property
    def chosen(self) -> str:
        """The slug that was posted, or that is stored."""
        if self.is_bound:
            return str(self.data.get(self.add_prefix(self.slug_field)) or "")
        return str(getattr(self.instance, self.slug_field))

    @property
    def params_form(self) -> forms.Form | None:
        return next((offer["form"] for offer in self.offered if offer["slug"] == self.chosen), None)

    @property
    def title(self) -> str:
        plugin = self.plugins.get(self.chosen)
        return str(plugin.label) if plugin else self.chosen

    def has_changed(self) -> bool:
        """Also when only a parameter is new: the stock form would drop it as untouched."""
        return super().has_changed() or any(offer["form"].has_changed() for offer in self.offered)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.is_broken and self.chosen not in self.plugins:
            raise ValidationError(f"Hub knows no {self.noun} named {self.chosen}: delete this one.")
        form = self.params_form
        if form is not None and not form.is_valid():
            raise ValidationError(f"{self.title}: please correct the fields below.")
        return cleaned

    def step(self) -> Step:
        """The step of a valid form, with its parameters as they are stored."""
        form = self.params_form
        return Step(self.chosen, params_of(form) if form is not None else self.instance.params)

    @property
    def place(self) -> int:
        position = self.cleaned_data.get("position")
        return LAST if position is None else int(position)


def _as_untouched(form: forms.Form) -> None:
    """A list without an empty line sends its first one: that alone is no change by a person."""
    for name, field in form.fields.items():
        if isinstance(field, forms.ChoiceField) and not isinstance(field, forms.MultipleChoiceField):
            choices: Any = field.choices
            form.initial.setdefault(name, next((value for value, _ in choices), None))


class StepFormSet(_FormSet):
    """All steps of one rule; nothing is saved here, the service gets them as a whole."""

    user: User

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "user": self.user}

    def steps(self) -> list[Step]:
        kept = [form for form in self.initial_forms if form not in self.deleted_forms]
        kept += [form for form in self.extra_forms if form.has_changed() and form not in self.deleted_forms]
        return [form.step() for form in sorted(kept, key=lambda form: form.place)]


class StepInline(_Inline):
    template = "admin/emailflow/workflow/steps.html"
    formset = StepFormSet
    extra = 0
    ordering = ("position", "id")

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset: Any = super().get_formset(request, obj, **kwargs)
        # The class is made for this request.
        formset.user = user_of(request)
        return formset

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        return 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("emailflow.change_workflow")

    has_change_permission = has_add_permission
    has_delete_permission = has_add_permission

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("emailflow.view_workflow")


class ConditionForm(StepForm):
    slug_field = "condition"
    noun = "condition"
    plugins = registry.conditions

    class Meta:
        model = WorkflowCondition
        fields = ("position", "condition")


class ActionForm(StepForm):
    slug_field = "action"
    noun = "action"
    plugins = registry.actions

    class Meta:
        model = WorkflowStep
        fields = ("position", "action")


class ConditionInline(StepInline):
    model = WorkflowCondition
    form = ConditionForm
    verbose_name = "condition"
    verbose_name_plural = "Only if all of this holds"


class ActionInline(StepInline):
    model = WorkflowStep
    form = ActionForm
    verbose_name = "step"
    verbose_name_plural = "Then do this"

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        return 1 if obj is None else 0
