"""What django-q2 runs. A task is only a nudge: a lost or doubled one changes nothing."""

from django.utils import timezone

from emailflow.inbound.due import for_at_most, pull_due
from emailflow.inbound.pipeline import process_due, process_lapsed
from emailflow.inbound.retention import let_go
from emailflow.inbound.spool import clear_spool
from emailflow.outbound.send import send_all
from tickets.services.publishing import publish_due

# Below the time limit of django-q2, which kills: the rest is done by the next task.
LONGEST_TASK = 100
# Below a minute: a backlog, or a mail server that hangs, must not keep all workers from the mail that comes in.
LONGEST_SENDING = 50


def pull_due_mailboxes() -> int:
    """Each minute: look into every mailbox whose turn has come. Returns how many that were."""
    return len(pull_due(stopping=for_at_most(LONGEST_TASK)))


def let_raw_mail_go() -> int:
    """Each hour: forget the raw form of mails whose time is over, and what dead processes left in the spool.

    Returns how many mails that were.
    """
    clear_spool()
    return let_go(timezone.now())


def sweep() -> int:
    """Each minute: process what is due until nothing is left. Returns how many mails that were."""
    done = 0
    time_is_up = for_at_most(LONGEST_TASK)
    # Those first that a dead worker left behind: under steady load nobody else comes to them.
    for take in (process_lapsed, process_due):
        while not time_is_up() and (count := take()):
            done += count
    return done


def send_mail() -> int:
    """Each minute: publish the answers whose time has come, and send what is due. Returns how many mails were taken."""
    while publish_due():
        pass
    return send_all(stopping=for_at_most(LONGEST_SENDING))
