"""Instruments with a place: money goes there alone, entries add up, faults of places."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import final, setting_of
from typer.testing import CliRunner

from ecosystem.inputs.calendar import POLICY_START
from ecosystem.inputs.catalogue import instruments
from ecosystem.inputs.faults import FaultList, InputError
from ecosystem.inputs.place_faults import check_places
from ecosystem.inputs.places import has_subject
from ecosystem.inputs.scenario import Scenario, resolve, with_overrides
from ecosystem.inputs.schedule import build_schedule
from ecosystem.inputs.world.loader import load_world
from ecosystem.mesa.model import EcosystemModel
from ecosystem.runs.identity import digest
from ecosystem.runs.simulate import simulate
from experiments.command.cli import app

FULL, WORLD = load_world("full"), load_world("teaching")
NAMES = WORLD.prefectures.prefecture
LANZHOU = NAMES.index("lanzhou")
PLACED = [name for name, row in instruments().items() if row.subject]
TRANSFERS = [name for name in PLACED if instruments()[name].type == "transfer"]
PROGRAMMES = [name for name in PLACED if instruments()[name].type == "programme"]


def keyed(name, place):
    """Return the place of an instrument under the key that it has for it."""
    return {"compute" if "compute" in instruments()[name].places else "place": place}


def entry(name, place=None, **more):
    return {"name": name, **more, **(keyed(name, place) if place else {})}


def scenario(*entries, base="none"):
    return Scenario(base, instruments=entries, name="mine")


def quarter_of(scenario, quarter=POLICY_START + 4):
    setting = setting_of(scenario)
    return final(setting, quarter)[0], setting


# ---- where money goes


@pytest.mark.parametrize("name", TRANSFERS)
def test_a_transfer_is_paid_in_its_place_alone(name):
    quarter, setting = quarter_of(scenario(entry(name, "lanzhou", ramp_up=0)))
    members = {"industrial_centres": WORLD.parks}.get(name, WORLD.centres)
    received = quarter.accounts.settlement.received[name]
    there = members.prefecture == LANZHOU
    assert received[:, there].sum() > 0 and not received[:, ~there].any()


@pytest.mark.parametrize("name", PROGRAMMES)
def test_a_programme_acts_and_is_paid_in_its_place_alone(name):
    quarter, setting = quarter_of(scenario(entry(name, "lanzhou", ramp_up=0)))
    column = setting.schedule.of(name)[-1]
    there = np.arange(WORLD.prefectures.count) == LANZHOU
    np.testing.assert_array_equal(setting.schedule.place(WORLD)[column], there * 1.0)
    lever = quarter.policy.local_lever.get(name)
    if name == "hub_readiness":
        lever = quarter.policy.infrastructure - quarter.policy.own_readiness
    assert (lever[:, there] > 0).all() and not lever[:, ~there].any()


def test_vouchers_for_users_of_a_place_go_to_them_alone():
    quarter, _ = quarter_of(scenario(entry("compute_voucher", "hub", users="lanzhou", ramp_up=0)))
    vouchers = quarter.accounts.vouchers
    there = WORLD.firms.prefecture == LANZHOU
    assert vouchers["firms"][:, there].sum() > 0 and not vouchers["firms"][:, ~there].any()
    assert not vouchers["government"].any()
    price = quarter.market.routing.offer.price_by_place
    elsewhere = np.delete(price, LANZHOU, axis=1)
    assert (price[:, [LANZHOU]] < elsewhere).all() and np.ptp(elsewhere) == 0


def test_the_same_money_in_a_smaller_place_is_more_of_it_there():
    """Twice the budget, half the intensity: the lever of 60 M¥ in all is that of the part there."""
    budget = WORLD.prefectures.budget_expenditure
    part = budget[LANZHOU] / budget.sum()
    whole, _ = quarter_of(scenario(entry("talent_retention", spending=60.0, ramp_up=0)))
    local, _ = quarter_of(
        scenario(entry("talent_retention", "lanzhou", spending=60.0 * part, ramp_up=0))
    )
    for quarter in (whole, local):
        assert (quarter.policy.match == 1).all()
    np.testing.assert_allclose(
        local.policy.local_lever["talent_retention"][:, LANZHOU],
        whole.policy.local_lever["talent_retention"][:, LANZHOU],
    )


@pytest.mark.parametrize("name", [n for n in PLACED if instruments()[n].place])
def test_the_usual_place_by_name_goes_on_as_it_is(name):
    """Nothing starts anew: an edit that names it has the column of one that does not."""
    base = "history" if name == "compute_voucher" else "none"
    edits = [entry(name, place, start="2027Q1") for place in (None, instruments()[name].place)]
    plain, named = (build_schedule(resolve(scenario(edit, base=base))) for edit in edits)
    assert named.columns == plain.columns
    for part in ("rate", "spending", "envelope"):
        np.testing.assert_array_equal(getattr(named, part), getattr(plain, part))


def test_the_order_of_names_makes_no_other_place():
    columns = [
        build_schedule(resolve(scenario(entry("talent_retention", names)))).columns[-1]
        for names in (["lanzhou", "hub"], ["hub", "lanzhou"])
    ]
    assert columns[0] == columns[1] and columns[0].place == "hub|lanzhou"


@pytest.mark.parametrize("name", PLACED)
def test_the_place_of_the_table_said_aloud_changes_nothing(name):
    """Named prefecture by prefecture, the usual place gives the usual lever and gate."""
    more = {} if name == "occupancy_gate" else {"ramp_up": 0}
    plain, setting = quarter_of(scenario(entry(name, **more)), POLICY_START)
    area = setting.schedule.area(WORLD)[setting.schedule.column(name)]
    have = area * has_subject([*instruments()[name].places.values()][-1], WORLD)
    subject = [one for one, here in zip(NAMES, have, strict=True) if here]
    named, setting = quarter_of(scenario(entry(name, subject, **more)), POLICY_START)
    np.testing.assert_array_equal(setting.schedule.area(WORLD)[-1], have)
    np.testing.assert_array_equal(named.policy.gate, plain.policy.gate)
    if name in plain.policy.local_lever:
        levers = [one.policy.local_lever[name] * have for one in (named, plain)]
        np.testing.assert_allclose(*levers)


# ---- entries add up


@pytest.mark.parametrize("name", PLACED)
def test_two_halves_are_one_whole(name):
    """Entries of half the money, and of half the rate, do what one entry of the whole does."""
    row = instruments()[name]
    whole = {"spending": 64.0, "envelope": 64.0, "rate": 0.25}
    whole = {key: whole[key] for key in row.money}
    half = {key: value / 2 for key, value in whole.items()}
    more = {} if row.type == "rule" else {"ramp_up": 0}
    place = keyed(name, "lanzhou")
    one, _ = quarter_of(scenario({"name": name, **whole, **place, **more}))
    two, setting = quarter_of(scenario(*[{"name": name, **half, **place, **more}] * 2))
    assert len(setting.schedule.of(name)) == 3  # its own, which is off, and two
    for part in ("lever", "local_lever", "rate"):
        for key, value in getattr(one.policy, part).items():
            np.testing.assert_allclose(getattr(two.policy, part)[key], value, rtol=1e-9)
    np.testing.assert_allclose(
        one.policy.programme_paid.sum(axis=1), two.policy.programme_paid.sum(axis=1), rtol=1e-9
    )
    paid = [quarter.accounts.settlement.paid.sum(axis=1) for quarter in (one, two)]
    np.testing.assert_allclose(*paid, rtol=1e-9)


def test_entries_may_be_set_on_the_command_line_and_in_python():
    settings = [
        "instrument.talent_retention.1.spending=40",
        "instrument.talent_retention.1.place=lanzhou",
        "instrument.talent_retention.2.spending=20",
    ]
    mine = with_overrides(resolve("none"), settings)
    python = resolve(
        scenario(
            entry("talent_retention", "lanzhou", spending=40),
            entry("talent_retention", spending=20),
        )
    )
    for one in (mine, python):
        schedule = build_schedule(one)
        money = schedule.spending[-1, schedule.of("talent_retention")]
        assert sorted(money[money > 0]) == [20, 40]
    with pytest.raises(InputError, match="instrument.NAME.KEY=VALUE"):
        with_overrides(resolve("none"), ["instrument.talent_retention.x.spending=40"])


def test_all_entries_together_keep_to_what_can_be_spent():
    most = instruments()["talent_retention"].spending_high
    parts = [entry("talent_retention", place, spending=200) for place in ("lanzhou", "hub")]
    schedule = build_schedule(resolve(scenario(*parts)))
    assert schedule.spending[-1].sum() == most and schedule.unplanned > 0


def test_what_is_cut_is_cut_alike():
    """Money above the limit changes no mix of places: 200 and 400 become 100 and 200 of 300."""
    parts = [
        entry("talent_retention", "hub", spending=200),
        entry("talent_retention", spending=400),
    ]
    for entries in (parts, parts[::-1]):
        schedule = build_schedule(resolve(scenario(*entries)))
        own = schedule.of("talent_retention")
        spent = {schedule.columns[i].place: schedule.spending[-1, i] for i in own}
        assert spent == pytest.approx({"hub": 100, "": 200})


def test_two_entries_of_the_settlement_rule_are_one():
    """The first column has its later half alone; the rule is in force from the other's start."""
    rule = {"name": "local_settlement_rule"}
    later, sooner = {**rule, "start": "2027Q4"}, {**rule, "start": "2025Q3"}
    two, _ = quarter_of(scenario(later, {**sooner, "end": "2028Q4"}), POLICY_START + 8)
    one, _ = quarter_of(scenario(sooner), POLICY_START + 8)
    alone, _ = quarter_of(scenario({**later, "end": "2028Q4"}), POLICY_START + 8)
    assert (one.policy.local_settlement > alone.policy.local_settlement).all()
    np.testing.assert_array_equal(two.policy.local_settlement, one.policy.local_settlement)


