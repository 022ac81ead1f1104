"""The script that plants faults: every fault still finds its place, and a few are planted for real."""

import pytest
from planted_faults import FAULTS, Fault, caught, copied, main, plant


@pytest.fixture
def copy(tmp_path):
    return copied(tmp_path / "copy")


def test_every_fault_has_one_place_where_it_can_be_planted(copy):
    for fault in FAULTS:
        sound = plant(fault, copy)
        planted = (copy / fault.path).read_text(encoding="utf-8")
        assert planted != sound, fault.name
        (copy / fault.path).write_text(sound, encoding="utf-8")
        for test in fault.tests:
            assert not test.startswith(("tests/", "notebooks/")) or (copy / test).exists(), fault.name


def test_a_fault_is_caught_and_taken_away(copy):
    fault = next(fault for fault in FAULTS if fault.path == "environment.yml")
    sound = (copy / fault.path).read_text(encoding="utf-8")
    by, _ = caught(fault, copy)
    assert by.startswith("tests/test_environment.py::")
    assert (copy / fault.path).read_text(encoding="utf-8") == sound


def test_a_fault_that_nobody_notices_is_told(monkeypatch, capsys):
    harmless = Fault("a comment", "environment.yml", "^name:", "# harmless\nname:", ("tests/test_environment.py",))
    monkeypatch.setattr("planted_faults.FAULTS", (harmless,))
    assert main() == 1
    assert "| a comment | NOBODY |" in capsys.readouterr().out


def test_tests_that_are_red_anyway_prove_nothing(monkeypatch, capsys):
    nothing = ("tests/test_environment.py", "-k", "no_such_test")
    pointless = Fault("a comment", "environment.yml", "^name:", "# harmless\nname:", nothing)
    monkeypatch.setattr("planted_faults.FAULTS", (pointless,))
    assert main() == 1
    assert "NOT SHOWN" in capsys.readouterr().out
