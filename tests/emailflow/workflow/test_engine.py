"""Deciding: facts and workflows in, a plan out, no database."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django import forms
from hypothesis import given, settings
from hypothesis import strategies as st

from emailflow.workflow import registry
from emailflow.workflow.base import Action, Condition, Facts, Intent, Plan, PlannedWorkflow, Step
from emailflow.workflow.engine import decide
from tests.emailflow.workflow.making import HOLDING, make_facts, make_workflow


def only(plan: Plan) -> PlannedWorkflow:
    (planned,) = plan.workflows
    return planned


def fired(plan: Plan) -> list[str]:
    return [planned.name for planned in plan.workflows if planned.fired]


def test_a_workflow_fires_on_its_label_and_says_why() -> None:
    planned = only(decide(make_facts(), [make_workflow()]))
    assert planned.fired
    assert planned.reasons == ("label is support_request", "confidence 0.80 reaches 0.70")
    assert [slug for slug, _ in planned.intents] == ["create_ticket"]


def test_another_label_does_not_fire_and_says_why() -> None:
    planned = only(decide(make_facts(label="invoice"), [make_workflow()]))
    assert not planned.fired
    assert planned.reasons == ("label invoice is not support_request",)


def test_too_little_confidence_does_not_fire_and_says_why() -> None:
    planned = only(decide(make_facts(confidence=0.55), [make_workflow()]))
    assert not planned.fired
    assert planned.reasons[-1] == "confidence 0.55 is below 0.70"


def test_a_confidence_just_below_is_not_rounded_away_in_words() -> None:
    planned = only(decide(make_facts(confidence=0.6999), [make_workflow()]))
    assert planned.reasons[-1] == "confidence 0.6999 is below 0.70"


def test_confidence_equal_to_the_threshold_is_enough() -> None:
    assert only(decide(make_facts(confidence=0.7), [make_workflow()])).fired


def test_a_confidence_that_is_no_number_reaches_no_threshold() -> None:
    assert not only(decide(make_facts(confidence=float("nan")), [make_workflow(threshold=0.0)])).fired


def test_star_fires_on_any_label() -> None:
    planned = only(decide(make_facts(label="general", confidence=0.0), [make_workflow(trigger="*", threshold=0.0)]))
    assert planned.fired
    assert planned.reasons[0] == "any label"


def test_all_conditions_must_hold_and_each_is_told() -> None:
    conditions = (
        Step("sender", HOLDING["sender"]),
        Step("subject", {"operator": "is", "match": "words", "values": ["faktura"]}),
    )
    planned = only(decide(make_facts(), [make_workflow(conditions=conditions)]))
    assert not planned.fired
    assert "condition sender: domain is example.dk - holds" in planned.reasons
    assert planned.reasons[-1] == "condition subject: has the word or phrase faktura - does not hold"
    assert planned.intents == ()


def test_workflows_run_in_order_whatever_the_order_of_the_list() -> None:
    plan = decide(make_facts(), [make_workflow(1, order=20), make_workflow(2, order=10), make_workflow(3, order=20)])
    assert fired(plan) == ["Rule 2", "Rule 1", "Rule 3"]


def test_stop_ends_the_run_and_later_workflows_say_so() -> None:
    plan = decide(make_facts(), [make_workflow(1, stop=True), make_workflow(2)])
    assert fired(plan) == ["Rule 1"]
    assert plan.stopped_by == "Rule 1"
    assert plan.workflows[1].reasons == ("not looked at: Rule 1 ended the run",)


def test_stop_of_a_workflow_that_does_not_fire_ends_nothing() -> None:
    plan = decide(make_facts(), [make_workflow(1, stop=True, trigger="spam"), make_workflow(2)])
    assert fired(plan) == ["Rule 2"]
    assert plan.stopped_by == ""


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Step("launch_rocket"), "action launch_rocket: there is no such action"),
        (Step("create_ticket", {"customer": 5}), "action create_ticket: parameter customer is unknown"),
        (Step("create_ticket", {"customer_id": "5"}), "parameter customer_id must be a whole number"),
        (Step("create_ticket", {"customer_id": True}), "parameter customer_id must be a whole number"),
        (Step("create_ticket", {"priority": "hot"}), "parameter priority must be one of low, normal"),
        (Step("link_email_to_ticket"), "parameter ticket_number is missing"),
        (Step("set_priority", {"priority": ""}), "parameter priority is missing"),
        (Step("add_tags", {"tags": []}), "parameter tags is missing"),
        (Step("add_tags", {"tags": ["#"]}), "parameter tags is missing"),
        (Step("assign"), "name a user or a team"),
        (Step("ignore", ["x"]), "not an object"),  # type: ignore[arg-type]
    ],
)
def test_a_broken_step_is_told_plans_nothing_and_leaves_the_others_alone(step: Step, words: str) -> None:
    broken = make_workflow(1, steps=(Step("set_priority", {"priority": "high"}), step), stop=True)
    plan = decide(make_facts(), [broken, make_workflow(2)])
    assert words in plan.workflows[0].error
    assert plan.workflows[0].intents == ()
    assert plan.stopped_by == ""
    assert plan.workflows[1].fired


def test_an_unknown_condition_is_an_error_and_never_true() -> None:
    planned = only(decide(make_facts(), [make_workflow(conditions=(Step("moon_phase"),))]))
    assert not planned.fired
    assert planned.error == "condition moon_phase: there is no such condition"


def test_a_broken_workflow_that_listens_to_another_label_is_not_reported_for_this_mail() -> None:
    planned = only(decide(make_facts(), [make_workflow(trigger="spam", steps=(Step("launch_rocket"),))]))
    assert planned.error == ""


class Rude(Condition, Action):
    """Another app's plug-in, full of faults."""

    slug = "rude"
    label = "Rude"
    help = ""

    class ParamsForm(forms.Form):
        way = forms.CharField()

    def holds(self, facts: Facts, params: Mapping[str, Any]) -> tuple[bool, str]:
        if params["way"] == "raise":
            raise KeyError("nothing")
        return ("yes", "a truthy word") if params["way"] == "word" else None  # type: ignore[return-value]

    def plan(self, facts: Facts, params: Mapping[str, Any]) -> list[Intent]:
        if params["way"] == "raise":
            raise KeyError("nothing")
        return [object()] if params["way"] == "word" else None  # type: ignore[list-item,return-value]


