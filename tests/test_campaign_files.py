"""Reading campaign files: YAML without surprises, and every mistake told with its line."""

from contextlib import suppress
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macli.actions import ACTIONS
from macli.campaign import yaml_source
from macli.campaign.definition import Campaign, parse
from macli.campaign.problems import BadDefinition
from macli.campaign.program import flatten

FILE = "campaigns/welcome/campaign.yaml"
MINIMAL = "name: welcome\nentry: {rule: everyone}\n"


def read(text: str) -> Any:
    return yaml_source.parse(text, FILE).value


def campaign_of(text: str) -> Campaign:
    source = yaml_source.parse(text, FILE)
    return parse(source.value, source.places).campaign


def refusal(text: str) -> list[str]:
    """The lines of the message with which a file is refused."""
    with pytest.raises(BadDefinition) as caught:
        campaign_of(text)
    return caught.value.message.splitlines()


def with_steps(*lines: str) -> str:
    return MINIMAL + "steps:\n" + "".join(f"  {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("09:00", "09:00"),
        ("1:30:00", "1:30:00"),
        ("2026-12-01", "2026-12-01"),
        ("2026-12-01 09:00", "2026-12-01 09:00"),
        ("0800", "0800"),
        ("+14165550123", "+14165550123"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        (".5", ".5"),
        ("=", "="),
        ("12", 12),
        ("-3", -3),
        ("1.50", 1.5),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_a_bare_word_is_what_people_mean_by_it(written: str, meant: Any) -> None:
    assert read(f"value: {written}\n") == {"value": meant}


def test_a_key_called_on_stays_a_word() -> None:
    assert read("on: 1\nyes: 2\n") == {"on": 1, "yes": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: !!python/object/apply:os.system [ls]\n", f"{FILE}:1: the tag !!python/object/apply:os.system"),
        ("a: 1\nb: !secret x\n", f"{FILE}:2: 'x' has no place here as !secret"),
        ("a: 1\nb: 2\na: 3\n", f"{FILE}:3: the key 'a' is here twice"),
        ("a: [1, 2\nb: 3\n", f"{FILE}:2: "),
        ("a: 1\n--- \nb: 2\n", f"{FILE}:2: "),
        ("a: &x\n  b: *x\n", f"{FILE}:2: this refers to itself"),
        ("a: \x07\n", f"{FILE}: unacceptable character"),
        ("? [1, 2]\n: 3\n", f"{FILE}:1: a key is a word"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(BadDefinition) as caught:
        read(text)
    assert caught.value.message.startswith(said)


def test_aliases_that_ask_for_billions_of_values_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(BadDefinition, match="more than 50000 values"):
        read("\n".join(lines))


def test_a_file_that_is_not_utf8_is_refused_with_the_line_of_the_octet(tmp_path: Path) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_bytes(b"name: x\ndescription: caf\xe9\n")
    with pytest.raises(BadDefinition, match=r"campaign\.yaml:2: this is not UTF-8 text"):
        yaml_source.read(file)
    file.write_bytes("\ufeffname: żółw\n".encode())
    assert yaml_source.read(file).value == {"name": "żółw"}


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(plain_values)
def test_what_is_written_reads_back_the_same(value: Any) -> None:
    def printable(part: Any) -> bool:
        if isinstance(part, str):
            return all(letter.isprintable() or letter == "\n" for letter in part)
        if isinstance(part, dict):
            return all(printable(key) and printable(member) for key, member in part.items())
        return all(map(printable, part)) if isinstance(part, list) else True

    if printable(value):
        assert read(yaml_source.write({"value": value})) == {"value": value}


WORDS = [
    "then",
    "else",
    "otherwise",
    "steps",
    "when",
    "id",
    "name",
    "entry",
    "at",
    "event",
    "weight",
    "email",
    "sms",
    "09:00",
    "everyone",
    "contact.added",
    "yes",
    "segments",
    "x",
]
words = st.sampled_from(
    [
        *ACTIONS,
        *(field.name for kind in ACTIONS.values() for field in fields(kind)),
        *WORDS,
        *("3 days", "-3 days", "monday 09:00", "2026-12-24 10:00", ""),
    ]
)
hostile = st.recursive(
    words | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=25,
)


@given(st.fixed_dictionaries({"name": words, "entry": hostile, "steps": st.lists(hostile, max_size=4)}) | hostile)
@settings(max_examples=500)
def test_whatever_a_file_holds_it_is_a_campaign_or_a_list_of_mistakes(value: Any) -> None:
    with suppress(BadDefinition):
        flatten(parse(value).campaign)


def test_a_whole_file_becomes_a_campaign() -> None:
    campaign = campaign_of(
        """
name: Welcome
category: News
sender: {name: Ann, email: ann@example.com}
entry:
  event: [contact.added, {name: order.paid, where: total > 100}]
  delay: 3 hours
  existing: no
reentry: {when: after_finish, max_rounds: 3, min_interval: 30 days}
quiet_hours: no
caps: off
steps:
  - send: {template: hello, choose: [{when: 'tagged "VIP"', template: hello-vip}]}
  - wait: 3 days
  - if: opened email within 3 days
    then: [{tag: VIP}, {set: {orders: 3, country: Canada}}]
    else: []
  - end
"""
    )
    assert [event.name for event in campaign.entry.event] == ["contact.added", "order.paid"]
    assert campaign.entry.event[1].where == "total > 100"
    assert campaign.entry.delay == timedelta(hours=3)
    assert campaign.entry.kind == "event"
    assert not campaign.entry.includes_existing
    assert campaign.reentry.max_rounds == 3
    assert campaign.quiet_hours is False
    assert campaign.caps is False
    assert [node.key for node in campaign.each_step()] == [
        "send-hello",
        "wait-3-days",
        "if-opened-email-within-3-days",
        "tag-vip",
        "set-orders-3",
        "end",
    ]


def test_an_automatic_entry_takes_those_who_meet_it_already_unless_told_otherwise() -> None:
    automatic = "name: x\nentry: {whenever: score > 3%s}\nsteps: []\n"
    assert campaign_of(automatic % "").entry.includes_existing
    assert not campaign_of(automatic % ", existing: no").entry.includes_existing
    assert not campaign_of("name: x\nentry: {event: a.b}\nsteps: []\n").entry.includes_existing


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("- sned: hello", "'sned' is no action; did you mean 'send'?"),
        ("- wait: 3 daze", "'3 daze' is no duration"),
        ("- wait: -3 days", "'-3 days' is no duration"),
        ("- wait: 1001 years", "'1001 years' is too long a duration"),
        ("- task: {title: call, due: 9999999 days}", "'9999999 days' is too long a duration"),
        ("- wait: {until: '25:00'}", "'25:00'"),
        ("- wait: {until: '2026-12-24 10:00 Europe/Warsav'}", "'2026-12-24 10:00 Europe/Warsav'"),
        ("- {send: hello, wait: 3 days}", "'send' and 'wait' in one step; begin another with '- '"),
        ("- send: {templat: x}", "'templat' is no key of 'send'; did you mean 'template'?"),
        ("- send: {channel: sms}", "'send' has no 'template'"),
        (
            "- send: {template: x, on_error: contnue}",
            "'contnue' is not one of fail, continue; did you mean 'continue'?",
        ),
        ("- {if: everyone, thn: []}", "'thn' does not go beside 'if'; did you mean 'then'?"),
        ("- wait_for: {event: email.clicked}", "'wait_for' has no 'timeout'"),
        (
            "- wait_for: {event: contact.added, timeout: 2 days}",
            "'contact.added' cannot be waited for: Contact added only at start",
        ),
        ("- wait_for: {event: Bought!, timeout: 2 days}", "'Bought!' is no event name"),
        ("- send: {template: x, purpose: test}", "'test' is not one of campaign, transactional"),
        ("- opt_out: emial", "'emial' is not one of email, sms; did you mean 'email'?"),
        ("- tag: 1.5", "1.5 is no text; write it in quotes if it is meant as text"),
        ("- tag: [[a]]", "a list stands where text is expected"),
        ("- send:", "nothing stands where text is expected"),
        ("- hello", "a step is an action and what it acts on: 'send: hello'"),
        ("- []", "a step is an action and what it acts on: 'send: hello'"),
        ("- split: [{weight: lots, steps: []}]", "'lots' is no number"),
        ("- split: [{weight: 3}]", "a part of 'split' has no 'steps'"),
        ("- set: {a: [1, 2]}", "a list stands where one value is expected"),
        ("- {send: hello, id: 'a b'}", "'a b' is no id"),
        ("- send: {template: x, sender: {email: nobody}}", "'nobody' is no e-mail address"),
    ],
)
def test_a_mistake_in_a_step_is_told_with_its_line(line: str, said: str) -> None:
    first = refusal(with_steps("- tag: A", line))[0]
    assert first.startswith(f"{FILE}:5: ")
    assert said in first


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nmae: x", "'nmae' is no key of a campaign; did you mean 'name'?"),
        ("reentry: somtimes", "'somtimes' is not one of never, after_finish, always"),
        ("reentry: {when: always, max_rounds: 0}", "'max_rounds' is less than 1"),
        ("max_lateness: soon", "'soon' is no duration"),
        ("quiet_hours: 9-17", "'9-17'"),
        ("sender: {email: x}", "'x' is no e-mail address"),
        ("caps: maybe", "'maybe' is neither yes nor no"),
        ("description: [a]", "a list stands where text is expected"),
    ],
)
def test_a_mistake_in_the_campaign_is_told_with_its_line(line: str, said: str) -> None:
    first = refusal(f"{MINIMAL}steps: []\n{line}\n")[0]
    assert first.startswith(f"{FILE}:4: ")
    assert said in first


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{whenever: score > 3, event: a.b}", "either 'whenever' or 'event', not both"),
        ("{rule: everyone, delay: 3 days}", "'delay' belongs to an entry with 'whenever' or 'event'"),
        ("{event: a.b, at: 2026-12-01}", "'at' does not go with 'event'"),
        ("{rule: everyone, at: tomorrow}", "'tomorrow' is no time to start at"),
        ("{rule: everyone, at: 2026-02-30 09:00}", "'2026-02-30 09:00' is no time to start at"),
        ("{rule: everyone, at: 2026-12-01 09:00 Europe/Warsav}", "did you mean 'Europe/Warsaw'?"),
        ("{sgments: vip}", "'sgments' is no key of 'entry'; did you mean 'segments'?"),
        ("everyone", "'everyone' stands where these keys are expected: segments, rule, at"),
    ],
)
def test_a_mistake_in_the_entry_is_told(entry: str, said: str) -> None:
    assert said in "\n".join(refusal(f"name: x\nentry: {entry}\nsteps: []\n"))


