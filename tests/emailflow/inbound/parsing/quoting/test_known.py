"""What stands in the thread already is a quote, whatever it looks like; what nobody has seen is the customer's."""

from emailflow.inbound.parsing.quoting.trim import trim

SENT = (
    "Hej Ole\n\nTak for din henvendelse. Printeren på 2. sal er bestilt, og den kommer på torsdag.\n"
    "Skriv endelig, hvis du har brug for en låneprinter indtil da.\n\nMed venlig hilsen\nAnders, Support"
)


def test_a_quote_without_any_mark_is_found() -> None:
    text = f"Ja tak til låneprinteren.\n\n{SENT}"
    assert trim(text, is_reply=True).unsigned == text.removesuffix("\n\nMed venlig hilsen\nAnders, Support")
    trimmed = trim(text, is_reply=True, known=[SENT])
    assert trimmed.unsigned == "Ja tak til låneprinteren."
    assert trimmed.quote is not None
    assert (trimmed.quote.reason, text[trimmed.quote.start :]) == ("known text", SENT)


def test_a_quote_with_other_line_breaks_and_small_changes_is_known() -> None:
    wrapped = SENT.replace(" er bestilt, og den", "\ner bestilt, og den").replace("Tak for", "TAK for")
    assert trim(f"Ja tak.\n\n{wrapped}", is_reply=True, known=["noget andet", SENT]).unsigned == "Ja tak."


def test_an_attribution_that_a_person_could_have_written_counts_above_known_text() -> None:
    text = f"Ja tak.\n\nDen 2. marts 2026 kl. 10.11 skrev Anders:\n\n{SENT}"
    assert trim(text, is_reply=True, known=[SENT]).unsigned.startswith("Ja tak.")
    assert "låneprinter" not in trim(text, is_reply=True, known=[SENT]).unsigned


def test_text_below_a_block_of_headers_that_we_never_sent_stays() -> None:
    head = "Fra: Support <s@x.example>\nSendt: 2. marts 2026 10:11\nTil: Ole\nEmne: Svar\n\n"
    text = f"Hej\n\n{head}Nej, printeren er aldrig kommet, og nu venter vi på tredje uge."
    assert "tredje uge" not in trim(text, is_reply=True).unsigned
    assert trim(text, is_reply=True, known=[SENT]).unsigned == text


def test_own_text_below_and_between_known_text_stays() -> None:
    head = "Fra: Support <s@x.example>\nSendt: 2. marts 2026 10:11\nTil: Ole\nEmne: Svar\n\n"
    below = trim(f"Hej\n\n{head}{SENT}\n\nDen er her stadig ikke!", is_reply=True, known=[SENT])
    assert below.unsigned == "Hej\n\nDen er her stadig ikke!"
    between = SENT.replace("torsdag.\n", "torsdag.\nDet passer ikke, jeg er ikke hjemme.\n")
    text = f"Hej\n\n{head}{between}"
    assert "jeg er ikke hjemme" in trim(text, is_reply=True, known=[SENT]).unsigned


def test_a_word_or_two_in_common_is_no_quote() -> None:
    text = "Hej\n\nPrinteren på 2. sal er i stykker.\n\nMed venlig hilsen\nOle"
    assert trim(text, is_reply=True, known=[SENT]).unsigned.startswith("Hej\n\nPrinteren på 2. sal er i stykker.")
