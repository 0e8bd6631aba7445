"""What the settings promise: each one is explained, and the site is safe behind https."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import environment

PROJECT = Path(__file__).resolve().parents[2]
Installation = Callable[..., dict[str, str]]


def declared() -> set[str]:
    return set(re.findall(r"env\.\w+\(\s*[\"']([A-Z_]+)[\"']", (PROJECT / "hub/settings.py").read_text("utf-8")))


def explained() -> dict[str, str]:
    """Variable -> the line above it, of .env.example."""
    lines = (PROJECT / ".env.example").read_text("utf-8").splitlines()
    return {
        match[1]: lines[number - 1] for number, line in enumerate(lines) if (match := re.match(r"#([A-Z_]+)=", line))
    }


def test_each_setting_is_explained_in_the_example_file_and_nothing_else_is() -> None:
    assert set(explained()) == declared()
    assert all(re.match(r"# [A-Z0-9a-z].*\.$", text) for text in explained().values()), explained()


def test_each_setting_is_in_the_readme() -> None:
    text = (PROJECT / "README.md").read_text("utf-8")
    assert {name for name in declared() if f"`{name}`" not in text} == set()


def test_the_tests_hide_each_setting_of_the_developer() -> None:
    own = {"DATA_DIR", "DATABASE_URL"}
    assert declared() - own <= set(environment._FOREIGN)


def settings_of(installation: dict[str, str], *names: str) -> dict[str, object]:
    code = f"import json; from hub import settings as s; print(json.dumps({{n: getattr(s, n) for n in {names!r}}}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=installation, capture_output=True, text=True, check=True
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"TRUSTED_PROXIES": "proxy"}, "TRUSTED_PROXIES"),
        ({"CSRF_TRUSTED_ORIGINS": "help.firma.example"}, "CSRF_TRUSTED_ORIGINS"),
        ({"DEFAULT_FROM_EMAIL": "support"}, "DEFAULT_FROM_EMAIL"),
        ({"TICKET_AUTO_ASSIGN": "true"}, "TICKET_DEFAULT_ASSIGNEE_ID"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(
    new_installation: Installation, values: dict[str, str], named: str
) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=PROJECT,
        env=new_installation(**values),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"{named}: ") and done.stderr.count("\n") == 1


def test_background_tasks_are_silent_while_nothing_happens(new_installation: Installation) -> None:
    loggers = settings_of(new_installation(), "LOGGING")["LOGGING"]
    assert loggers["loggers"]["django-q"]["level"] == "WARNING"  # type: ignore[index]


def test_https_marks_cookies_and_redirects(new_installation: Installation) -> None:
    safe = settings_of(
        new_installation(SITE_URL="https://help.firma.example"),
        *("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "ALLOWED_HOSTS"),
        "CSRF_TRUSTED_ORIGINS",
    )
    assert safe["SESSION_COOKIE_SECURE"] and safe["CSRF_COOKIE_SECURE"] and safe["SECURE_SSL_REDIRECT"]
    assert "help.firma.example" in str(safe["ALLOWED_HOSTS"])
    assert safe["CSRF_TRUSTED_ORIGINS"] == ["https://help.firma.example"]


def test_a_deployment_behind_https_passes_djangos_checks(new_installation: Installation) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=PROJECT,
        env=new_installation(SITE_URL="https://help.firma.example"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("url", ["", "postgresql://hub:p@db.example/hub"])
def test_a_commit_survives_a_power_cut(new_installation: Installation, url: str) -> None:
    found = settings_of({**new_installation(), "DATABASE_URL": url}, "DATABASES")
    text = json.dumps(found)
    assert ("synchronous=FULL" in text) == (not url)
