"""Two worker hosts, each with its own network and data folder, on one database and one object store."""

from pathlib import Path

import pytest

from tests.bench import hosts, namespaces

pytestmark = pytest.mark.slow


def test_two_hosts_file_every_mail_once(tmp_path: Path) -> None:
    if reason := namespaces.why_not():
        pytest.skip(reason)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        # PostgreSQL may run as another user.
        folder.chmod(0o755)
    (run,) = hosts.measure(tmp_path, [2], 300, seed=7, durable=False)
    assert run.wrong == []
    assert (run.mails, run.offered) == (300, 330)
    assert all(run.taken), "both hosts have filed mails"
