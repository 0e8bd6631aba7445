"""Where Hub's time goes: milliseconds a mail of each step, in groups of fifty."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.bench.letters import letters
from tests.bench.ways import GROUP, mailbox

MAILS = 500


def stages(seed: int) -> dict[str, float]:
    from emailflow.inbound import apply, pipeline
    from emailflow.inbound.claim import claim_group
    from emailflow.inbound.house import our_house
    from emailflow.inbound.receive import Incoming, receive_many
    from emailflow.inbound.work import Work
    from emailflow.workflow.store import load_workflows

    mails = list(letters(MAILS, seed + 20))
    spent: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        begun = time.perf_counter()
        result = work()
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - begun
        return result

    into = mailbox()
    for start in range(0, len(mails), GROUP):
        part = [Incoming(raw, into) for raw in mails[start : start + GROUP]]
        timed("store", partial(receive_many, part))
        claim = timed("claim", partial(claim_group, GROUP))
        house = our_house({into.pk})
        works = [Work(message) for message in claim.messages]
        for step in pipeline.STEPS:
            timed(step.__name__, partial(step, works, house))
        timed("apply", partial(apply.apply_works, works, house=house, workflows=load_workflows, token=claim.token))
    return {name: round(1000 * seconds / len(mails), 2) for name, seconds in spent.items()}
