"""Secrets are told from words, samples and places to put one."""

from __future__ import annotations

import pytest

from detectors.secret_checks import SECRETS


@pytest.mark.parametrize(
    ("check", "found"),
    [
        ("random", "q9Zt3LxV7bKd1RmWc5Yp"),
        ("generated", "q9Zt3LxV7bKd"),
        ("generated", "qwZtALxVbbKd1RmWcYpH"),
        ("password", "hunter2"),
        ("password", "Sommer2024!haus"),
        ("unspoken", "7c9d2f4b-81a6-4e3c-9b05-d16f8e2a7340"),
        ("unspoken", "tok_q9Zt3LxV7bKd1RmWc5Yp"),
        ("assigned", "hunter2"),
        ("assigned", "john.smith88"),
        ("assigned", "/k8Zq/2mX9"),
        ("assigned", "SHA256isNotEnough!9"),
        ("chosen", "x9KmWq22!"),
        ("chosen", "kE9!pwQz 7Lm(dd# kQ<2v ;Rt%8yHn^4bVc*6sXz w1"),
        ("mixed", "x9KmWq22"),
        ("mixed", "sommer77!"),
        ("letters", "EPYIpxHZOIJUwqjJDqkeNMgrlJvkhqnv"),
        ("url_password", "pa$$w0rd99"),
        ("url_password", "k9#x"),
        ("address_token", "q9Zt3LxV7bKd1RmWc5Yp8Hs2"),
        # A token that GitHub itself gave out, long expired, and with it the proof of the checksum.
        ("github_token", "ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17"),
        ("github_token", "ghs_123456_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhcHAifQ.q9Zt3LxV7bKd1RmWc5Yp8Hs2"),
        ("npm_token", "npm_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17"),
        ("discord_token", "OTM3MjAxNjQ1NTE4MjczMDQ5.Gaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb"),
        ("azure_token", "KcBEKanD0F0rPZkcHFuep88VxcA3iMwyAs0RqDlRtQxiDX3pCNyc" + "JQQJ99BCACAAAAAAAAAAAAAASAZDOLapi"),
        ("assigned", "data7!x"),
        ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.q9Zt3LxV7bKd1RmWc5Yp8Hs2kQ4vB6nM0jF"),
        ("basic_login", "ZGVwbG95Omg3S3EyLXZNeDkx"),
        ("base64_password", "eDlLbVdxMjIhYWE="),
        ("base64_password", "eDlLbVdxMjIK"),
        ("bitlocker", "368291-516923-041811-671330-359073-074756-226138-163218"),
    ],
)
def test_what_may_open_something_passes(check: str, found: str) -> None:
    assert SECRETS[check](found)


@pytest.mark.parametrize(
    ("check", "found"),
    [
        ("random", "your-api-key-123456"),
        ("random", "AKIAIOSFODNN7EXAMPLE"),
        ("random", "aaaaaaaaaaaaaaaaaaaa1"),
        ("generated", "live_reload_server_port_settings"),
        ("password", "changeme1"),
        ("password", "change-me-123"),
        ("assigned", "Alt+Shift+F10"),
        ("assigned", "random_password.db1.result"),
        ("assigned", "var.db_v2"),
        ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"),
        ("azure_token", "a" * 52 + "JQQJ99BCACAAAAAAAAAAAAAASAZDO1b2C"),
        ("unspoken", "op://vault/slack-2024-k8Zq2mX9/credential"),
        ("unspoken", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-Ab12Cd"),
        ("unspoken", "access_token_v2_header_name1"),
        ("assigned", "changeme1"),
        ("assigned", "/var/lib/jenkins/workspace/build-12"),
        ("assigned", "~/keys/id_ed25519"),
        ("assigned", "request.form.password2"),
        ("assigned", "user1.pass"),
        ("assigned", "settings.openai_key_1"),
        ("assigned", "base64-encoded"),
        ("assigned", "SHA-256"),
        ("assigned", "WPA2-PSK"),
        ("assigned", "32-characters"),
        ("assigned", "90days"),
        ("assigned", "v1.2.3-beta"),
        ("chosen", "put your unique phrase here 1"),
        ("chosen", "$DB_PASS_2"),
        ("chosen", "somewhere"),
        ("chosen", "varchar2"),
        ("chosen", "iso27001"),
        ("mixed", "Room204b"),
        ("mixed", "Sommer2024"),
        ("letters", "PleaseEnterYourPasswordHere"),
        ("letters", "SetHTTPHeaderFromURLParams"),
        ("letters", "EPYIpxHZOIJUwqjJDqk"),
        ("url_password", "$DB_PASSWORD"),
        ("url_password", "x$DB_PASS"),
        ("url_password", "[password]"),
        ("url_password", "8080:path"),
        ("url_password", "123,foo:bar"),
        ("url_password", "pserver:anoncvs"),
        ("url_password", "pass1"),
        ("url_password", "x-oauth-basic"),
        ("address_token", "deployment-user-of-the-shop"),
        ("password", "a1a1a1"),
        ("password", "config.get"),
        ("password", "password"),
        ("github_token", "ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq18"),
        ("npm_token", "npm_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "zzzzzz"),
        ("discord_token", "TWF5YmUgYSB3b3JkIG9yIHR3.Gaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb"),
        ("basic_login", "abcdefghijkl"),
        ("base64_password", "internationalisation"),
        ("base64_password", "JHtEQl9QQVNTV09SRH0="),
        ("bitlocker", "368291-516923-041811-671330-359073-074756-226138-163219"),
        ("bitlocker", "720896-516923-041811-671330-359073-074756-226138-163218"),
    ],
)
def test_what_opens_nothing_is_refused(check: str, found: str) -> None:
    assert not SECRETS[check](found)
