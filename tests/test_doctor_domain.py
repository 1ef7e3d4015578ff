"""``macli doctor domain`` against a real DNS server: what is right, wrong, missing, and what nobody answered."""

import json
from base64 import b64encode
from datetime import timedelta
from pathlib import Path

import pytest

from macli.doctor.domains import aligned, organisation
from tests.conftest import NOW, Run
from tests.dns_server import Records, dns_server

GOOD: dict[tuple[str, str], list[str]] = {
    ("shop.example", "TXT"): ['"v=spf1 a:mx.shop.example include:relay.example -all"', '"some-site-verification=1"'],
    ("relay.example", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 -all"'],
    ("s1._domainkey.shop.example", "TXT"): [f'"v=DKIM1; k=rsa; p={b64encode(b"x" * 150).decode()}" "{"A" * 120}"'],
    ("_dmarc.shop.example", "TXT"): ['"v=DMARC1; p=quarantine; rua=mailto:dmarc@shop.example"'],
    ("shop.example", "MX"): ["10 mx.shop.example."],
    ("mx.shop.example", "A"): ["203.0.113.25"],
    ("25.113.0.203.in-addr.arpa", "PTR"): ["mx.shop.example."],
}

SAMPLE = (
    "DKIM-Signature: v=1; a=rsa-sha256; d={domain}; s=s1;\r\n\th={headers}; bh=x; b=y\r\n"
    "From: news@shop.example\r\nList-Unsubscribe: <https://x>\r\nSubject: x\r\n\r\nx\r\n"
)


@pytest.fixture
def check(workspace: Path, macli: Run):
    """Run the checks against a server that knows these records; verdicts and words by check."""

    def run(
        records: Records, *args: str, silent: bool = False, expect: int | None = None
    ) -> dict[str, tuple[str, str, str]]:
        with dns_server(records, silent=silent) as server:
            ran = macli("doctor", "domain", "shop.example", "--resolver", server, "--timeout", "0.5", "--json", *args)
        if expect is not None:
            assert ran.code == expect, ran.err
        found = json.loads(ran.out)
        return {row["check"]: (row["verdict"], row["said"], row["add"]) for row in reversed(found)}

    return run


def without(*keys: tuple[str, str], **more: list[str]) -> Records:
    return {key: values for key, values in GOOD.items() if key not in keys}


def test_r6_a_domain_in_order(check, tmp_path: Path) -> None:
    sample = tmp_path / "sample.eml"
    sample.write_text(
        SAMPLE.format(domain="shop.example", headers="From:Subject:List-Unsubscribe:List-Unsubscribe-Post")
    )
    found = check(GOOD, "--host", "mx.shop.example", "--message", str(sample), expect=4)
    tls = found.pop("TLS")
    assert {verdict for verdict, _, _ in found.values()} == {"ok"}, found
    assert list(found) == [
        "PTR", "MX", "alignment", "DMARC", "List-Unsubscribe signed", "DKIM", "SPF",
    ]  # fmt: skip
    assert tls[0] == "not verified"  # the outbox carries e-mail here
    assert "(2 look-ups)" in found["SPF"][1]


def test_r6_nothing_there_says_which_record_to_add(check) -> None:
    found = check({("other.example", "A"): ["192.0.2.1"]}, "--host", "mx.shop.example", "--selector", "s1", expect=1)
    assert found["SPF"] == ("fail", "shop.example has no record", 'TXT shop.example "v=spf1 a:mx.shop.example -all"')
    assert found["DKIM"][0] == "fail"
    assert found["DKIM"][2] == 'TXT s1._domainkey.shop.example "v=DKIM1; k=rsa; p=<the key>"'
    assert found["DMARC"][0] == "fail"
    assert found["DMARC"][2] == 'TXT _dmarc.shop.example "v=DMARC1; p=none; rua=mailto:dmarc@shop.example"'
    assert found["MX"][0] == "warn"
    assert found["PTR"][0] == "fail"
    assert "ok" not in {verdict for verdict, _, _ in found.values()}


def test_p37_what_nobody_answers_is_not_verified_and_never_ok(check, macli: Run) -> None:
    found = check({}, "--host", "mx.shop.example", "--selector", "s1", silent=True, expect=4)
    assert {verdict for verdict, _, _ in found.values()} == {"not verified"}


@pytest.mark.parametrize(
    ("records", "verdict", "words"),
    [
        (['"v=spf1 -all"', '"v=spf1 a -all"'], "fail", "2 records"),
        (['"v=spf1 +all"'], "warn", "anybody"),
        (['"v=spf1 a"'], "warn", "nothing of others"),
        (['"v=spf1 ?all"'], "warn", "nothing of others"),
        (['"v=spf1 redirect=relay.example"'], "ok", "1 look-ups"),
        (['"v=spf1 include:shop.example -all"'], "fail", "look-ups"),
        (['"v=spf1 ' + " ".join(f"a:h{n}.example" for n in range(11)) + ' -all"'], "fail", "11 look-ups"),
        (['"v=SPF1 ~ALL"'], "ok", "0 look-ups"),
        (['"v=spf10 -all"'], "fail", "no record"),
    ],
    ids=range(9),
)
def test_r6_spf(check, records: list[str], verdict: str, words: str) -> None:
    found = check({**GOOD, ("shop.example", "TXT"): records})
    assert found["SPF"][0] == verdict
    assert words in found["SPF"][1]


@pytest.mark.parametrize(
    ("records", "verdict", "words"),
    [
        (['"v=DMARC1; p=none; rua=mailto:x@shop.example"'], "ok", "p=none"),
        (['"v=DMARC1; p=reject"'], "warn", "nobody gets the reports"),
        (['"v=DMARC1; p=maybe"'], "fail", "says nothing"),
        (['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"'], "fail", "no policy"),
    ],
    ids=range(4),
)
def test_r6_dmarc(check, records: list[str], verdict: str, words: str) -> None:
    found = check({**GOOD, ("_dmarc.shop.example", "TXT"): records})
    assert found["DMARC"][0] == verdict
    assert words in found["DMARC"][1]


def test_r6_a_return_path_elsewhere_is_aligned_by_the_signature_alone(check, macli: Run, tmp_path: Path) -> None:
    macli("settings", "set", "bounces.address", "bounces@relay.example")
    assert check(GOOD)["alignment"][0] == "not verified"
    for signer, verdict in (("news.shop.example", "ok"), ("relay.example", "fail")):
        (tmp_path / "m.eml").write_text(SAMPLE.format(domain=signer, headers="From"))
        assert check(GOOD, "--message", str(tmp_path / "m.eml"))["alignment"][0] == verdict
    strict = {**GOOD, ("_dmarc.shop.example", "TXT"): ['"v=DMARC1; p=none; rua=mailto:x@y.example; adkim=s; aspf=s"']}
    (tmp_path / "m.eml").write_text(SAMPLE.format(domain="news.shop.example", headers="From"))
    assert check(strict, "--message", str(tmp_path / "m.eml"))["alignment"][0] == "fail"


def test_r6_dkim_keys_that_are_none(check) -> None:
    name = ("s1._domainkey.shop.example", "TXT")
    for record, verdict, words in (
        ('"v=DKIM1; p="', "fail", "revoked"),
        (f'"v=DKIM1; p={b64encode(b"x" * 162).decode()}"', "warn", "1024"),
        ('"v=DKIM1; p=%%%"', "fail", "base64"),
        (f'"v=DKIM1; k=ed25519; p={b64encode(b"x" * 32).decode()}"', "ok", "has a key"),
    ):
        found = check({**GOOD, name: [record]})["DKIM"]
        assert (found[0], words in found[1]) == (verdict, True), found
    assert check(without(name))["DKIM"][0] == "not verified"  # ours may be one nobody guesses


@pytest.mark.parametrize("covered", ["From:Subject", "From:List-Unsubscribe", "from:list-unsubscribe-post"])
def test_r3_a_signature_that_leaves_out_the_unsubscribe_headers_is_warned_of(
    check, tmp_path: Path, covered: str
) -> None:
    (tmp_path / "m.eml").write_text(SAMPLE.format(domain="shop.example", headers=covered))
    verdict, said, _ = check(GOOD, "--message", str(tmp_path / "m.eml"))["List-Unsubscribe signed"]
    assert (verdict, "leaves out" in said) == ("warn", True)


def test_r3_what_two_signatures_cover_together_or_one_in_folded_lines_is_read(check, tmp_path: Path) -> None:
    def signed(*headers: str) -> str:
        lines = "".join(
            f"DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=s1;\n\th={names}; b=Zm9v\n" for names in headers
        )
        (tmp_path / "m.eml").write_text(f"{lines}From: news@shop.example\n\nx\n")
        return str(check(GOOD, "--message", str(tmp_path / "m.eml"))["List-Unsubscribe signed"][0])

    assert signed("From : to:\n\t list-unsubscribe") == "warn"
    assert signed("From : to:\n\t list-unsubscribe :\n\t List-Unsubscribe-Post") == "ok"


def test_r3_a_sample_that_nobody_signed_fails_and_none_is_not_verified(check, tmp_path: Path) -> None:
    (tmp_path / "m.eml").write_text("From: news@shop.example\n\nx\n")
    assert check(GOOD, "--message", str(tmp_path / "m.eml"))["List-Unsubscribe signed"][0] == "fail"
    assert check(GOOD)["List-Unsubscribe signed"][0] == "not verified"


@pytest.mark.parametrize(
    ("records", "verdict"),
    [
        ({("25.113.0.203.in-addr.arpa", "PTR"): ["other.example."]}, "fail"),
        ({("25.113.0.203.in-addr.arpa", "PTR"): ["other.example."], ("other.example", "A"): ["203.0.113.25"]}, "ok"),
        ({("mx.shop.example", "A"): ["127.0.0.1"]}, "not verified"),
    ],
    ids=range(3),
)
def test_r6_the_name_of_the_sending_host_leads_back_to_it(check, records: Records, verdict: str) -> None:
    assert check({**GOOD, **records}, "--host", "mx.shop.example")["PTR"][0] == verdict


def test_r6_a_domain_that_takes_no_mail(check) -> None:
    assert check({**GOOD, ("shop.example", "MX"): ["0 ."]})["MX"][0] == "fail"


def test_p37_the_domain_is_the_senders_unless_given(workspace: Path, macli: Run) -> None:
    assert macli("doctor", "domain").code == 2
    macli("settings", "set", "sender.email", "news@shop.example")
    with dns_server(GOOD) as server:
        assert "shop.example" in macli("doctor", "domain", "--resolver", server).out
    for bad in ("a b", "localhost", "a..example", "@"):
        assert macli("doctor", "domain", bad).code == 2


def test_p37_the_list_of_records_is_not_verified_and_points_to_the_check(workspace: Path, macli: Run) -> None:
    macli("provider", "add", "smtp", "local", "--host", "127.0.0.1", "--from", "news@shop.example")
    ran = macli("provider", "dns-check", "local", "--json")
    assert {row["status"] for row in json.loads(ran.out)} == {"not verified"}
    assert "macli doctor domain" in macli("provider", "dns-check", "--help").out


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("shop.example", "shop.example"),
        ("a.b.shop.example.", "shop.example"),
        ("news.shop.co.uk", "shop.co.uk"),
        ("news.shop.com.pl", "shop.com.pl"),
        ("shop.de", "shop.de"),
    ],
)
def test_the_organisation_behind_a_domain(domain: str, expected: str) -> None:
    assert organisation(domain) == expected
    assert aligned(domain, expected, strict=False)


def test_r7_mails_to_gmail_within_a_day_are_counted_by_the_senders_domain(workspace: Path, macli: Run) -> None:
    from macli.clock import to_ms
    from macli.store import open_store

    macli("settings", "set", "sender.email", "news@mail.shop.example")
    with open_store(workspace / "macli.db") as store, store.write():
        store.executemany(
            "INSERT INTO sends (channel, state, address, due_at, left_at) VALUES ('email', 'accepted', ?, ?, ?)",
            (
                (f"c{n}@{'googlemail' if n % 2 else 'gmail'}.com", to_ms(NOW), to_ms(NOW - timedelta(hours=n % 30)))
                for n in range(4000)
            ),
        )
    ran = macli("doctor", at=NOW)
    assert "3335 mails within 24 hours from shop.example" in ran.out
    with open_store(workspace / "macli.db") as store, store.write():
        store.execute("UPDATE sends SET left_at = :now", {"now": to_ms(NOW)})
    rows = json.loads(macli("doctor", "--json", at=NOW).out)
    row = next(row for row in rows if row["check"] == "gmail")
    assert (row["verdict"], "4000 mails" in row["said"]) == ("warn", True)
