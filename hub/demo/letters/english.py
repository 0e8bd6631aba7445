"""English-speaking customers."""

from hub.demo.files import png
from hub.demo.letter import File, Letter

MARCUS = "Marcus Reed <marcus.reed@harbourlogistics.example>"
PRIYA = "Priya Nair <priya@harbourlogistics.example>"
ELENA = "Elena Rossi <elena@studio-rossi.example>"

_LOG = b"""09:14:02 connecting to vpn.nordlys-it.example
09:14:05 certificate accepted
09:14:35 error: no answer from gateway, giving up
"""

LETTERS = (
    Letter(
        "server-down",
        MARCUS,
        "URGENT: Server down!",
        "Production server is down #critical #server\n\nNobody in the warehouse can book shipments.\n\nMarcus Reed\n"
        "Harbour Logistics\n",
        5,
    ),
    Letter(
        "vpn",
        PRIYA,
        "VPN disconnects after thirty seconds",
        "Hello,\n\nsince the update on Monday my VPN connection drops after about thirty seconds. I work from home "
        "and need the file server. The log and a screenshot are attached. #vpn\n\nBest regards\nPriya\n",
        52,
        files=(
            File("vpn-client.log", "text/plain", _LOG),
            File("screenshot.png", "image/png", png(400, 240, (40, 70, 140))),
        ),
    ),
    Letter(
        "network-issue",
        ELENA,
        "Help with network issue",
        "Our internet is down. Can you help?\n",
        27,
    ),
    Letter(
        "password-reset",
        "Tom Becker <tom.becker@harbourlogistics.example>",
        "Password reset for the booking system",
        "Hi,\n\nI came back from parental leave and my password for the booking system has expired. Could you please "
        "reset it? My user name is tbecker.\n\nThanks\nTom\n",
        33,
    ),
    Letter(
        "third-time",
        MARCUS,
        "Third time this week: label printer jams",
        "Hello,\n\nthe label printer at gate 4 has jammed for the third time this week. It costs us half an hour each "
        "time. Please send somebody, or a new printer. #printer #hardware\n\nMarcus\n",
        16,
    ),
    Letter(
        "closing-early",
        ELENA,
        "Info: we close at noon on Friday",
        "Hello,\n\njust so you know: the studio is closed from Friday noon. Please do not plan any work on site for "
        "that afternoon.\n\nElena\n",
        60,
    ),
    Letter(
        "new-topic",
        PRIYA,
        "Shared calendar for the dock team",
        "Hi,\n\ncan we have a shared calendar for the dock team? Eight people, and everybody should be able to "
        "write.\n\nPriya\n",
        11,
    ),
)
