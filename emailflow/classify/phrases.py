"""The words that the keyword classifier looks for, Danish and English, with their weights. Data only.

All patterns meet text in lower case and are linear: no nested repetition.
"""
# ruff: noqa: E501  a pattern is easier to read unbroken

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrase:
    weight: float
    words: str  # a pattern without groups, for lower-case text; it begins and ends with whole words
    subject_only: bool = False


def _phrase(weight: float, pattern: str, *, subject_only: bool = False) -> Phrase:
    return Phrase(weight, rf"(?:{pattern})(?!\w)", subject_only)


SUPPORT = (
    _phrase(
        0.7,
        r"(?:can|could|would|will) (?:you|someone|anyone|anybody) (?:please )?(?:help|assist|look into|fix)",
    ),
    _phrase(
        0.7,
        r"(?:kan|vil|kunne|mon) (?:i|du|nogen|de) (?:venligst )?(?:\w+ )?(?:hjælpe|kigge på|se på|tjekke|fikse)",
    ),
    _phrase(
        0.7,
        r"(?:need|require|looking for|request(?:ing)?)(?: some| your| urgent| technical)* (?:help|assistance|support)",
    ),
    _phrase(
        0.7,
        r"(?:brug for|mangler|søger|ønsker)(?: jeres| din| lidt| noget| akut)* (?:hjælp|support|assistance)",
    ),
    _phrase(
        0.65,
        r"(?:is|are|was|has been|have been|it's|still) (?:down|offline|not working|broken|unavailable|failing|crashing)",
    ),
    _phrase(
        0.65,
        r"(?:er|var|har været) (?:gået |stadig )?(?:nede|ned|offline|i stykker|gået i stykker|brudt ned)",
    ),
    _phrase(
        0.7,
        r"(?:does|do|did|will|would)(?:n['’]?t| not) (?:work|start|load|open|connect|print|respond|turn on|boot)",
    ),
    _phrase(0.7, r"(?:virker|fungerer|starter|svarer|loader|åbner|printer|reagerer)(?: \w+)? ikke"),
    _phrase(
        0.7,
        r"(?:can['’]?t|cannot|can not|could not|couldn['’]?t|unable to|not able to) (?:\w+ )?"
        r"(?:log ?in|log on|sign in|access|connect|open|print|send|receive|find|see|get|use|install|download|reach)",
    ),
    _phrase(
        0.7,
        r"(?:kan|kunne) (?:jeg |vi |han |hun |de |man )?(?:heller |stadig |pludselig |desværre )?ikke (?:længere |få |komme )?"
        r"(?:logge|få adgang|forbinde|åbne|printe|sende|modtage|finde|se|bruge|installere|hente|komme|ind|på)",
    ),
    _phrase(0.45, r"help (?:with|me|us|needed|desk|please)|please help|hjælp (?:til|med|mig|os|ønskes|søges)"),
    _phrase(0.4, r"help|hjælp", subject_only=True),
    _phrase(
        0.35,
        r"(?:an? |the |this |have |having |has |following )(?:\w+ )?(?:issue|problem|error|bug|outage)s?",
    ),
    _phrase(
        0.35,
        r"(?:et |en |har |får |med |følgende |ukendt )(?:\w+ )?(?:problem|fejl|nedbrud|fejlmeddelelse|driftsforstyrrelse)(?:er)?",
    ),
    _phrase(0.35, r"(?:issue|problem|error|outage|trouble|fejl|nedbrud|driftsstop|supportsag)", subject_only=True),
    _phrase(0.7, r"(?:reset|forgot(?:ten)?|change|recover) (?:my |the |a |our )?(?:password|passcode|pin)"),
    _phrase(
        0.7,
        r"(?:nulstil(?:le)?|glemt|skifte|ændre) (?:mit |min |vores |en |et )?(?:adgangskode|kodeord|password|kode)",
    ),
    _phrase(0.35, r"how (?:do|can|should) (?:i|we)|how to"),
    _phrase(0.35, r"hvordan (?:gør|kan|får|skal|opretter|ændrer) (?:jeg|vi|man)"),
    _phrase(0.4, r"error (?:message|code)|fejl(?:meddelelse|kode|besked)|stack ?trace|blue ?screen"),
    _phrase(0.3, r"(?:as soon as possible|asap|urgent(?:ly)?|hurtigst muligt|haster|akut)"),
    _phrase(0.3, r"(?:crash(?:es|ed)?|freez(?:es|ing)|hangs|går ned|fryser|hænger)"),
)

