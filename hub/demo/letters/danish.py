"""Danish customers."""

from hub.demo.files import png
from hub.demo.letter import File, Letter

ANNA = "Anna Holm <anna.holm@fjordbageriet.example>"
JONAS = "Jonas Kjær <jonas@fjordbageriet.example>"
METTE = "Mette Ørsted <mette.oersted@skovgaard-vvs.example>"
SOEREN = "Søren Ågård <soeren@skovgaard-vvs.example>"

LETTERS = (
    Letter(
        "printer-butik",
        ANNA,
        "Printeren i butikken virker ikke",
        "Hej Nordlys\n\nPrinteren ved kassen skriver ikke længere kvitteringer ud. Den lyser rødt, og vi har prøvet "
        "at slukke og tænde. Kan I hjælpe os i dag? Der er kø i butikken. #printer\n\n"
        "Venlig hilsen\nAnna Holm\nFjordbageriet\n",
        71,
        cc=JONAS,
        files=(File("fejllampe.png", "image/png", png(320, 200, (190, 40, 40))),),
    ),
    Letter(
        "login-akut",
        METTE,
        "VIGTIGT: Jeg kan ikke logge ind",
        "Hej\n\nSiden i morges får jeg 'forkert adgangskode', når jeg logger ind på regnskabssystemet. Jeg skal "
        "indberette moms inden kl. 12.\n\nMvh\nMette\n",
        46,
    ),
    Letter(
        "licenser",
        SOEREN,
        "Spørgsmål om licenser",
        "Hej med jer\n\nVi ansætter to nye montører til foråret. Hvor mange licenser har vi tilbage, og hvad koster "
        "en ekstra?\n\nDet haster ikke.\n\nHilsen Søren\n",
        120,
    ),
    Letter(
        "ny-medarbejder",
        JONAS,
        "Ny medarbejder pr. 1. december",
        "Hej\n\nVil I oprette Fatima Rahimi, start den 1. december? Hun skal have mail, telefon og adgang til "
        "vagtplanen. Oplysningerne ligger i filen. #onboarding\n\nHilsen\nJonas\n",
        30,
        files=(
            File(
                "ny medarbejder.csv",
                "text/csv",
                b"navn;afdeling;telefon\r\nFatima Rahimi;Bageri;+45 00 00 00 00\r\n",
            ),
        ),
    ),
    Letter(
        "langsomt-net",
        METTE,
        "Nettet er langsomt om eftermiddagen",
        "Hej\n\nHver dag mellem 14 og 16 er nettet på kontoret meget langsomt. Tegninger på 20 MB tager flere "
        "minutter at hente. Om morgenen er der ingen problemer. #netværk\n\nMvh\nMette Ørsted\n",
        20,
    ),
    Letter(
        "backup-spoergsmaal",
        SOEREN,
        "Tager I backup af tegningerne?",
        "Hej\n\nVores forsikring spørger, om der tages backup af tegningsdrevet, og hvor længe den gemmes. Kan I "
        "skrive et par linjer, som jeg kan sende videre?\n\nHilsen Søren\n",
        9,
    ),
)
