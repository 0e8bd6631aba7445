"""Hub under faults: ``python -m tests.bench.chaos``. Mails come in while its parts are killed, then all are counted.

``mails`` makes the mails, ``delivery`` hands them in as a mail server and a program do, ``servers`` and ``proxy``
are the surroundings of Hub, ``hosts`` its processes, ``faults`` what happens to them, ``counting`` the verdict.
``freezing`` is a trial of its own: a worker that is killed while it waits.
"""