INVOICE = (
    _phrase(
        0.6,
        r"(?:invoice|faktura|kreditnota|credit note|betalingspåmindelse|rykker(?:skrivelse)?|regning)(?:en|er)?"
        r"(?: (?:nr\.?|no\.?|number|nummer|#))? ?#?:?[ -]?\w*\d",
        subject_only=True,
    ),
    _phrase(
        0.5,
        r"(?:invoice|faktura(?:en|er)?|kreditnota(?:en)?|credit note|betalingspåmindelse|regning(?:en)?)",
        subject_only=True,
    ),
    _phrase(
        0.45,
        r"(?:attached|find|see|enclosed)(?: \w+){0,4} invoice|vedhæftet(?: \w+){0,4} faktura|hermed faktura",
    ),
    _phrase(0.45, r"(?:invoice|faktura)[ -]?(?:number|no\.?|nr\.?|nummer|date|dato|amount|beløb)"),
    _phrase(
        0.35,
        r"(?:amount due|total due|due date|payment terms|forfaldsdato|betalingsbetingelser|beløb i alt|at betale)",
    ),
    _phrase(
        0.3,
        r"(?:reg\.? ?nr|kontonummer|konto ?nr|iban|ean[ -]?(?:nr|nummer)|fi-?kort|bankoverførsel|bank transfer)",
    ),
    _phrase(0.25, r"(?:moms|vat|ekskl\. moms|inkl\. moms)"),
)

ORDER = (
    _phrase(
        0.65,
        r"(?:order confirmation|ordrebekræftelse|purchase order|indkøbsordre|order received|bestillingsbekræftelse"
        r"|tak for din (?:ordre|bestilling)|thank you for your (?:order|purchase))",
    ),
    _phrase(
        0.5,
        r"(?:order|ordre|bestilling|po)(?:re)?(?: (?:nr\.?|no\.?|number|nummer))? ?[#:]? ?#?\d{3,}",
        subject_only=True,
    ),
    _phrase(
        0.5,
        r"(?:would like|want|wish|like) to (?:place an )?order|(?:vil|ønsker|vi vil)(?: gerne)? (?:bestille|købe|afgive)",
    ),
    _phrase(
        0.4,
        r"(?:has (?:been )?shipped|is on its way|er afsendt|er på vej|track (?:your )?(?:order|package|parcel)|track ?(?:and|&) ?trace)",
    ),
    _phrase(0.35, r"(?:order|ordre)(?: ?(?:number|no\.?|nr\.?|nummer))"),
    _phrase(0.3, r"(?:order|ordre|bestilling)", subject_only=True),
    _phrase(0.25, r"(?:delivery date|leveringsdato|leveringsadresse|shipping address|antal stk|quantity)"),
)

NEWSLETTER = (
    _phrase(0.6, r"(?:newsletter|nyhedsbrev(?:et)?)", subject_only=True),
    _phrase(0.4, r"(?:newsletter|nyhedsbrev(?:et)?)"),
    _phrase(0.45, r"(?:unsubscribe|opt[ -]out|afmeld(?:e|ing)?|frameld(?:e|ing)?)"),
    _phrase(
        0.4,
        r"(?:view (?:this|it)? ?(?:e-?mail |mail )?(?:in|online)(?: your)? ?(?:browser)?|(?:se|vis|læs) (?:denne )?(?:e-?mail|mail|nyhedsbrev(?:et)?) (?:i|online))",
    ),
    _phrase(
        0.35,
        r"(?:you(?:['’]re| are) receiving this|du modtager denne|you received this (?:e-?mail|message) because)",
    ),
    _phrase(
        0.3,
        r"(?:% (?:off|rabat)|black friday|tilbud(?:savis)?|kampagne|webinar|special offer)",
        subject_only=True,
    ),
)

