"""Scenarios: what files can have wrong, and what is said about it."""

import pytest

from ecosystem.inputs.catalogue import instruments, parameters, shocks
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.scenario import package_names, resolve

PACKAGES = f"a TOML file or one of {', '.join(package_names())}"
KEYS = "one of title, extends, policies, instrument, shock, parameters, budget, hooks, rules"
EDIT = (
    "one of name, active, rate, spending, envelope, eligible, place, users, compute, start, end, "
    "ramp_up, ramp_down"
)
PLACES = 'names of prefectures, a tier or "hub", in quotes or as a list'
VOUCHER = '[[instrument]]\nname = "compute_voucher"\n'
SHOCKS = (
    "one of demand_surge, ai_winter, accelerator_export_control, power_crunch, efficiency_jump, "
    "hub_outage, fiscal_squeeze, rival_price_war, inference_shift, talent_poaching"
)
MONEY = "a number of at least 0 (million yuan a year)"
PROGRAMME = "spending, since hub_steering is a programme"
TRANSFER = "rate and envelope, since output_subsidy is a transfer"
QUARTERS = (
    "a quarter from 2025Q3 to 2035Q4, for packages differ from then on and the past is on record"
)
RATE = "a number from 0.03 to 0.08 (1/year)"
INSTRUMENTS = f"one of {len(instruments())} listed names"
PARAMETERS = f"one of {len(parameters())} listed names"
SHARE = "a number from 0 to 0.5"
TABLE = "a table of names and values"
TABLES = "tables, each headed [[instrument]]"
ITEM = "a package or a TOML file, in quotes"
HUB = '[[instrument]]\nname = "hub_steering"\n'
OUTPUT = '[[instrument]]\nname = "output_subsidy"\n'
NAMES = ", ".join(shocks())
WINTER = '[[shock]]\nname = "ai_winter"\n'
TOML = "TOML syntax, with text in quotes"


