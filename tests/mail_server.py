"""A real Postfix with Dovecot behind it, private to a test run: TLS, AUTH, Maildirs, IMAP, refusals, bounces.

Needs root (Postfix changes users). Everything lives in one directory; all addresses are loopback.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

DOMAIN = "shop.test"
USER, PASSWORD = "news", "corr3ct-horse"
BOX = "bounces"
"""The mailbox bounces come to, with whatever stands behind a + in its name."""

REFUSING, LATER, LOST = "reject.test", "slow.test", "nowhere.test"
"""Hosts behind the server: one refuses, one asks to come again till the server gives up, one is not there."""

MAIN_CF = """
compatibility_level = 3.6
config_directory = {base}/postfix
queue_directory = {base}/queue
data_directory = {base}/state
maillog_file = {base}/mail.log
maillog_file_prefixes = {base}
myhostname = mx.{domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 192.0.2.0/24
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {base}/boxes
recipient_delimiter = +
virtual_mailbox_maps = inline:{{ ann@{domain}=ann/, {user}@{domain}={user}/, {box}@{domain}={box}/ }}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
default_transport = error:5.4.4 nothing leaves this test
transport_maps = inline:{{
  {{ {lost} = error:5.4.4 Host or domain name not found }}
  {{ {refusing} = smtp:[127.0.0.1]:{refusing_port} }}
  {{ {later} = smtp:[127.0.0.1]:{later_port} }} }}
smtp_dns_support_level = disabled
smtp_host_lookup = native
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
maximal_queue_lifetime = 5s
bounce_queue_lifetime = 5s
smtpd_tls_cert_file = {base}/tls/cert.pem
smtpd_tls_key_file = {base}/tls/key.pem
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{sasl}
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_reject_unlisted_recipient = no
smtpd_recipient_restrictions = check_recipient_access inline:{{ {lost}=OK }}, reject_unlisted_recipient, permit
message_size_limit = 200000
alias_maps =
notify_classes =
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
smtp unix - - n - - smtp
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

DOVECOT = """
base_dir = {base}/dovecot/run
state_dir = {base}/dovecot/state
log_path = {base}/dovecot/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{base}/tls/cert.pem
ssl_key = <{base}/tls/key.pem
mail_location = maildir:{base}/boxes/%n
first_valid_uid = 1
auth_mechanisms = plain login
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {base}/dovecot/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={base}/boxes
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {sasl}
  }}
}}
"""


@dataclass(frozen=True)
class MailServer:
    """A running server: STARTTLS and AUTH on ``port``, TLS from the start on ``tls_port``; IMAP with
    STARTTLS on ``imap``, with TLS from the start on ``imaps``. ``peers`` are the ports to which it
    hands mail for REFUSING and LATER."""

    base: Path
    port: int
    tls_port: int
    imap: int
    imaps: int
    peers: tuple[int, int]

    @property
    def ca(self) -> Path:
        return self.base / "tls" / "ca.pem"

    def arrived(self, box: str, count: int = 1, *, within: float = 15) -> list[bytes]:
        """What lies in a mailbox once there are ``count`` messages."""
        folder = self.base / "boxes" / box / "new"
        end = time.monotonic() + within
        while True:
            files = sorted(folder.glob("*")) if folder.exists() else []
            if len(files) >= count or time.monotonic() > end:
                return [file.read_bytes() for file in files]
            time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@contextmanager
def mail_server(base: Path) -> Iterator[MailServer]:
    """The server for a block; its processes end with it."""
    if os.geteuid() != 0:
        pytest.skip("Postfix wants root")
    base.mkdir(parents=True)
    for folder in (base, *base.parents):
        if folder.stat().st_uid == 0 and folder.is_relative_to("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    port, tls_port, sasl, imap, imaps, refusing, later = free_ports(7)
    words = {
        "base": base,
        "domain": DOMAIN,
        "user": USER,
        "sasl": sasl,
        "port": port,
        "tls_port": tls_port,
        "box": BOX,
        "imap": imap,
        "imaps": imaps,
        "refusing": REFUSING,
        "refusing_port": refusing,
        "lost": LOST,
        "later": LATER,
        "later_port": later,
    }
    for name in ("postfix", "queue", "state", "boxes", "tls", "dovecot"):
        (base / name).mkdir()
    for source in ("/etc/postfix/postfix-files", "/etc/postfix/dynamicmaps.cf", "/usr/share/postfix/dynamicmaps.cf"):
        if Path(source).exists():
            shutil.copy(source, base / "postfix")
    (base / "postfix" / "main.cf").write_text(MAIN_CF.format(**words))
    (base / "postfix" / "master.cf").write_text(MASTER_CF.format(**words))
    (base / "dovecot" / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n{BOX}:{{PLAIN}}{PASSWORD}\n")
    (base / "dovecot" / "dovecot.conf").write_text(DOVECOT.format(**words))
    _certificates(base / "tls")
    shutil.chown(base / "state", "postfix")
    os.chown(base / "boxes", 65534, 65534)
    dovecot, postfix = base / "dovecot" / "dovecot.conf", base / "postfix"
    try:
        _run("dovecot", "-c", dovecot)
        _run("postfix", "-c", postfix, "start")
        _wait(port, b"220")
        _wait(imap, b"* OK")
        yield MailServer(base, port, tls_port, imap, imaps, (refusing, later))
    finally:
        _run("postfix", "-c", postfix, "stop", check=False)
        _run("doveadm", "-c", dovecot, "stop", check=False)


def _certificates(folder: Path) -> None:
    def openssl(*words: str) -> None:
        _run("openssl", *words, cwd=folder)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=a test's CA")
    openssl("req", *key, "-keyout", "key.pem", "-out", "csr.pem", "-subj", f"/CN=mx.{DOMAIN}")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl(
        *("x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
        *("-days", "2", "-out", "cert.pem", "-extfile", "names"),
    )


def _run(*words: str | Path, check: bool = True, cwd: Path | None = None) -> None:
    # Daemons must not inherit a pipe, or whoever reads it waits for them for ever.
    subprocess.run(
        list(map(str, words)),
        check=check,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )


def _wait(port: int, greeting: bytes) -> None:
    for _ in range(200):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                if connection.recv(len(greeting)) == greeting:
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"nothing says {greeting!r} on port {port}")
