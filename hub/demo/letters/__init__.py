"""The mails of the demo: first what stands alone and what answers it, last what names a ticket's number."""

from hub.demo.letter import Letter
from hub.demo.letters.business import LETTERS as BUSINESS
from hub.demo.letters.danish import LETTERS as DANISH
from hub.demo.letters.english import LETTERS as ENGLISH
from hub.demo.letters.machines import LETTERS as MACHINES
from hub.demo.letters.odd import LETTERS as ODD
from hub.demo.letters.replies import LETTERS as REPLIES
from hub.demo.letters.replies import WITH_NUMBER

FIRST: tuple[Letter, ...] = (*DANISH, *ENGLISH, *BUSINESS, *MACHINES, *ODD, *REPLIES)

__all__ = ["FIRST", "WITH_NUMBER"]
