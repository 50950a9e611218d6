"""Access rules, hashes, keys and tokens, without any broker."""

import base64
import hashlib
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import bcrypt
import jwt
import pytest

from service.provisioning import access, hashes, keys, publish, rules_mosquitto, rules_nats, tokens

RULE = access.station_rule("st-1", "$2a$04$x", "$7$101$s$h")


def test_a_station_may_say_and_hear_its_own_and_nothing_else() -> None:
    assert RULE.publish == ("denchi/v1/37/station/st-1/up/#",)
    assert RULE.subscribe == (
        "denchi/v1/37/station/st-1/down/command",
        "denchi/v1/37/station/st-1/down/committed",
        "denchi/v1/host/+/state",
    )


def test_both_brokers_get_the_same_topics() -> None:
    acl = rules_mosquitto.render_acl([RULE])
    said = [line.split(" ", 2) for line in acl.splitlines() if line.startswith("topic")]
    assert [topic for _, way, topic in said if way == "write"] == list(RULE.publish)
    assert [topic for _, way, topic in said if way == "read"] == list(RULE.subscribe)
    nats = rules_nats.render_access([RULE])
    user = json.loads(nats[nats.index('{"user"') : nats.rindex("]}}") + 4])
    wanted = [subject for topic in RULE.subscribe for subject in rules_nats.subject(topic)]
    assert user["permissions"]["subscribe"]["allow"] == wanted
    assert user["permissions"]["publish"]["allow"] == ["denchi.v1.37.station.st-1.up", "denchi.v1.37.station.st-1.up.>"]


@pytest.mark.parametrize("topic", ["a.b/c", "a/b c", "a/>"])
def test_a_topic_that_would_mean_something_else_to_nats_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match="cannot be a NATS subject"):
        rules_nats.subject(topic)


def test_a_session_of_all_parts_stays_within_the_brokers_bound() -> None:
    assert 64 * rules_nats.MAX_ACK_PENDING <= 65_535


def test_hashes_match_their_secret_and_no_other() -> None:
    secret = hashes.new_secret()
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    assert bcrypt.checkpw(secret.encode(), hashes.hash_bcrypt(secret).encode())
    assert not bcrypt.checkpw(b"guess", hashes.hash_bcrypt(secret).encode())
    _, kind, rounds, salt, key = hashes.hash_pbkdf2(secret).split("$")
    assert kind == "7"
    again = hashlib.pbkdf2_hmac("sha512", secret.encode(), base64.b64decode(salt), int(rounds), 64)
    assert base64.b64decode(key) == again


def test_the_services_hash_stays_while_its_password_stays(tmp_path: Path) -> None:
    first = publish._service(tmp_path, "service", "secret")
    assert publish._service(tmp_path, "service", "secret") == first
    assert publish._service(tmp_path, "service", "another") != first


def test_written_rules_are_private_and_keep_the_modes_they_have(tmp_path: Path) -> None:
    publish.write_rules("mosquitto", tmp_path, [RULE])
    file = tmp_path / rules_mosquitto.PASSWORD_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o640)
    publish.write_rules("mosquitto", tmp_path, [RULE])
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert file.read_text() == "st-1:$7$101$s$h\n"


def test_a_token_is_verified_with_the_published_key_only(tmp_path: Path) -> None:
    keys.make_token_key(tmp_path / "token.pem", tmp_path / "jwks.json")
    assert stat.S_IMODE((tmp_path / "token.pem").stat().st_mode) == 0o600
    text = tokens.mint_token(tmp_path / "token.pem", "https://issuer", "denchi", "r-1", ["rider"], 3600, datetime.now(UTC))
    published = jwt.PyJWKSet.from_json((tmp_path / "jwks.json").read_text())
    key = published[jwt.get_unverified_header(text)["kid"]]
    claims = jwt.decode(text, key, algorithms=["EdDSA"], audience="denchi", issuer="https://issuer")
    assert claims["sub"] == "r-1"
    assert claims["scope"] == "rider"
    assert claims["exp"] - claims["iat"] == 3600
    keys.make_token_key(tmp_path / "other.pem", tmp_path / "other.json")
    other = jwt.PyJWKSet.from_json((tmp_path / "other.json").read_text()).keys[0]
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(text, other, algorithms=["EdDSA"], audience="denchi")


def test_a_key_once_made_stays(tmp_path: Path) -> None:
    keys.make_token_key(tmp_path / "token.pem", tmp_path / "jwks.json")
    keys.make_offer_key(tmp_path / "offer.key")
    files = [tmp_path / "token.pem", tmp_path / "jwks.json", tmp_path / "offer.key"]
    before = [file.read_bytes() for file in files]
    keys.make_token_key(tmp_path / "token.pem", tmp_path / "jwks.json")
    keys.make_offer_key(tmp_path / "offer.key")
    assert [file.read_bytes() for file in files] == before
    assert len(before[2]) >= 32


@pytest.mark.parametrize("scopes", [[], ["root"], ["rider", "admin"]])
def test_no_token_is_made_for_an_unknown_scope(tmp_path: Path, scopes: list[str]) -> None:
    keys.make_token_key(tmp_path / "token.pem", tmp_path / "jwks.json")
    with pytest.raises(ValueError, match="unknown scope"):
        tokens.mint_token(tmp_path / "token.pem", "i", "a", "s", scopes, 60, datetime.now(UTC))
