"""The words by which mail programs introduce a quote, per language. Data only.

Danish, Norwegian, Swedish, German, English, French, Dutch and Spanish in full; of Italian, Portuguese, Polish,
Finnish and Russian what their programs write into quotes that come along.
"""

VERBS = (
    *("wrote", "writes", "skrev", "skreiv", "skriver", "schrieb", "schreibt", "schreef", "a écrit", "écrit"),
    *("escribió", "escribio", "ha scritto", "escreveu", "napisał", "napisał(a)", "napisała", "kirjoitti"),
    *("написал", "написала", "пишет"),
)
# A quote by a person who tells it himself: "Den 2. marts skrev jeg til jer".
PRONOUNS = (
    *("jeg", "vi", "du", "han", "hun", "de", "jag", "i", "we", "you", "he", "she", "they", "ich", "wir", "er"),
    *("je", "j'ai", "nous", "vous", "ik", "wij", "yo", "nosotros"),
)
# How an attribution begins, besides a weekday or a digit.
STARTERS = (
    *("on", "den", "d.", "le", "am", "op", "el", "em", "il", "in data", "w dniu", "dnia", "på", "mail from"),
    *("quoting", "citerar", "citerer"),
)
WEEKDAYS = (
    *("man", "tir", "ons", "tor", "fre", "lør", "søn", "mån", "tis", "lör", "sön"),
    *("mo", "di", "mi", "do", "fr", "sa", "so", "mon", "tue", "wed", "thu", "fri", "sat", "sun"),
    *("lun", "mar", "mer", "jeu", "ven", "sam", "dim", "ma", "wo", "vr", "za", "zo"),
    *("mié", "mie", "jue", "vie", "sáb", "sab", "dom", "gio", "ter", "qua", "qui", "sex", "seg"),
    *("pon", "wto", "śro", "czw", "pią", "nie", "su", "ke", "to", "pe", "la", "пн", "вт", "ср", "чт", "пт", "сб", "вс"),
)
MONTHS = (
    *("jan", "feb", "fév", "fev", "mar", "mär", "mrt", "maa", "apr", "avr", "abr", "maj", "mai", "may", "mei"),
    *("jun", "jui", "jul", "aug", "aoû", "ago", "sep", "set", "okt", "oct", "out", "nov", "dec", "dez", "déc", "des"),
    *("dic", "ene", "gen", "gru", "lut", "sty", "kwi", "cze", "lip", "sie", "wrz", "paź", "lis"),
)

# What stands before the colon in the block of headers above a quote. "sent" is strong: people who fill in
# a form of their own write "from", "to" and "date", but hardly "sent".
LABELS: dict[str, str] = {
    **dict.fromkeys(("from", "fra", "frå", "från", "von", "van", "de", "da", "od", "от", "lähettäjä"), "from"),
    **dict.fromkeys(
        (
            *("sent", "sendt", "skickat", "skickades", "gesendet", "verzonden", "envoyé", "envoyé le", "enviado"),
            *("enviado el", "enviada em", "enviado em", "inviato", "wysłano", "message du", "отправлено", "sendte"),
        ),
        "sent",
    ),
    **dict.fromkeys(("date", "dato", "datum", "fecha", "data", "дата"), "date"),
    **dict.fromkeys(("to", "til", "till", "an", "aan", "à", "a", "para", "do", "кому", "kopi til"), "to"),
    **dict.fromkeys(
        ("subject", "emne", "ämne", "betreff", "onderwerp", "objet", "sujet", "asunto", "assunto", "oggetto", "temat"),
        "subject",
    ),
    **dict.fromkeys(("тема", "vedr", "vedrørende"), "subject"),
    **dict.fromkeys(
        ("cc", "kopi", "kopia", "kopie", "copie à", "copia", "dw", "копия", "bcc", "reply-to", "svar til", "kópia"),
        "cc",
    ),
}