def write(folder, text, name="mine.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(folder, text):
    with pytest.raises(InputError) as caught:
        resolve(write(folder, text))
    return caught.value.faults


BAD = [
    ('extends = "demand_cor"', "extends: 'demand_cor'", PACKAGES, "demand_first"),
    (
        'extends = "demand_cor.toml"',
        "extends: 'demand_cor.toml'",
        "a TOML file that exists", "demand_first",
    ),
    ("extends = 1.10", "extends: 1.1", ITEM),
    ('extends = ["history"]', "extends: ['history']", ITEM),
    ('policies = "history"', "policies: 'history'", "a list of packages and TOML files"),
    ('policies = ["histori"]', "policies[0]: 'histori'", PACKAGES, "history"),
    ("policies = [3]", "policies[0]: 3", ITEM),
    ('instrumnt = "x"', "instrumnt: 'instrumnt'", KEYS, "instrument"),
    ("name = 1.10", "name: 'name'", KEYS),
    ('title = "x"', "title: 'x'", TABLE),
    ('title.en = ""', "title.en: ''", "a text, in quotes"),
    ("title.en = 1.10", "title.en: 1.1", "a text, in quotes"),
    ('title.de = "x"', "title.de: 'de'", "one of en, zh", "en"),
    (
        "title.zh = 007",
        "'Expected newline or end of document after a statement (at line 1, column 13)'",
        TOML,
    ),
    ("title.en = NA", "'Invalid value (at line 1, column 12)'", TOML),
    ('extends = = "history"', "'Invalid value (at line 1, column 11)'", TOML),
    ('instrument = "hub_steering"', "instrument: 'hub_steering'", TABLES),
    ('[instrument]\nname = "hub_steering"', "instrument: {'name': 'hub_steering'}", TABLES),
    ("[[instrument]]\nspending = 3", "instrument[0].name: None", "the name of an instrument"),
    (
        '[[instrument]]\nname = "hub_stering"',
        "instrument[0].name: 'hub_stering'",
        INSTRUMENTS, "hub_steering",
    ),
    ("[[instrument]]\nname = 3", "instrument[0].name: 3", INSTRUMENTS),
    (HUB + "rate = 0.1", "instrument[0].rate: 0.1", PROGRAMME),
    (HUB + 'spending = "3"', "instrument[0].spending: '3'", MONEY),
    (HUB + "spending = true", "instrument[0].spending: True", MONEY),
    (HUB + "spending = -3", "instrument[0].spending: -3", MONEY),
    (HUB + "spendng = 3", "instrument[0].spendng: 'spendng'", EDIT, "spending"),
    (HUB + "envelope = 3", "instrument[0].envelope: 3", PROGRAMME),
    (
        HUB + 'eligible = "all"',
        "instrument[0].eligible: 'all'",
        "nothing: hub_steering has no groups of claimants",
    ),
    (HUB + "observed = true", "instrument[0].observed: 'observed'", EDIT),
    (HUB + "active = 1", "instrument[0].active: 1", "true or false"),
    (
        HUB + "active = false\nspending = 3",
        "instrument[0].spending: 3",
        "nothing beside active = false",
    ),
    (OUTPUT + "envelope = -3", "instrument[0].envelope: -3", MONEY),
    (OUTPUT + "spending = 3", "instrument[0].spending: 3", TRANSFER),
    (OUTPUT + "rate = 2", "instrument[0].rate: 2", SHARE),
    (OUTPUT + "rate = nan", "instrument[0].rate: nan", SHARE),
    (OUTPUT + "rate = inf", "instrument[0].rate: inf", SHARE),
    (
        '[[instrument]]\nname = "occupancy_gate"\nrate = 1',
        "instrument[0].rate: 1",
        "active, since occupancy_gate is a rule",
    ),
    (
        '[[instrument]]\nname = "capital_subsidy"\neligible = "shels"',
        "instrument[0].eligible: 'shels'",
        "one of all, shells", "shells",
    ),
    (HUB + "place = 3", "instrument[0].place: 3", PLACES),
    (HUB + "place = []", "instrument[0].place: []", PLACES),
    (HUB + 'place = ["hub", 3]', "instrument[0].place[1]: 3", PLACES),
    (HUB + 'place = ["hub", "hub"]', "instrument[0].place[1]: 'hub'", "each place once"),
    (
        HUB + 'users = "hub"',
        "instrument[0].users: 'hub'",
        "place, since hub_steering has no place for users apart",
    ),
    (
        VOUCHER + 'place = "hub"',
        "instrument[0].place: 'hub'",
        "users and compute, since compute_voucher has a place for each",
    ),
    (
        '[[instrument]]\nname = "unified_dispatch"\nplace = "hub"',
        "instrument[0].place: 'hub'",
        "nothing, since unified_dispatch acts on the province as a whole",
    ),
    (
        VOUCHER + 'active = false\nusers = "hub"',
        "instrument[0].users: 'hub'",
        "nothing beside active = false",
    ),
    (HUB + "ramp_up = -1", "instrument[0].ramp_up: -1", "a whole number of at least 0"),
    (HUB + "ramp_up = 1.5", "instrument[0].ramp_up: 1.5", "a whole number of at least 0"),
    (
        HUB + 'start = "2026Q1"\nend = "2026Q4"\nramp_up = 5\nramp_down = 4',
        "instrument[0].ramp_up: 5",
        "at most 4, the quarters from start to end",
    ),
    (
        HUB + 'start = "2026Q1"\nend = "2026Q4"\nramp_down = 5\nramp_up = 4',
        "instrument[0].ramp_down: 5",
        "at most 4, the quarters from start to end",
    ),
    (
        HUB + "ramp_down = 4",
        "instrument[0]: 'hub_steering'",
        "an end beside ramp_down, since the last quarters before it fade",
    ),
    (
        '[[instrument]]\nname = "occupancy_gate"\nramp_up = 4',
        "instrument[0].ramp_up: 4",
        "nothing: occupancy_gate is a rule, on or off",
    ),
    (HUB + 'start = "2025Q2"', "instrument[0].start: '2025Q2'", QUARTERS),
    (HUB + 'start = "2024Q1"', "instrument[0].start: '2024Q1'", QUARTERS),
    (HUB + "start = 2026", "instrument[0].start: 2026", QUARTERS),
    (HUB + 'end = "2036Q1"', "instrument[0].end: '2036Q1'", QUARTERS),
    (HUB + 'start = "2030Q1"\nend = "2029Q4"', "instrument[0].end: '2029Q4'", "2030Q1 or later"),
    ("shock = 3", "shock: 3", "tables, each headed [[shock]]"),
    ('[[shock]]\nname = "ai_wintr"', "shock[0].name: 'ai_wintr'", SHOCKS, "ai_winter"),
    ("[[shock]]\namplitude = 0.1", "shock[0].name: None", f"the name of a shock: {NAMES}"),
    (WINTER + "amplitude = 3", "shock[0].amplitude: 3", "a number from 0 to 0.9"),
    (WINTER + 'amplitude = "3"', "shock[0].amplitude: '3'", "a number from 0 to 0.9"),
    (WINTER + 'start = "2027-Q1"', "shock[0].start: '2027-Q1'", "a quarter from 2020Q1 to 2035Q4"),
    (WINTER + "length = 3", "shock[0].length: 'length'", "one of name, amplitude, start"),
    (
        "[parameters]\npublic_discount_rte = 0.05",
        "parameters.public_discount_rte: 'public_discount_rte'",
        PARAMETERS, "public_discount_rate",
    ),
    ("[parameters]\npublic_discount_rate = 7", "parameters.public_discount_rate: 7", RATE),
    (
        '[parameters]\npublic_discount_rate = "0.05"',
        "parameters.public_discount_rate: '0.05'",
        RATE,
    ),
    ("[parameters]\npublic_discount_rate = true", "parameters.public_discount_rate: True", RATE),
    (
        "[parameters]\npublic_discount_rate = 2025-01-01",
        "parameters.public_discount_rate: datetime.date(2025, 1, 1)",
        RATE,
    ),
    ("parameters = 3", "parameters: 3", TABLE),
    ("hooks = 3", "hooks: 3", TABLE),
    ("budget = 3", "budget: 3", TABLE),
    (
        "[budget]\npresent_value = -1",
        "budget.present_value: -1",
        "a number of at least 0 (million yuan)",
    ),
    ("[budget]\npresent = 1", "budget.present: 'present'", "one of present_value", "present_value"),
]  # fmt: skip
"""What a file says; place and value of its one fault, what is allowed, the nearest valid name."""


@pytest.mark.parametrize("case", BAD, ids=lambda case: case[0])
def test_one_fault_in_one_line(tmp_path, case):
    text, place, allowed, *close = case
    hint = "".join(f"; nearest valid name: {name}" for name in close)
    (fault,) = faults_of(tmp_path, text)
    line = f"{place} is not valid; allowed: {allowed}{hint}"
    assert str(fault).replace(f"{tmp_path / 'mine.toml'}: ", "") == line


def test_all_faults_of_all_files_at_once(tmp_path):
    write(tmp_path, '[[shock]]\nname = "x"\n[budget]\npresent_value = "y"\n', "first.toml")
    found = faults_of(
        tmp_path,
        'extends = "first.toml"\nextra = 1\n[[instrument]]\nname = "output_subsidy"\n'
        'rate = 3\nenvelope = -1\nend = "2024Q1"\n[parameters]\nhype = 7\nhyp = 1\n',
    )
    assert sorted(fault.place.split(": ")[1] for fault in found) == [
        "budget.present_value", "extra", "instrument[0].end", "instrument[0].envelope",
        "instrument[0].rate", "parameters.hyp", "parameters.hype", "shock[0].name",
    ]  # fmt: skip


@pytest.mark.parametrize("key", ['extends = "{}"', 'policies = ["{}"]'])
def test_a_package_that_extends_itself(tmp_path, key):
    (fault,) = faults_of(tmp_path, key.format("mine.toml"))
    assert "mine -> mine" in fault.allowed
    write(tmp_path, key.format("mine.toml"), "other.toml")
    (fault,) = faults_of(tmp_path, key.format("other.toml"))
    assert "mine -> other -> mine" in fault.allowed


@pytest.mark.parametrize(
    ("content", "place", "value"),
    [
        ('title.en = "x"\ntitle.zh = "甘肃"\n'.encode("gbk"), ": line 2", "b'\\xb8'"),
        ('title.en = "x"\n'.encode("utf-16"), "", "'UTF-16 or binary'"),
        ('title.en = "x"\n'.encode("utf-16-le"), "", "'UTF-16 or binary'"),
    ],
)
def test_another_encoding_is_one_fault(tmp_path, content, place, value):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        resolve(path)
    (fault,) = caught.value.faults
    assert str(fault).startswith(f"{path}{place}: {value} is not valid; allowed: text in UTF-8")


def test_a_file_that_is_not_there_has_a_neighbour(tmp_path):
    path = write(tmp_path, "")
    for wrong, right in (("mne.toml", "mine.toml"), ("demand_first.toml", "demand_first")):
        with pytest.raises(InputError, match="a TOML file that exists") as caught:
            resolve(tmp_path / wrong)
        assert [fault.nearest for fault in caught.value.faults] == [right]
    assert resolve(path).name == "mine"


@pytest.mark.parametrize("name", ["NA", "null", "nan", "None", "1.10", "007"])
def test_a_file_may_have_any_name(tmp_path, name):
    assert resolve(write(tmp_path, "", f"{name}.toml")).name == name
