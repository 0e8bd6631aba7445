"""Why a mail has no text, in one sentence: staff should not have to guess. Used by ``parse`` only."""

from collections.abc import Sequence

from emailflow.mail import MailAttachment


def why_empty(files: Sequence[MailAttachment], *, has_html: bool, told: bool) -> str:
    """``told``: something else says already why there is nothing to read."""
    if told:
        return ""
    pictures = [file for file in files if file.mime_type.startswith("image/")]
    if files and len(pictures) == len(files):
        return f"The mail has no text: {'only an image' if len(files) == 1 else 'only images'}."
    if files:
        return f"The mail has no text: {'only an attachment' if len(files) == 1 else 'only attachments'}."
    if has_html:
        return "The mail has no text: its HTML holds no words."
    return "The mail has no text."