def test_rates_that_add_up_have_a_ceiling():
    """It holds where entries meet, in place, users and time; in every face, before a run."""
    voucher = {"name": "compute_voucher", "rate": 0.6}
    apart = [
        {**voucher, "users": "lanzhou", "end": "2027Q4"},
        {**voucher, "users": "hub"},
        {**voucher, "users": "lanzhou", "start": "2028Q1"},
        {**voucher, "users": "lanzhou", "compute": "lanzhou"},
    ]
    faults = FaultList()
    check_places(faults, [resolve(scenario(*apart))], WORLD)
    assert not faults.faults
    check_places(faults, [resolve(scenario(*[{**voucher, "rate": 0.2}] * 3))], WORLD)
    assert not faults.faults
    check_places(faults, [resolve(scenario(*apart, {**voucher, "start": "2030Q2"}))], WORLD)
    (fault,) = faults.faults
    assert (fault.place, fault.value) == ("Scenario.instruments[4]: compute_voucher.rate", 1.2)
    assert fault.allowed == "at most 0.6 in 2030Q2 in qingyang, all entries together"
    with pytest.raises(InputError, match=r"compute_voucher.rate: 3.0 is not valid; allowed: at mo"):
        simulate(scenario(*[voucher] * 5), replicates=1, world="teaching", until="2020Q4")


