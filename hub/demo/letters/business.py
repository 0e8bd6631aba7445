"""Invoices, orders and what else reaches a support mailbox in a company."""

from hub.demo.files import pdf
from hub.demo.letter import File, Letter

LETTERS = (
    Letter(
        "faktura-20417",
        "Kontorgros A/S <faktura@kontorgros.example>",
        "Faktura 20417",
        "Hermed fremsendes faktura 20417 på kr. 1.240,00 inkl. moms.\nForfaldsdato: 14 dage netto. "
        "Betales til konto 0000 0000000000.\n\nMed venlig hilsen\nKontorgros A/S\n",
        98,
        files=(File("Faktura_20417.pdf", "application/pdf", pdf("Faktura 20417")),),
    ),
    Letter(
        "invoice-reminder",
        "Northwind Hosting <billing@northwind-hosting.example>",
        "Reminder: invoice NH-5581 is overdue",
        "Dear customer,\n\nour invoice NH-5581 of EUR 89.00 was due last week. Please transfer the amount due within "
        "eight days. A copy of the invoice is attached.\n\nNorthwind Hosting, Accounts\n",
        40,
        files=(File("Invoice NH-5581.pdf", "application/pdf", pdf("Invoice NH-5581")),),
    ),
    Letter(
        "bestilling-baerbare",
        "Jonas Kjær <jonas@fjordbageriet.example>",
        "Bestilling: tre bærbare computere",
        "Hej\n\nVi vil gerne bestille tre bærbare computere magen til den sidste. Send venligst en "
        "ordrebekræftelse med leveringstid.\n\nHilsen\nJonas Kjær\n",
        25,
    ),
    Letter(
        "order-monitors",
        "Priya Nair <priya@harbourlogistics.example>",
        "Purchase order 88213: two monitors",
        "Hello,\n\nplease find our purchase order 88213 for two 27 inch monitors. Delivery to gate 2.\n\nPriya Nair\n",
        18,
        files=(File("PO-88213.pdf", "application/pdf", pdf("Purchase order 88213")),),
    ),
    Letter(
        "aarsrapport",
        "Mette Ørsted <mette.oersted@skovgaard-vvs.example>",
        "Årsrapporten kan ikke åbnes",
        "Hej\n\nJeg kan ikke åbne den vedhæftede fil på min computer, kun på telefonen. Kan I se, hvad der er galt?\n\n"
        "Mvh\nMette\n",
        14,
        files=(File("årsrapport æøå 2025.pdf", "application/pdf", pdf("Aarsrapport 2025")),),
    ),
)
