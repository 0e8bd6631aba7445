"""What tickets tell the world, sent by the services inside their transaction.

Receivers get ``unit`` (the unit of work) and put their rows into it; they open no socket.
"""

from django.dispatch import Signal

ticket_opened = Signal()  # ticket, comment, actor, unit
comment_added = Signal()  # ticket, comment, actor, unit
ticket_changed = Signal()  # ticket, old, new, actor, unit
tickets_merged = Signal()  # source, target, actor, unit
