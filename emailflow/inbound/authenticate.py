"""How far the From address can be believed (RFC 8601), by the word of our own mail server only.

Anyone can write an Authentication-Results header, so only the topmost one counts whose authserv-id is
configured for the mailbox; without a configured id nothing is ever "pass". Pure; called by the pipeline.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import authres

from emailflow.mail import ParsedMail, Verdict

_MAX_VALUE = 8_000
_METHOD = re.compile(r"^\s*(dmarc|dkim|spf)\s*(?:/\s*\d+\s*)?=\s*([a-z]+)", re.IGNORECASE)
_PROPERTY = re.compile(r"\b(header|smtp|policy)\.([a-z]+)\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Result:
    method: str
    result: str
    domains: tuple[str, ...]  # what was authenticated


def authenticate(mail: ParsedMail, authserv_ids: Sequence[str]) -> tuple[Verdict, str]:
    """The verdict and the reason in words. Never raises."""
    trusted = {identifier.strip().lower() for identifier in authserv_ids if identifier.strip()}
    if not trusted:
        return Verdict.NONE, "No mail server of ours is named, so no authentication result is believed."
    value = next((v for v in mail.header_values("Authentication-Results") if _authserv_id(v) in trusted), "")
    if not value:
        return Verdict.NONE, "Our mail server left no authentication result."
    if len(mail.senders) > 1 or sum(1 for _ in mail.header_values("From")) > 1:
        return Verdict.FAIL, "The mail names several senders, so no result says which one is real."
    domain = mail.sender.domain
    if not domain or "@" not in mail.sender.key:
        return Verdict.NONE, "The mail has no sender whose domain could be checked."
    if _is_ambiguous(value[:_MAX_VALUE]):
        return Verdict.NONE, "The result of our mail server can be read in two ways, so it is not believed."
    return _judge(_results(value[:_MAX_VALUE]), domain)


def _is_ambiguous(value: str) -> bool:
    """A quote inside a comment: programs disagree where the comment ends, and its text may be the sender's."""
    depth = 0
    for char in value:
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1 if depth else 0
        elif char == '"' and depth:
            return True
    return False


def _judge(results: list[_Result], domain: str) -> tuple[Verdict, str]:
    """DMARC decides where it was checked (RFC 7489); else an aligned DKIM or SPF result."""
    dmarc = [result for result in results if result.method == "dmarc"]
    for result in dmarc:
        if result.domains and not any(aligned(name, domain) for name in result.domains):
            # Our mail server read another sender out of this mail than we did: one of the two is a trick.
            return Verdict.FAIL, f"Our mail server checked {result.domains[0]}, not {domain}."
        if result.result == "pass":
            return Verdict.PASS, f"Our mail server says dmarc=pass for {domain}."
        if result.result == "fail":
            return Verdict.FAIL, f"Our mail server says dmarc=fail for {domain}."
    for method in ("dkim", "spf"):
        for result in results:
            if result.method != method or result.result != "pass":
                continue
            if any(aligned(name, domain) for name in result.domains):
                return Verdict.PASS, f"Our mail server says {method}=pass for {domain}."
    failed = {result.method for result in results if result.result in ("fail", "softfail", "permerror")}
    passed = {result.method for result in results if result.result == "pass"}
    if {"dkim", "spf"} <= failed and not passed & {"dkim", "spf"}:
        return Verdict.FAIL, "Our mail server says that both dkim and spf failed."
    return Verdict.NONE, f"Our mail server found nothing that speaks for {domain}."


def aligned(authenticated: str, domain: str) -> bool:
    """Relaxed alignment (RFC 7489 section 3.1): the same domain, or one is below the other."""
    name = authenticated.rpartition("@")[2].strip(" <>.").lower()
    domain = domain.strip(".").lower()
    if not name or "." not in name:
        return False
    return name == domain or domain.endswith(f".{name}") or name.endswith(f".{domain}")


def _authserv_id(value: str) -> str:
    head = re.sub(r"\([^()]*\)", " ", value[:1_000]).partition(";")[0].split()
    return head[0].strip('"').lower() if head else ""


def _results(value: str) -> list[_Result]:
    try:
        header = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {value}")
        found = [_from_authres(result) for result in header.results]
    except Exception:  # noqa: BLE001  raises many kinds on the form that Microsoft writes; read by hand then
        found = []
    return [result for result in found if result.result] or _by_hand(value)


def _from_authres(result: authres.AuthenticationResult) -> _Result:
    method = str(result.method).lower()
    names = [
        str(item.value)
        for item in result.properties
        if (str(item.type).lower(), str(item.name).lower()) in _IDENTITIES.get(method, ())
    ]
    return _Result(method, str(result.result or "").lower(), tuple(names))


# The properties that name what a method authenticated (RFC 8601 section 2.7).
_IDENTITIES = {
    "dmarc": (("header", "from"),),
    "dkim": (("header", "d"), ("header", "i")),
    "spf": (("smtp", "mailfrom"),),
}


def _by_hand(value: str) -> list[_Result]:
    """Microsoft writes ``dkim=pass (...) header.d=x.dk;dmarc=pass action=none header.from=x.dk``."""
    without_comments = _strip_comments(value)
    found = []
    for piece in without_comments.split(";"):
        match = _METHOD.match(piece)
        if match is None:
            continue
        method = match[1].lower()
        names = tuple(
            name for kind, key, name in _PROPERTY.findall(piece) if (kind.lower(), key.lower()) in _IDENTITIES[method]
        )
        found.append(_Result(method, match[2].lower(), names))
    return found


def _strip_comments(value: str) -> str:
    depth = 0
    kept: list[str] = []
    for char in value:
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1 if depth else 0
        elif not depth:
            kept.append(char)
    return "".join(kept)