# Between two runs of dashes, as programs write it.
ORIGINALS = (
    *("original message", "original email", "original mail", "original appointment", "reply message"),
    *("oprindelig meddelelse", "oprindelig besked", "oprindelig mail", "oprindelig aftale"),
    *("opprinnelig melding", "opprinnelig e-post", "opphavleg melding"),
    *("ursprungligt meddelande", "originalmeddelande", "originalmeddelelse", "originalt meddelande"),
    *("ursprüngliche nachricht", "originalnachricht", "ursprünglicher termin", "original-nachricht"),
    *("message d'origine", "message d’origine", "message original", "message initial"),
    *("oorspronkelijk bericht", "origineel bericht", "mensaje original", "mensagem original"),
    *("messaggio originale", "wiadomość oryginalna", "oryginalna wiadomość", "исходное сообщение"),
)
FORWARDED = (
    *(
        "forwarded message",
        "begin forwarded message",
        "begin forwarded text",
        "begin forwarded mail",
        "forwarded by",
        "forwarded mail",
        "forwarded email",
    ),
    *("videresendt meddelelse", "videresendt besked", "videresendt mail", "start på videresendt besked"),
    *("start på videresendt meddelelse", "videresendt melding", "videresendt e-post", "begynnelse på videresendt"),
    *("vidarebefordrat meddelande", "vidarebefordrat brev", "vidarebefordrat mejl", "början på vidarebefordrat"),
    *("weitergeleitete nachricht", "anfang der weitergeleiteten", "weitergeleitete e-mail"),
    *("message transféré", "début du message transféré", "début du message réexpédié", "message réexpédié"),
    *("doorgestuurd bericht", "begin doorgestuurd bericht", "mensaje reenviado", "inicio del mensaje reenviado"),
    *("messaggio inoltrato", "inizio messaggio inoltrato", "mensagem encaminhada", "wiadomość przekazana"),
)
# Said above a quote: the answers stand in or under it.
POINTERS = (
    *("nedenfor", "nedenunder", "herunder", "nedanför", "nedan", "inline", "in-line", "svar i teksten", "i teksten"),
    *("svarer i din", "svar i din", "med rødt", "med rød", "i rødt", "med blåt", "med fed", "under spørgsmål"),
    *("se under", "svarer under", "in texten", "i texten", "med rött", "i rött", "below", "in red", "in blue"),
    *("in the text", "between the lines", "mellem linjerne", "interspersed", "siehe unten", "unten", "im text"),
    *("in rot", "ci-dessous", "ci-après", "dans le texte", "en rouge", "hieronder", "in de tekst", "in het rood"),
    *("más abajo", "abajo", "a continuación", "en el texto", "en rojo", "in blauw", "in blå", "med blått"),
)
REPLY_MARKS = ("re", "sv", "svar", "aw", "antw", "antwort", "réf", "rép", "rif", "odp", "res", "ynt", "vá", "r")
FORWARD_MARKS = (
    *("fw", "fwd", "vs", "vb", "wg", "tr", "doorst", "rv", "enc", "pd", "i", "videresendt", "vidarebefordrat"),
    *("videresend", "weitergeleitet", "inoltra", "reenviado", "transféré", "vl"),
)

CLOSINGS = (
    # Danish and Norwegian
    r"(?:med )?(?:de )?(?:bedste |venlige? |vennlige? |mange |kærlige? |varme |beste )?hils(?:en|ner|ninger|inger)",
    r"med venleg helsing|god (?:dag|weekend|aften)|m\.?v\.?h\.?|vh|v\.h\.|dbh|kh|bh|b\.h\.",
    # Swedish
    r"(?:med )?(?:vänliga?|bästa|varma|hjärtliga|många) hälsning(?:ar|en)?|hälsning(?:ar|en)?",
    # English
    r"(?:with )?(?:(?:my|our) )?(?:best|kind|kindest|warm|warmest|many|friendly)(?: kind)? (?:regards|wishes)",
    r"(?:best )?regards|best|br|rgds|(?:yours )?(?:sincerely|faithfully|truly)(?: yours)?|cheers|respectfully",
    # German
    r"(?:mit )?(?:den )?(?:freundliche|beste|viele|liebe|herzliche|schöne)[nm]? gr(?:ü|ue)(?:ß|ss)en?",
    r"gr(?:ü|ue)(?:ß|ss)e|mfg|m\.f\.g\.|lg|vg|hochachtungsvoll",
    # French
    r"(?:bien )?cordialement|(?:sincères |meilleures )?salutations(?: distinguées)?|bien à (?:vous|toi)|amicalement",
    # Dutch
    r"(?:met )?(?:vriendelijke|hartelijke) groet(?:en)?|groet(?:en|jes)?|m\.?v\.?g\.?|hoogachtend",
    # Spanish
    r"(?:un )?(?:cordial |atento )?saludos?(?: cordiales| cordial)?|atentamente|cordialmente",
    # Polish
    r"pozdrawiam|z poważaniem|z powazaniem|pozdrowienia",
)
SENT_FROM = (
    r"(?:sent|sendt|gesendet|skickat|skickades|verzonden|verstuurd|enviado|envoyé|inviato|wysłane|wysłano)"
    r" (?:from|fra|frå|von|från|vanaf|van|met|mit|med|desde|de|depuis|à partir d[eu’']|da|via|with|z)"
    r" ?(?:my|min|mit|meinem|mijn|mi|mon|mio|meu|mojego|the|an?|ma)?\b"
)
GET_APP = (
    r"(?:get|hent|hämta|hol(?:en)? sie sich|télécharge[rz]|obtenez|download|obtener|få|skaf)"
    r" (?:outlook|the .{1,20} app|bluemail|spark|gmail|yahoo)\b"
)