def test_one_file_cannot_end_what_it_has_on():
    with pytest.raises(InputError, match="entries of one file that do not contradict"):
        scenario(entry("talent_retention"), entry("talent_retention", active=False))
    scenario(
        entry("talent_retention", end="2029Q4"),
        entry("talent_retention", active=False, start="2030Q1"),
    )


# ---- when


def test_ramps_up_and_down():
    made = scenario(
        entry("talent_retention", spending=80, start="2026Q1", end="2028Q4", ramp_up=2, ramp_down=4)
    )
    schedule = build_schedule(resolve(made))
    spending = schedule.spending[24:37, schedule.of("talent_retention")].sum(axis=1)
    assert spending.tolist() == [40, 80, 80, 80, 80, 80, 80, 80, 80, 60, 40, 20, 0]
    layers = resolve(made).layers
    scaled = replace(resolve(made), layers=(*layers[:-1], replace(layers[-1], present_value=50.0)))
    again = build_schedule(scaled)
    ratio = again.spending[24:36].sum(axis=1) / schedule.spending[24:36].sum(axis=1)
    np.testing.assert_allclose(ratio, ratio[0])


def test_a_later_file_takes_the_place_of_an_earlier_one():
    base = resolve("history")
    column = build_schedule(base).column("compute_voucher")
    moved = resolve(
        Scenario("history", instruments=[entry("compute_voucher", "lanzhou", start="2027Q1")],
                 name="moved")
    )  # fmt: skip
    schedule = build_schedule(moved)
    other = schedule.of("compute_voucher")[1]
    assert schedule.envelope[27, column] == 100 and schedule.envelope[28:, column].sum() == 0
    assert schedule.envelope[27, other] == 0 and schedule.envelope[-1, other] == 100
    assert schedule.rate[-1, other] == 0.3  # what is left out stays as history has it