SPAM = (
    _phrase(
        0.7,
        r"(?:viagra|cialis|penis|enlargement pills|herbal viagra|hgh|human growth hormone|xxx|hardcore porn|porn site)",
    ),
    _phrase(
        0.6,
        r"(?:million (?:us |united states )?(?:dollars|usd|euro)|us\$ ?\d+(?:[.,]\d+)* ?million|next of kin|beneficiary"
        r"|(?:late|former) (?:president|husband|minister|general))",
    ),
    _phrase(
        0.6,
        r"(?:strictly confidential|utmost (?:confidence|secrecy)|foreign partner|transfer (?:of )?(?:this|the) (?:money|fund|sum)s?"
        r"|your bank account (?:details|number)|deposited? (?:the|this) (?:sum|money|fund))",
    ),
    _phrase(
        0.6,
        r"(?:make (?:money|\$+)|earn \$?\d[\d,.]*|extra income|financial freedom|be your own boss|get rich)",
    ),
    # Half as much: it is also where people sit when the VPN fails.
    _phrase(0.3, r"work (?:from|at) home"),
    _phrase(
        0.55,
        r"(?:100% (?:free|guaranteed|legal)|risk[ -]free|money[ -]back guarantee|no obligation|satisfaction guaranteed)",
    ),
    _phrase(
        0.55,
        r"(?:act now|order now|limited time|don['’]?t delay|call now|once in a lifetime|this is not spam|not be considered spam)",
    ),
    _phrase(
        0.6,
        r"(?:to be removed|remove (?:me|yourself|your (?:name|e-?mail|address))|removal (?:instructions|request)|remove in the subject"
        r"|removed from (?:our|this|future) (?:mailing|list|mailings))",
    ),
    _phrase(
        0.6,
        r"(?:lowest (?:mortgage )?rates?|refinance|mortgage (?:rates?|quote|loan)|debt consolidation|consolidate your|eliminate (?:your )?debt"
        r"|credit (?:card )?debt|bad credit|credit repair|life insurance (?:quote|rates))",
    ),
    _phrase(
        0.6,
        r"(?:bulk e-?mail|e-?mail (?:addresses on|marketing|lists?|advertising)|million e-?mail|direct e-?mail|mass e-?mail)",
    ),
    _phrase(
        0.55,
        r"(?:multi[ -]level|mlm|pyramid|chain letter|network marketing|downline|send \$?\d+ (?:cash|to))",
    ),
    _phrase(
        0.55,
        r"(?:casino|lottery|sweepstakes|you(?:['’]ve| have) (?:won|been (?:selected|chosen))|claim your (?:prize|reward)|winning (?:number|ticket))",
    ),
    _phrase(0.55, r"(?:lose (?:weight|\d+ (?:pounds|lbs))|weight loss|burn fat|anti[ -]aging|diet pill|wrinkles?)"),
    _phrase(
        0.55,
        r"(?:free (?:trial|sample|report|gift|vacation|membership|access|quote|information|tape|video)|absolutely free|totally free)",
    ),
    _phrase(
        0.55,
        r"(?:adults? only|over 18|must be (?:18|21)|teens?|horny|naked|nude|sexy? (?:girls|women|singles))",
    ),
    _phrase(0.48, r"(?:dear (?:friend|sir/madam|sir or madam|homeowner|beloved)|greetings of the day|attn:? ?sir)"),
    _phrase(
        0.48,
        r"(?:penny stock|hot stock|stock alert|investment opportunity|strong buy|otc ?bb|forward[ -]looking statements)",
    ),
    _phrase(0.48, r"(?:toll[ -]free|1-8(?:00|66|77|88)-\d{3}-\d{4}|credit cards? accepted|visa|mastercard)"),
    _phrase(
        0.4,
        r"(?:click (?:here|below|on the link)|visit (?:our|the) (?:web ?)?site|http://\d+\.\d+\.\d+\.\d+)",
    ),
    _phrase(
        0.4,
        r"(?:university diploma|degree program|no (?:required )?tests|cable (?:tv )?descrambler|inkjet|toner cartridges?)",
    ),
    _phrase(
        0.7,
        r"(?:tillykke,? du har vundet|du er blevet udvalgt|lån op til|hurtige penge|bitcoin[ -]?(?:gevinst|robot)|gratis iphone)",
    ),
    _phrase(
        0.48,
        r"(?:bekræft (?:dine|din) (?:kortoplysninger|konto)|din konto (?:er|bliver) (?:spærret|lukket)|verify your account)",
    ),
)
