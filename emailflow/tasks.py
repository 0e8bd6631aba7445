"""What django-q2 runs. A task is only a nudge: a lost or doubled one changes nothing."""

from emailflow.inbound.due import pull_due
from emailflow.inbound.pipeline import process_due


def pull_due_mailboxes() -> int:
    """Each minute: look into every mailbox whose turn has come. Returns how many that were."""
    return len(pull_due())


def sweep() -> int:
    """Each minute: process what is due until nothing is left. Returns how many mails that were."""
    done = 0
    while count := process_due():
        done += count
    return done
