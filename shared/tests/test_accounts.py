"""Accounts, sessions, limits and second factors, in a real database of accounts."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from togheter_shared.access import accounts, limits, passwords, sessions, tokens, totp
from togheter_shared.access.viewer import Role
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase

NOW = 1_800_000_000.0


@pytest.fixture
def conn(database: ServiceDatabase) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        migrate(owner, ["togheter_shared.access"], database.name)
    with psycopg.connect(database.url, autocommit=True) as conn:
        yield conn


def add(
    conn: psycopg.Connection, name: str = "anna", role: Role = Role.FRONT_DESK
) -> accounts.Account:
    accounts.add(conn, name, [role])
    found = accounts.find(conn, name)
    assert found is not None
    return found


# --- accounts ------------------------------------------------------------------------------------


def test_a_new_account_has_no_password_until_its_secret_is_used_once(
    conn: psycopg.Connection,
) -> None:
    account = add(conn)
    assert account.state == "invited"
    assert accounts.password_of(conn, "anna") == (None, None)
    secret = accounts.invite(conn, "anna")
    assert accounts.set_up(conn, secret, "a hash") == account.account_id
    assert accounts.set_up(conn, secret, "another") is None
    assert accounts.password_of(conn, "anna") == (account.account_id, "a hash")


def test_the_database_holds_no_secret_of_an_invitation(conn: psycopg.Connection) -> None:
    add(conn)
    secret = accounts.invite(conn, "anna")
    row = conn.execute("select account::text from account").fetchone()
    assert row is not None and secret not in row[0]


def test_an_invitation_that_is_late_or_was_replaced_sets_nothing_up(
    conn: psycopg.Connection,
) -> None:
    add(conn)
    first = accounts.invite(conn, "anna")
    second = accounts.invite(conn, "anna")
    assert accounts.set_up(conn, first, "a hash") is None
    conn.execute("update account set set_up_until = now()")
    assert accounts.invited(conn, second) is None
    assert accounts.set_up(conn, second, "a hash") is None


def test_a_name_is_had_once_and_needs_a_role(conn: psycopg.Connection) -> None:
    add(conn)
    with pytest.raises(accounts.AccountError, match="already"):
        accounts.add(conn, "anna", [Role.READER])
    with pytest.raises(accounts.AccountError, match="role"):
        accounts.add(conn, "zoe", [])
    with pytest.raises(accounts.AccountError, match="lower-case"):
        accounts.add(conn, "Zoe Ò", [Role.READER])
    with pytest.raises(accounts.AccountError, match="accounts list"):
        accounts.disable(conn, "nobody")


# --- sessions ------------------------------------------------------------------------------------


def session(conn: psycopg.Connection, account: accounts.Account, *, second: bool = False) -> str:
    return sessions.begin(conn, account_id=account.account_id, stage="full", second_factor=second)


def viewer(conn: psycopg.Connection, token: str) -> object:
    found = sessions.find(conn, token)
    return None if found is None else found.viewer


def test_a_session_is_its_account_with_its_roles(conn: psycopg.Connection) -> None:
    account = add(conn)
    token = session(conn, account)
    found = sessions.find(conn, token)
    assert found is not None and found.viewer is not None
    assert (found.viewer.name, found.viewer.kind) == ("anna", "person")
    assert found.viewer.roles == {Role.FRONT_DESK}
    assert found.viewer.account_id == account.account_id
    assert found.viewer.csrf == sessions.csrf_of(token)
    assert found.viewer.csrf not in repr(found.viewer) and token not in repr(found)
    row = conn.execute("select session::text from session").fetchone()
    assert row is not None and token not in row[0]


@pytest.mark.parametrize("spoil", ["x", "", "'", "\x00", "é" * 43])
def test_a_cookie_that_nobody_gave_is_nobody(conn: psycopg.Connection, spoil: str) -> None:
    token = session(conn, add(conn))
    assert sessions.find(conn, spoil) is None
    assert sessions.find(conn, spoil + token[len(spoil) :]) is None or spoil == ""


@pytest.mark.parametrize(
    "over",
    [
        "seen_at = now() - interval '15 minutes 1 second'",
        "ends_at = now() - interval '1 second'",
    ],
)
def test_a_session_ends_when_idle_and_at_its_end(conn: psycopg.Connection, over: str) -> None:
    token = session(conn, add(conn))
    conn.execute("update session set " + over)  # type: ignore[call-overload]
    assert sessions.find(conn, token) is None


def test_a_session_lasts_eight_hours_at_most(conn: psycopg.Connection) -> None:
    token = session(conn, add(conn))
    row = conn.execute("select ends_at - created_at <= interval '8 hours' from session").fetchone()
    assert row == (True,)
    found = sessions.find(conn, token)
    assert found is not None
    sessions.touch(conn, found)
    row = conn.execute("select ends_at - created_at <= interval '8 hours' from session").fetchone()
    assert row == (True,)


def test_disabling_an_account_ends_its_sessions_at_once_and_for_good(
    conn: psycopg.Connection,
) -> None:
    account = add(conn)
    accounts.set_password(conn, account.account_id, "a hash")
    token = session(conn, account)
    accounts.disable(conn, "anna")
    assert sessions.find(conn, token) is None
    assert accounts.password_of(conn, "anna") == (None, None)
    accounts.enable(conn, "anna")
    assert sessions.find(conn, token) is None
    assert accounts.password_of(conn, "anna") == (account.account_id, "a hash")


def test_an_account_disabled_by_hand_is_nobody_although_its_session_is_there(
    conn: psycopg.Connection,
) -> None:
    token = session(conn, add(conn))
    conn.execute("update account set disabled_at = now()")
    assert sessions.find(conn, token) is None


def test_other_roles_end_the_sessions_that_had_the_old_ones(conn: psycopg.Connection) -> None:
    token = session(conn, add(conn))
    accounts.set_roles(conn, "anna", [Role.READER])
    assert sessions.find(conn, token) is None


def test_a_reset_takes_password_second_factor_and_sessions(conn: psycopg.Connection) -> None:
    account = add(conn)
    accounts.set_password(conn, account.account_id, "a hash")
    secret = totp.propose(conn, account.account_id)
    assert totp.confirm(conn, account.account_id, totp.code_at(secret, int(NOW // 30)), NOW)
    token = session(conn, account, second=True)
    fresh = accounts.reset(conn, "anna")
    found = accounts.find(conn, "anna")
    assert found is not None and not found.has_password and not found.has_second_factor
    assert sessions.find(conn, token) is None
    assert accounts.set_up(conn, fresh, "another") == account.account_id


def test_a_new_session_ends_the_one_that_it_replaces(conn: psycopg.Connection) -> None:
    account = add(conn)
    before = sessions.begin(conn, account_id=account.account_id, stage="password")
    after = sessions.begin(
        conn, account_id=account.account_id, stage="full", second_factor=True, replaces=before
    )
    assert before != after
    assert sessions.find(conn, before) is None and viewer(conn, after) is not None


@pytest.mark.parametrize("role", sorted(accounts.PROTECTED))
def test_who_sees_protected_data_is_nobody_without_a_second_factor(
    conn: psycopg.Connection, role: Role
) -> None:
    account = add(conn, role=role)
    assert viewer(conn, session(conn, account)) is None
    assert viewer(conn, session(conn, account, second=True)) is not None


def test_a_session_that_only_knows_the_password_is_nobody(conn: psycopg.Connection) -> None:
    token = sessions.begin(conn, account_id=add(conn).account_id, stage="password")
    assert viewer(conn, token) is None


def test_the_cookie_is_bound_to_its_host_and_hidden_from_scripts() -> None:
    made = sessions.cookie("ponte", "x" * 43)
    assert made.startswith("__Host-togheter-ponte=")
    parts = {part.strip() for part in made.split(";")[1:]}
    assert parts == {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}
    assert "Max-Age=0" in sessions.cookie("ponte", "")


def test_one_ends_ones_own_sessions_only(conn: psycopg.Connection) -> None:
    anna, zoe = add(conn), add(conn, "zoe")
    mine, here, theirs = session(conn, anna), session(conn, anna), session(conn, zoe)
    (kept, *_), (other, *_) = sessions.of_account(conn, anna.account_id)
    sessions.end_one(conn, zoe.account_id, other)
    assert sessions.find(conn, mine) is not None
    sessions.end_all(conn, anna.account_id, but=kept)
    assert sessions.find(conn, mine) is None and sessions.find(conn, here) is not None
    sessions.end(conn, here)
    assert sessions.find(conn, here) is None and sessions.find(conn, theirs) is not None


# --- passwords -----------------------------------------------------------------------------------


def test_a_password_is_known_by_its_hash_alone() -> None:
    made = passwords.hash_of("la porta è aperta")
    assert made.startswith("$argon2id$") and not passwords.is_outdated(made)
    assert passwords.verify("la porta è aperta", made)
    assert passwords.verify("la porta e\u0300 aperta", made), "typed on another keyboard"
    assert not passwords.verify("la porta è chiusa", made)


def test_nobody_has_no_password_that_fits() -> None:
    for given in ("", "the account that does not exist", "x" * 100_000):
        assert not passwords.verify(given, None)
    assert not passwords.verify("anything", "not a hash")


@pytest.mark.parametrize(
    "password", ["short", "x" * 201, "aaaaaaaaaaaaaa", "PasswordPassword", "anna.rossi.ponte"]
)
def test_a_password_that_is_short_or_common_is_refused(password: str) -> None:
    with pytest.raises(passwords.PasswordRefused):
        passwords.assert_good(password, "anna.rossi.ponte")


@pytest.mark.parametrize(
    "password", ["correct horse battery", "كلمة السر الطويلة", "12 gatti blu!"]
)
def test_any_long_password_is_taken_in_every_script(password: str) -> None:
    passwords.assert_good(password, "anna")


# --- limits --------------------------------------------------------------------------------------


def test_who_goes_on_failing_waits_longer_each_time(conn: psycopg.Connection) -> None:
    taken = limits.limits_for("password", "anna", "192.0.2.1")
    for _ in range(5):
        assert limits.take(conn, taken) == 0
    assert limits.take(conn, taken) == 1
    conn.execute("update attempt set closed_until = now()")
    assert limits.take(conn, taken) == 0
    assert limits.take(conn, taken) == 2


def test_who_fails_on_purpose_does_not_keep_the_owner_out(conn: psycopg.Connection) -> None:
    for _ in range(6):
        limits.take(conn, limits.limits_for("password", "anna", "192.0.2.1"))
    assert limits.take(conn, limits.limits_for("password", "anna", "192.0.2.1")) > 0
    assert limits.take(conn, limits.limits_for("password", "anna", "198.51.100.7")) == 0


def test_many_addresses_together_slow_an_account_down_for_seconds_only(
    conn: psycopg.Connection,
) -> None:
    waits = [
        limits.take(conn, limits.limits_for("password", "anna", f"192.0.{at // 250}.{at % 250}"))
        for at in range(104)
    ]
    assert not any(waits[:100]) and any(waits[100:]) and max(waits) <= 10


def test_one_address_that_tries_many_accounts_is_stopped(conn: psycopg.Connection) -> None:
    waits = [
        limits.take(conn, limits.limits_for("password", f"name{at}", f"2001:db8::{at:x}"))
        for at in range(35)
    ]
    assert not any(waits[:30]) and any(waits[30:]), "a subscriber's whole network counts as one"


def test_a_good_attempt_does_not_count(conn: psycopg.Connection) -> None:
    taken = limits.limits_for("password", "anna", "192.0.2.1")
    for _ in range(200):
        assert limits.take(conn, taken) == 0
        limits.give_back(conn, taken)


# --- the second factor ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_rfc_6238(moment: int, code: str) -> None:
    assert totp.code_at(b"12345678901234567890", moment // 30, digits=8) == code


def test_a_code_is_good_once_and_for_a_moment(conn: psycopg.Connection) -> None:
    account_id = add(conn).account_id
    secret = totp.propose(conn, account_id)
    assert totp.propose(conn, account_id) == secret
    step = int(NOW // 30)
    assert totp.confirm(conn, account_id, "000", NOW) is None
    assert totp.confirm(conn, account_id, totp.code_at(secret, step), NOW)
    with pytest.raises(LookupError):
        totp.propose(conn, account_id)
    assert not totp.check(conn, account_id, totp.code_at(secret, step), NOW), "used before"
    following = totp.code_at(secret, step + 1)
    assert totp.check(conn, account_id, f" {following[:3]} {following[3:]}", NOW + 30)
    assert not totp.check(conn, account_id, following, NOW + 30)
    assert not totp.check(conn, account_id, totp.code_at(secret, step + 2), NOW + 300)
    for wrong in ("", "٠" * 6, "\x00", "x" * 10_000):
        assert not totp.check(conn, account_id, wrong, NOW + 30)


def test_a_recovery_code_is_good_once_and_kept_as_a_hash(conn: psycopg.Connection) -> None:
    account_id = add(conn).account_id
    other = add(conn, "zoe").account_id
    secret = totp.propose(conn, account_id)
    codes = totp.confirm(conn, account_id, totp.code_at(secret, int(NOW // 30)), NOW)
    assert codes is not None and len(set(codes)) == 10
    row = conn.execute("select string_agg(code_hash::text, ' ') from recovery_code").fetchone()
    assert row is not None and codes[0].encode().hex() not in row[0]
    assert not totp.check(conn, other, codes[0], NOW)
    assert totp.check(conn, account_id, codes[0].upper(), NOW)
    assert not totp.check(conn, account_id, codes[0], NOW)


# --- machines ------------------------------------------------------------------------------------


def test_a_token_in_the_database_of_accounts_is_found_as_in_a_services_own(
    conn: psycopg.Connection,
) -> None:
    token = tokens.mint()
    tokens.add(conn, "door", token, ["all"], 1)
    found = tokens.find(conn, token)
    assert found is not None and found.kind == "machine"
