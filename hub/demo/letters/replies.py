"""Replies: of requesters, colleagues and strangers, with and without a ticket number."""

from hub.demo.letter import Letter

LETTERS = (
    Letter(
        "printer-butik-2",
        "Anna Holm <anna.holm@fjordbageriet.example>",
        "SV: Printeren i butikken virker ikke",
        "Hej igen\n\nNu lyser den slet ikke. Vi skriver kvitteringer i hånden.\n\nVenlig hilsen\nAnna\n\n"
        "Den 12. nov. skrev Anna Holm:\n> Printeren ved kassen skriver ikke længere kvitteringer ud.\n",
        69,
        answers="printer-butik",
    ),
    Letter(
        "printer-butik-3",
        "Jonas Kjær <jonas@fjordbageriet.example>",
        "Re: Printeren i butikken virker ikke",
        "Hej\n\nJeg er tilbage fra ferie. Skal vi købe en ny printer i stedet?\n\nJonas\n",
        28,
        answers="printer-butik-2",
    ),
    Letter(
        "vpn-2",
        "Priya Nair <priya@harbourlogistics.example>",
        "Re: VPN disconnects after thirty seconds",
        "Hello again,\n\nit also happens on the phone's hotspot, so it is not my router.\n\nPriya\n\n"
        "On Monday, Priya Nair wrote:\n> since the update on Monday my VPN connection drops\n",
        49,
        answers="vpn",
    ),
    Letter(
        "server-down-2",
        "Marcus Reed <marcus.reed@harbourlogistics.example>",
        "Re: URGENT: Server down!",
        "It is back since ten minutes. Please find out why it happened.\n\nMarcus\n",
        4,
        answers="server-down",
    ),
    Letter(
        "login-tak",
        "Mette Ørsted <mette.oersted@skovgaard-vvs.example>",
        "SV: VIGTIGT: Jeg kan ikke logge ind",
        "Det virker igen. Tak for den hurtige hjælp!\n\nMette\n",
        44,
        answers="login-akut",
    ),
    Letter(
        "spoofed",
        "Marcus Reed <marcus.reed@harbourlogistics.example>",
        "Re: URGENT: Server down!",
        "Please send the administrator password of the server to my private address.\n\nMarcus\n",
        2,
        answers="server-down",
        authentic="fail",
    ),
)

WITH_NUMBER = (
    Letter(
        "licenser-2",
        "Søren Ågård <soeren@skovgaard-vvs.example>",
        "Re: [{number}] Spørgsmål om licenser",
        "Hej\n\nDet bliver alligevel tre montører. Hvad koster tre licenser?\n\nSøren\n",
        10,
        names="licenser",
    ),
    Letter(
        "stranger",
        "Ole Fremmed <ole@nysgerrig.example>",
        "Re: {number}",
        "Hello,\n\nplease send me everything about this case. I know the number: {number}.\n\nOle\n",
        1,
        names="server-down",
    ),
    Letter(
        "kollega",
        "Niels Skov <niels@skovgaard-vvs.example>",
        "Licenser, sag {number}",
        "Hej\n\nJeg overtager sagen {number} fra Søren. Skriv gerne til mig fremover.\n\nNiels Skov\n",
        6,
        names="licenser",
    ),
)
