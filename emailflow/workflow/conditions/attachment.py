"""What files came with the mail. Pictures inside the text, such as a logo in a signature, do not count."""

from collections.abc import Mapping
from typing import Any

from django import forms

from emailflow.mail import MailAttachment
from emailflow.workflow.base import Condition, Facts, StepError
from emailflow.workflow.forms import ConditionForm, WordsField
from emailflow.workflow.matching import fold, listed
from emailflow.workflow.params import Params
from emailflow.workflow.registry import register_condition

ANY, NAME, TYPE = "any", "name_ends_with", "type"
TESTS = {ANY: "there is one", NAME: "its name ends with", TYPE: "its type"}


@register_condition
class Attachment(Condition):
    slug = "attachment"
    label = "Attachment"
    help = "The mail has a file, or a file of this name or type; with the operator 'is not', it has none."

    class ParamsForm(ConditionForm):
        test = forms.ChoiceField(label="What of it", choices=list(TESTS.items()))
        values = WordsField(
            label="Any of",
            required=False,
            help_text="One a line: endings such as .pdf, or types such as application/pdf or image/*.",
        )

        def clean(self) -> dict[str, Any]:
            cleaned = self.cleaned_data
            if not self.errors:
                if cleaned["test"] == ANY and cleaned["values"]:
                    self.add_error("values", "Leave this empty when any file will do.")
                if cleaned["test"] != ANY and not cleaned["values"]:
                    self.add_error("values", "Say which names or types.")
            return cleaned

    def holds(self, facts: Facts, params: Mapping[str, Any]) -> tuple[bool, str]:
        wanted = Params(params)
        negated = wanted.negated()
        test = wanted.choice("test", TESTS)
        if test == ANY and not wanted.is_empty("values"):
            raise StepError("parameter values must be empty when any file will do")
        values = () if test == ANY else tuple(fold(value) for value in wanted.words("values"))
        files = [file for file in facts.mail.attachments if not file.inline]
        found = any(_fits(file, test, values) for file in files)
        has = "has no file" if negated else "has a file"
        which = {ANY: "", NAME: f" whose name ends with {listed(values)}", TYPE: f" of type {listed(values)}"}
        return found != negated, f"{has}{which[test]}"


def _fits(file: MailAttachment, test: str, values: tuple[str, ...]) -> bool:
    if test == ANY:
        return True
    if test == NAME:
        return fold(file.name).endswith(values)
    kind = file.mime_type.lower()
    return any(kind.startswith(v[:-1]) if v.endswith("/*") else kind == v for v in values)
