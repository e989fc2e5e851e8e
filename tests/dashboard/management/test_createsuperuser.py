from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pods import environment, run_manage

ARGUMENTS = ("createsuperuser", "--noinput", "--username", "operator", "--email", "operator@shop.example")
GOOD = "correct horse battery staple"


def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'db.sqlite3'}"


def test_createsuperuser_before_migrate_is_one_line_that_says_what_to_do(tmp_path: Path):
    finished = run_manage(*ARGUMENTS, env=environment(DATABASE_URL=database(tmp_path), DJANGO_SUPERUSER_PASSWORD=GOOD))
    assert finished.returncode == 1
    (line,) = finished.stderr.strip().splitlines()
    assert "manage.py migrate" in line


@pytest.mark.parametrize("password", ["a", "123456789012", "operator1234"[:8]])
def test_createsuperuser_holds_what_a_script_gives_to_the_rules(tmp_path: Path, password: str):
    env = environment(DATABASE_URL=database(tmp_path), DJANGO_SUPERUSER_PASSWORD=password)
    assert run_manage("migrate", env=env).returncode == 0
    finished = run_manage(*ARGUMENTS, env=env)
    assert finished.returncode == 1
    assert "DJANGO_SUPERUSER_PASSWORD cannot be used" in finished.stderr
    assert run_manage(*ARGUMENTS, env={**env, "DJANGO_SUPERUSER_PASSWORD": GOOD}).returncode == 0