def test_what_a_later_entry_leaves_out_stays():
    """Place, users and ramps as much as money; a fade where the end stays."""
    talent = entry("talent_retention", "lanzhou", spending=80, end="2030Q4", ramp_up=2, ramp_down=4)
    voucher = entry("compute_voucher", "hub", users="lanzhou", rate=0.2)
    base = resolve(scenario(talent, voucher))
    settings = ["instrument.talent_retention.spending=40", "instrument.compute_voucher.rate=0.4"]
    before, after = (build_schedule(one) for one in (base, with_overrides(base, settings)))
    assert after.columns == before.columns
    talent = before.of("talent_retention")
    np.testing.assert_array_equal(after.spending[:, talent], before.spending[:, talent] / 2)
    voucher = before.of("compute_voucher")[-1]
    np.testing.assert_allclose(after.rate[:, voucher], 2 * before.rate[:, voucher])
    middle = ["start=2027Q1", "end=2027Q4", "spending=40"]
    middle = with_overrides(base, [f"instrument.talent_retention.{one}" for one in middle])
    spending = build_schedule(middle).spending[:, talent].sum(axis=1)
    assert spending[26:34].tolist() == [80, 80, 40, 40, 40, 40, 60, 80]
    other = with_overrides(base, ["instrument.talent_retention.place=hub"])
    assert build_schedule(other).columns[-1].place == "hub"


def test_what_could_be_either_has_to_be_named():
    lanzhou, hub = (entry("talent_retention", place, spending=40) for place in ("lanzhou", "hub"))
    base = resolve(scenario(lanzhou, hub))
    words = r"--set instrument.talent_retention.place: None .* several \(hub, lanzhou\).*\.1\.KEY"
    with pytest.raises(InputError, match=words):
        with_overrides(base, ["instrument.talent_retention.spending=40"])
    with_overrides(
        base, [f"instrument.talent_retention.{key}=hub" for key in ("1.place", "2.place")]
    )
    in_turn = resolve(scenario({**lanzhou, "end": "2028Q4"}, {**hub, "start": "2029Q1"}))
    again = with_overrides(in_turn, ["instrument.talent_retention.ramp_up=0"])
    assert build_schedule(again).columns == build_schedule(in_turn).columns


# ---- impossible places


BAD = [
    ("equipment_chain", "zhangye", "prefectures with equipment makers: baiyin, ", "jinchang"),
    ("occupancy_gate", "hub", "prefectures outside the hub: baiyin, ", ""),
    ("anchor_tenants", "ring_2", "core and the first ring: lanzhou, qingyang", ""),
    ("talent_retention", "lanzho", "hub, a tier (core, ring_1, ring_2, other)", "lanzhou"),
    ("capital_subsidy", "hubb", "or a prefecture (baiyin, ", "hub"),
    ("compute_voucher", "兰州", "hub, a tier", "兰州市"),
]


