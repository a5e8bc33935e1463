"""Scenarios: what files can have wrong, and where the fault is said to be."""

import pytest

from ecosystem.inputs.faults import InputError
from ecosystem.inputs.scenario import resolve


def write(folder, text, name="mine.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(folder, text):
    with pytest.raises(InputError) as caught:
        resolve(write(folder, text))
    return caught.value.faults


BAD = {
    'extends = "demand_cor"': ("extends", "demand_first"),
    'policies = "history"': ("policies", ""),
    'policies = ["histori"]': ("policies[0]", "history"),
    'instrumnt = "x"': ("instrumnt", "instrument"),
    'title = "x"': ("title", ""),
    'title.en = ""': ("title.en", ""),
    '[instrument]\nname = "hub_steering"': ("instrument", ""),
    '[[instrument]]\nspending = 3': ("instrument[0].name", ""),
    '[[instrument]]\nname = "hub_stering"': ("instrument[0].name", "hub_steering"),
    '[[instrument]]\nname = "hub_steering"\nrate = 0.1': ("instrument[0].rate", ""),
    '[[instrument]]\nname = "hub_steering"\nspending = "3"': ("instrument[0].spending", ""),
    '[[instrument]]\nname = "hub_steering"\nspending = true': ("instrument[0].spending", ""),
    '[[instrument]]\nname = "hub_steering"\nspending = -3': ("instrument[0].spending", ""),
    '[[instrument]]\nname = "hub_steering"\nspendng = 3': ("instrument[0].spendng", "spending"),
    '[[instrument]]\nname = "hub_steering"\nenvelope = 3': ("instrument[0].envelope", ""),
    '[[instrument]]\nname = "hub_steering"\neligible = "all"': ("instrument[0].eligible", ""),
    '[[instrument]]\nname = "hub_steering"\nobserved = true': ("instrument[0].observed", ""),
    '[[instrument]]\nname = "hub_steering"\nactive = 1': ("instrument[0].active", ""),
    '[[instrument]]\nname = "hub_steering"\nactive = false\nspending = 3': (
        "instrument[0].spending", "",
    ),
    '[[instrument]]\nname = "output_subsidy"\nenvelope = -3': ("instrument[0].envelope", ""),
    '[[instrument]]\nname = "output_subsidy"\nspending = 3': ("instrument[0].spending", ""),
    '[[instrument]]\nname = "output_subsidy"\nrate = 2': ("instrument[0].rate", ""),
    '[[instrument]]\nname = "output_subsidy"\nrate = nan': ("instrument[0].rate", ""),
    '[[instrument]]\nname = "output_subsidy"\nrate = inf': ("instrument[0].rate", ""),
    '[[instrument]]\nname = "occupancy_gate"\nrate = 1': ("instrument[0].rate", ""),
    '[[instrument]]\nname = "capital_subsidy"\neligible = "shels"': (
        "instrument[0].eligible", "shells",
    ),
    '[[instrument]]\nname = "hub_steering"\nstart = "2025Q2"': ("instrument[0].start", ""),
    '[[instrument]]\nname = "hub_steering"\nstart = 2026': ("instrument[0].start", ""),
    '[[instrument]]\nname = "hub_steering"\nend = "2036Q1"': ("instrument[0].end", ""),
    '[[instrument]]\nname = "hub_steering"\nstart = "2030Q1"\nend = "2029Q4"': (
        "instrument[0].end", "",
    ),
    '[[shock]]\nname = "ai_wintr"': ("shock[0].name", "ai_winter"),
    '[[shock]]\nname = "ai_winter"\namplitude = 3': ("shock[0].amplitude", ""),
    '[[shock]]\nname = "ai_winter"\nstart = "2027-Q1"': ("shock[0].start", ""),
    '[[shock]]\nname = "ai_winter"\nlength = 3': ("shock[0].length", ""),
    '[parameters]\npublic_discount_rte = 0.05': (
        "parameters.public_discount_rte", "public_discount_rate",
    ),
    '[parameters]\npublic_discount_rate = 7': ("parameters.public_discount_rate", ""),
    '[parameters]\npublic_discount_rate = "x"': ("parameters.public_discount_rate", ""),
    '[budget]\npresent_value = -1': ("budget.present_value", ""),
    '[budget]\npresent = 1': ("budget.present", "present_value"),
}  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_bad_input_names_place_and_nearest(tmp_path, text):
    path, close = BAD[text]
    fault = faults_of(tmp_path, text)[0]
    assert fault.place == f"{tmp_path / 'mine.toml'}: {path}"
    assert fault.nearest == close and fault.allowed


def test_all_faults_of_all_files_at_once(tmp_path):
    write(tmp_path, '[[shock]]\nname = "x"\n[budget]\npresent_value = "y"\n', "first.toml")
    found = faults_of(
        tmp_path,
        'extends = "first.toml"\nextra = 1\n[[instrument]]\nname = "output_subsidy"\n'
        'rate = 3\nenvelope = -1\nend = "2024Q1"\n',
    )
    assert sorted(fault.place.split(": ")[1] for fault in found) == [
        "budget.present_value", "extra", "instrument[0].end", "instrument[0].envelope",
        "instrument[0].rate", "shock[0].name",
    ]  # fmt: skip


def test_toml_syntax_gives_the_line(tmp_path):
    (fault,) = faults_of(tmp_path, 'title.en = "x"\nextends = = "history"\n')
    assert "line 2" in str(fault) and fault.allowed == "TOML syntax"


def test_not_utf8(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes('title.en = "x"\ntitle.zh = "甘肃"\n'.encode("gbk"))
    with pytest.raises(InputError, match="line 2.*UTF-8"):
        resolve(path)


@pytest.mark.parametrize("key", ['extends = "{}"', 'policies = ["{}"]'])
def test_a_package_that_extends_itself(tmp_path, key):
    (fault,) = faults_of(tmp_path, key.format("mine.toml"))
    assert "mine -> mine" in fault.allowed
    write(tmp_path, key.format("mine.toml"), "other.toml")
    (fault,) = faults_of(tmp_path, key.format("other.toml"))
    assert "mine -> other -> mine" in fault.allowed
