"""A report put into words for staff: who was not reached, why, and with which code. Pure; anybody may call it."""

from collections.abc import Mapping

from emailflow.mail import Bounce, Report, ReportedRecipient

MAX_NAMED = 3
_REASONS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "1.1": "The address does not exist",
        "1.2": "The domain of the address does not exist",
        "1.3": "The address is not written correctly",
        "1.4": "The address fits more than one mailbox",
        "1.6": "The mailbox has moved and left no new address",
        "1.7": "Our sender address was refused",
        "1.8": "Our sender address was refused",
        "1.10": "The domain takes no mail",
        "1": "Something is wrong with the address",
        "2.1": "The mailbox is switched off",
        "2.2": "The mailbox is full",
        "2.3": "The mail is too big for the mailbox",
        "2": "The mailbox takes no mail",
        "3.4": "The mail is too big",
        "3": "The receiving mail system takes no mail",
        "4.1": "The receiving mail server did not answer",
        "4.4": "No mail server was found for the address",
        "4.6": "The mail went round in a circle",
        "4.7": "The receiving mail server could not be reached in time",
        "4": "The receiving mail server could not be reached",
        "5": "The mail servers did not understand each other",
        "6": "The content of the mail was refused",
        "7": "It was refused by policy",
        "gone": "The address does not exist",
        "": "The mail server gives no reason that could be read",
    },
    "da": {
        "1.1": "Adressen findes ikke",
        "1.2": "Adressens domæne findes ikke",
        "1.3": "Adressen er ikke skrevet rigtigt",
        "1.4": "Adressen passer til flere postkasser",
        "1.6": "Postkassen er flyttet uden en ny adresse",
        "1.7": "Vores afsenderadresse blev afvist",
        "1.8": "Vores afsenderadresse blev afvist",
        "1.10": "Domænet modtager ikke mail",
        "1": "Der er noget galt med adressen",
        "2.1": "Postkassen er slået fra",
        "2.2": "Postkassen er fuld",
        "2.3": "Mailen er for stor til postkassen",
        "2": "Postkassen modtager ikke mail",
        "3.4": "Mailen er for stor",
        "3": "Modtagerens mailsystem tager ikke imod mail",
        "4.1": "Modtagerens mailserver svarede ikke",
        "4.4": "Der blev ikke fundet en mailserver til adressen",
        "4.6": "Mailen gik i ring",
        "4.7": "Modtagerens mailserver kunne ikke nås i tide",
        "4": "Modtagerens mailserver kunne ikke nås",
        "5": "Mailserverne forstod ikke hinanden",
        "6": "Mailens indhold blev afvist",
        "7": "Den blev afvist efter modtagerens regler",
        "gone": "Adressen findes ikke",
        "": "Mailserveren giver ingen grund, der kunne læses",
    },
}
_SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "failed": "Mail to {who} was not delivered: {why}{code}.",
        "given_up": "Mail to {who} was not delivered: {why}, and the mail server has given up{code}.",
        "delayed": "Mail to {who} is delayed: {why}; it will be tried again by the mail server{code}.",
        "delivered": "Mail to {who} was delivered.",
        "relayed": "Mail to {who} was passed on to a mail server that sends no further reports.",
        "expanded": "Mail to {who} was delivered and passed on to several addresses.",
        "suspected": "This looks like a delivery report, but it does not say who was not reached.",
        "more": "It names {count} more.",
        "nobody": "a recipient that it does not name",
        "known_as": "{address} (sent to {original})",
        "abuse": "{who} reported our mail as spam.",
        "opt-out": "{who} asks for no more mail.",
        "not-spam": "{who} reported that our mail is no spam.",
        "auth-failure": "A receiving mail server could not confirm that mail to {who} came from us.",
        "complaint": "A receiving mail server sent a complaint about mail to {who}{code}.",
    },
    "da": {
        "failed": "Mail til {who} blev ikke leveret: {why}{code}.",
        "given_up": "Mail til {who} blev ikke leveret: {why}, og mailserveren har givet op{code}.",
        "delayed": "Mail til {who} er forsinket: {why}; mailserveren prøver igen{code}.",
        "delivered": "Mail til {who} blev leveret.",
        "relayed": "Mail til {who} blev sendt videre til en mailserver, der ikke melder tilbage.",
        "expanded": "Mail til {who} blev leveret og sendt videre til flere adresser.",
        "suspected": "Det ligner en leveringsrapport, men den siger ikke, hvem der ikke blev nået.",
        "more": "Den nævner {count} mere.",
        "nobody": "en modtager, som den ikke nævner",
        "known_as": "{address} (sendt til {original})",
        "abuse": "{who} har meldt vores mail som spam.",
        "opt-out": "{who} vil ikke have flere mails.",
        "not-spam": "{who} har meldt, at vores mail ikke er spam.",
        "auth-failure": "En modtagende mailserver kunne ikke bekræfte, at mail til {who} kom fra os.",
        "complaint": "En modtagende mailserver sendte en klage over mail til {who}{code}.",
    },
}
_FEEDBACK = ("abuse", "opt-out", "not-spam", "auth-failure")


def in_words(bounce: Bounce, language: str = "en") -> str:
    """One sentence a recipient, in English or Danish (``da``); those who were not reached come first."""
    language = language if language in _SENTENCES else "en"
    say = _SENTENCES[language]
    if bounce.report is Report.COMPLAINT:
        return _complaint(bounce, say)
    if bounce.suspected and not bounce.reports:
        return say["suspected"]
    order = ("failed", "delayed")
    told = sorted(bounce.reports, key=lambda one: order.index(one.action) if one.action in order else len(order))
    sentences = [_about(one, language) for one in told[:MAX_NAMED]]
    if len(told) > MAX_NAMED:
        sentences.append(say["more"].format(count=len(told) - MAX_NAMED))
    return " ".join(sentences)


def reason(status: str, *, hard: bool = False, language: str = "en") -> str:
    """What a status code means, by its detail, else its subject (RFC 3463 section 3), without a full stop."""
    reasons = _REASONS[language if language in _REASONS else "en"]
    _, _, rest = status.partition(".")
    if rest in reasons:
        return reasons[rest]
    subject = rest.partition(".")[0]
    if hard:
        return reasons["gone"]
    return reasons.get(subject, reasons[""])


def _about(one: ReportedRecipient, language: str) -> str:
    say = _SENTENCES[language]
    action = one.action
    if action == "failed" and one.status.startswith("4."):
        action = "given_up"
    why = reason(one.status, hard=one.hard, language=language)
    return say.get(action, say["failed"]).format(
        who=_who(one, say), why=why, code=f" ({one.status})" if one.status else ""
    )


def _who(one: ReportedRecipient, say: Mapping[str, str]) -> str:
    address = one.address or one.final or one.original
    if not address:
        return say["nobody"]
    if "@" in one.original and one.original.lower() != address.lower():
        return say["known_as"].format(address=address, original=one.original)
    return address


def _complaint(bounce: Bounce, say: Mapping[str, str]) -> str:
    kind = bounce.feedback.feedback_type if bounce.feedback else ""
    names = [_who(one, say) for one in bounce.reports[:MAX_NAMED]]
    sentence = say[kind if kind in _FEEDBACK else "complaint"]
    text = sentence.format(who=", ".join(names) or say["nobody"], code=f" ({kind})" if kind else "")
    return text[:1].upper() + text[1:] if not names else text