def test_impossible_places_are_faults_all_at_once():
    made = resolve(scenario(*[entry(name, place) for name, place, *_ in BAD]))
    faults = FaultList()
    check_places(faults, [made], FULL)
    found = dict(zip([name for name, *_ in BAD], faults.faults, strict=True))
    for number, (name, place, allowed, close) in enumerate(BAD):
        assert found[name].place == f"Scenario.instruments[{number}].{[*keyed(name, place)][0]}"
        assert found[name].value == place and allowed in found[name].allowed
        assert found[name].nearest == close


def test_a_place_is_checked_in_the_world_that_is_named(tmp_path):
    """The fault names file and entry, notes come after none; what runs is the one checked."""
    path = tmp_path / "c.toml"
    path.write_text(
        '[[instrument]]\nname = "compute_voucher"\nrate = 0.5\nenvelope = 200\n'
        '[[instrument]]\nname = "talent_retention"\nplace = "zhangye"\n',
        encoding="utf-8",
    )
    fine = CliRunner().invoke(app, ["check", str(path)])
    assert fine.exit_code == 0 and "note: c: compute_voucher replaces" in fine.stderr
    assert "已安排的资金" in CliRunner().invoke(app, ["check", str(path), "--lang", "zh"]).stderr
    wrong = CliRunner().invoke(app, ["check", str(path), "--world", "teaching"])
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith(f"error: {path}: instrument[1].place: 'zhangye' is not valid")


def test_where_an_entry_stands_is_no_part_of_a_scenario(tmp_path):
    digests = set()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "c.toml"
        path.write_text('[[instrument]]\nname = "talent_retention"\n', encoding="utf-8")
        digests |= {resolve(path).digest, digest(resolve(path))}
    assert len(digests) == 2


@pytest.mark.parametrize("place", ["Lanzhou", "兰州市", "LANZHOU", "ring_1"])
def test_a_prefecture_has_names_in_both_languages(place):
    faults = FaultList()
    made = resolve(scenario(entry("talent_retention", place)))
    check_places(faults, [made], FULL)
    area = build_schedule(made).area(FULL)[-1]
    there = FULL.prefectures.prefecture.index("lanzhou")
    assert not faults.faults and list(np.flatnonzero(area)) == [there]


def test_every_face_refuses_an_impossible_place():
    made = scenario(entry("talent_retention", "zhangye"))
    for face in (
        lambda: simulate(made, replicates=1, world="teaching", until="2020Q4"),
        lambda: EcosystemModel(made, world="teaching", seed=1),
    ):
        with pytest.raises(InputError, match="'zhangye' is not valid"):
            face()


def test_an_impossible_place_is_said_beside_what_else_is_wrong(tmp_path):
    """Of the file and of one that it extends; a place that is no text is one fault."""
    below, path = tmp_path / "below.toml", tmp_path / "bad.toml"
    below.write_text('[[instrument]]\nname = "capital_subsidy"\nplace = "hubb"\n', "utf-8")
    path.write_text(
        'extends = "below.toml"\n'
        '[[instrument]]\nname = "compute_voucher"\nrate = 7\nusers = "lanzho"\n'
        '[[instrument]]\nname = "equipment_chain"\nplace = ["zhangye", 3]\n'
        '[[instrument]]\nname = "no_such"\nplace = "nowhere"\n',
        "utf-8",
    )
    found = CliRunner().invoke(app, ["check", str(path)])
    assert found.exit_code == 2
    places = [line.split(": ")[2] for line in found.stderr.splitlines()]
    assert sorted(places) == sorted(
        ["instrument[0].rate", "instrument[0].users", "instrument[0].place"]
        + ["instrument[1].place", "instrument[1].place[1]", "instrument[2].name"]
    )
