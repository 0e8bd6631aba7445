"""The admin pages of mail and rules; one module a topic. Django imports this package."""

from emailflow.admin import executions, labels, mailboxes, messages, outbox, templates, workflows

__all__ = ["executions", "labels", "mailboxes", "messages", "outbox", "templates", "workflows"]