def test_all_mistakes_of_a_file_are_told_together_in_their_order() -> None:
    said = refusal("nmae: x\nentry: {delay: 3 daze}\nsteps:\n  - sned: x\n  - wait: 3 daze\n  - wait_for: a.b\n")
    assert [line.split(":")[1] for line in said] == ["1", "1", "2", "4", "5", "6"]


def test_steps_with_one_id_are_refused_at_the_second() -> None:
    said = refusal(with_steps("- {id: a, tag: A}", "- {id: b, tag: B}", "- {id: a, tag: C}"))
    assert said == [f"{FILE}:6: the id 'a' is here twice: a step is known by its id"]


@pytest.mark.parametrize(
    "steps",
    [
        ["- end", "- tag: A"],
        ["- {if: everyone, then: [end]}", "- tag: A"],
        ["- {if: everyone, then: [end], else: [end: true]}", "- tag: A"],
        ["- split: [{steps: [end]}, {steps: [end]}]", "- tag: A"],
        ["- branches: [{when: everyone, steps: [end]}]", "- tag: A"],
        ["- {wait_for: {event: a.b, timeout: 1 day}, then: [end]}", "- tag: A"],
    ],
)
def test_a_step_that_nobody_reaches_is_refused(steps: list[str]) -> None:
    assert refusal(with_steps(*steps)) == [f"{FILE}:5: nobody reaches this step: every way before it ends"]


