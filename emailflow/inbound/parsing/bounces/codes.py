"""Status codes (RFC 3463, RFC 5321) and what they mean: hard or soft. Used by ``bounces`` only."""

import re

# Not a part of an IP address or a version with four numbers.
_ENHANCED = re.compile(r"(?<![\w.])([45])\.(\d{1,3})\.(\d{1,3})(?![\w]|\.\d)")
_STATUS_FIELD = re.compile(r"(?<![\w.])([245])\.(\d{1,3})\.(\d{1,3})(?![\w]|\.\d)")
_REPLY = re.compile(
    r"(?:^|[;:>(<\"'\]=#]|\b(?:said|error|code|response|returned|reply|status|smtp|host|with|by|was|is|server)\b)"
    r"[ \t(\"'#:<]{0,5}(?:smtp[ ;-]{1,3})?([45][0-5]\d)(?=[ \t_#;:,)<.\"'-]|$)",
    re.IGNORECASE | re.MULTILINE,
)
# The user or the host is not there.
_GONE = re.compile(
    r"user (?:is )?unknown|unknown (?:user|recipient|address|local|mailbox|account)|no such (?:user|recipient|mailbox"
    r"|address|person|account|domain|host|local|name|email)|user (?:\S{1,80} )?(?:not found|does not exist"
    r"|doesn't exist)"
    r"|(?:mailbox|recipient|account|address|alias|mail box|e-?mail)\S{0,2} (?:\S{1,80} )?(?:is |was )?"
    r"(?:not found|does not exist|doesn't exist|do(?:es)? not have|doesn't have|unknown|invalid|not listed|not known)"
    r"|(?:doesn't|does not|do not) (?:exist|have an? \S{1,40} (?:account|mailbox))|no mailbox here"
    r"|no mailbox by that name"
    r"|invalid (?:recipient|mailbox|user|final delivery)|not a (?:valid|known) (?:user|mailbox|recipient|address)"
    r"|not listed in|host (?:is )?unknown|unknown host|host (?:\S{1,100} |or domain name )?not found"
    r"|domain (?:name )?not found"
    r"|unroute?able(?! sender)|no route to domain|illegal alias|address unknown|isn't a known|recipient not recognized"
    r"|name or service not known|address (?:could not be|couldn't be|wasn't) found|addressunknown|bad destination"
    r"|non-?existent|no valid recipient|account not found|can't find|domain does not exist|unknown or illegal"
    r"|is not (?:a )?(?:known|valid|found)|nonexisting|ukendt (?:bruger|modtager)|findes ikke",
    re.IGNORECASE,
)
# It is there, but does not take this mail, or not now.
_NOT_NOW = re.compile(
    r"quota|mailbox (?:is )?full|(?:is|was) full|over ?(?:the )?limit|exceed|too (?:large|big|many)"
    r"|insufficient|disk full"
    r"|spam|junk|blacklist|black list|block(?:ed|list)|\brbl\b|dnsbl|polic(?:y|ies)|reputation"
    r"|virus|infected|relay(?:ing)?\b|authenticat|dmarc|dkim|\bspf\b|reverse dns|\bptr\b|rejected for|message content"
    r"|suspended|disabled|deactivated|greylist|try again|temporar|timed? ?out"
    r"|not authori[sz]ed|not permitted|has moved|too long|expired|loop|hops|restricted|prohibited"
    r"|syntax|discontinued|frozen|could not connect|couldn't create|of sender|sender address|sender domain",
    re.IGNORECASE,
)
# Refused after the text was seen: by a filter, whatever its words are.
_AFTER_DATA = re.compile(r"end of DATA|DATA command|>>> DATA|final DATA")
_HARD_CODES = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.4.4")
# About a sender, a content, a policy.
_SOFT_CODES = re.compile(r"5\.(?:2\.[2-9]|[67]\.\d+|1\.[78])")
# Of a mailbox or system that is there: believed, unless the server refused the very name.
_DOUBTED_CODES = re.compile(r"5\.[23]\.\d+")
_NO_HOST = re.compile(r"host|domain|route|resolv", re.IGNORECASE)
_AT_NAME = re.compile(r"\bRCPT\b")


def status_of_field(value: str) -> str:
    match = _STATUS_FIELD.search(value[:200])
    return ".".join(match.groups()) if match else ""


def status_of(field_value: str, words: str) -> str:
    """The code of the Status field; where it is missing or says nothing, that of the diagnostic."""
    stated = status_of_field(field_value)
    if stated and not stated.endswith(".0.0"):
        return stated
    told = enhanced(words)
    if told and (not stated or told[0] == stated[0] or stated[0] != "2"):
        return told
    return stated or basic(words)


def class_of(action: str) -> str:
    """What the action says of itself, for a notice without any code."""
    return {"failed": "5.0.0", "delayed": "4.0.0"}.get(action, "2.0.0")


def enhanced(words: str) -> str:
    """The first enhanced code that says something, else the first; or ''."""
    first = ""
    for number, match in enumerate(_ENHANCED.finditer(words[:8_000])):
        code = ".".join(match.groups())
        if not code.endswith(".0.0"):
            return code
        first = first or code
        if number > 50:
            break
    return first


def basic(words: str) -> str:
    """The class of the SMTP reply code as X.0.0, or ''."""
    match = _REPLY.search(words[:8_000])
    return f"{match[1][0]}.0.0" if match else ""


def is_hard(action: str, status: str, words: str, around: str = "") -> bool:
    """Whether nobody will ever be reached at that address. ``around``: what the notice says of the dialogue."""
    if action != "failed" or status.startswith("4.") or _SOFT_CODES.fullmatch(status):
        return False
    around = around[:8_000]
    words = " ".join(words[:8_000].split())
    gone, not_now = _GONE.search(words), _NOT_NOW.search(words)
    if not_now is not None and (gone is None or not_now.start() < gone.start()):
        return False
    if status in _HARD_CODES:
        return True
    if gone is None or not_now is not None or _AFTER_DATA.search(around):
        return False
    # A user whom a server denies in its answer to the text may be there: a filter says the same.
    quoted = bool(basic(words)) or _DOUBTED_CODES.fullmatch(status) is not None
    return not quoted or _AT_NAME.search(around) is not None or _NO_HOST.search(gone[0]) is not None