@pytest.fixture
def rude(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(registry.conditions, "rude", Rude())
    monkeypatch.setitem(registry.actions, "rude", Rude())
    yield


@pytest.mark.usefixtures("rude")
@pytest.mark.parametrize("way", ["raise", "word", "none"])
def test_whatever_a_plug_in_raises_breaks_its_own_rule_only(way: str) -> None:
    step = Step("rude", {"way": way})
    plan = decide(
        make_facts(),
        [make_workflow(1, conditions=(step,)), make_workflow(2, steps=(step,)), make_workflow(3)],
    )
    assert [bool(planned.intents) for planned in plan.workflows] == [False, False, True]
    assert not plan.workflows[0].fired
    assert plan.workflows[1].error


_WRONG = st.one_of(st.none(), st.just(""), st.just([]), st.just({}), st.just([""]), st.integers(), st.just({"a": 1}))


@settings(deadline=None)
@given(
    slug=st.sampled_from(sorted(HOLDING)),
    operator=st.sampled_from(["is", "is_not"]),
    data=st.data(),
)
def test_a_half_filled_condition_is_an_error_and_never_true(slug: str, operator: str, data: st.DataObject) -> None:
    params = {**HOLDING[slug], "operator": operator}
    name = data.draw(st.sampled_from(sorted(params)))
    if data.draw(st.booleans()):
        del params[name]
    else:
        params[name] = data.draw(_WRONG)
    planned = only(decide(make_facts(), [make_workflow(conditions=(Step(slug, params),))]))
    assert not planned.fired
    assert slug in planned.error


_JSON: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        0,
        7,
        -1,
        0.5,
        "",
        "is",
        "is_not",
        "words",
        "high",
        "domain",
        [],
        [""],
        ["spam"],
        [7],
        [[]],
        {},
        {"a": 1},
    ]
)
_NAMES = sorted(
    {
        name
        for plugins in (registry.actions, registry.conditions)
        for p in plugins.values()
        for name in p.ParamsForm.base_fields
    }
)
_STEPS = st.builds(
    Step,
    st.sampled_from([*registry.actions, *registry.conditions, "unknown"]),
    st.dictionaries(st.sampled_from([*_NAMES, "other"]), _JSON, max_size=4) | _JSON,
)
_WORKFLOWS = st.lists(
    st.builds(
        make_workflow,
        st.integers(1, 50),
        trigger=st.sampled_from(["*", "support_request", "spam"]),
        threshold=st.floats(0, 1),
        order=st.integers(0, 3),
        stop=st.booleans(),
        conditions=st.lists(_STEPS, max_size=2),
        steps=st.lists(_STEPS, min_size=1, max_size=2),
    ),
    max_size=4,
    unique_by=lambda spec: spec.id,
)


@settings(deadline=None)
@given(workflows=_WORKFLOWS, data=st.data())
def test_deciding_never_raises_and_the_same_facts_give_the_same_plan(workflows: list[Any], data: st.DataObject) -> None:
    plan = decide(make_facts(), workflows)
    assert decide(make_facts(), data.draw(st.permutations(workflows))) == plan
    assert [planned.workflow_id for planned in plan.workflows] == [
        spec.id for spec in sorted(workflows, key=lambda spec: (spec.order, spec.id))
    ]
    for planned in plan.workflows:
        assert planned.reasons
        assert not (planned.error and planned.intents)
        assert planned.fired or not planned.intents
    assert all(isinstance(sentence, str) for sentence in plan.describe())