@pytest.mark.parametrize(
    "steps",
    [
        ["- {if: everyone, then: [end], else: []}", "- tag: A"],
        ["- if: everyone", "- tag: A"],
        ["- split: [{steps: [end]}, {steps: []}]", "- tag: A"],
    ],
)
def test_a_step_that_somebody_reaches_is_fine(steps: list[str]) -> None:
    campaign_of(with_steps(*steps))


def test_derived_keys_stay_when_other_steps_come_and_go() -> None:
    before = campaign_of(with_steps("- send: a", "- wait: 3 days", "- send: b"))
    after = campaign_of(with_steps("- tag: X", "- send: a", "- wait: 3 days", "- send: c", "- send: b"))
    kept = {node.key for node in before.each_step()} & {node.key for node in after.each_step()}
    assert kept == {"send-a", "wait-3-days", "send-b"}


def test_steps_that_say_the_same_are_told_apart() -> None:
    campaign = campaign_of(with_steps("- send: a", "- send: a", "- {send: b, id: send-a-2}"))
    assert [node.key for node in campaign.each_step()] == ["send-a", "send-a-3", "send-a-2"]


def test_a_definition_without_a_file_names_the_place_by_its_path() -> None:
    with pytest.raises(BadDefinition) as caught:
        parse({"name": "x", "entry": {"at": "soon"}, "steps": [{"tag": "A"}, {"send": {"templat": "x"}}]})
    assert "entry.at: 'soon' is no time to start at" in caught.value.message
    assert "steps[2].send.templat: 'templat' is no key of 'send'" in caught.value.message
