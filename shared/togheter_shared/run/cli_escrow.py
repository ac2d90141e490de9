"""Commands for the officers who keep the organisation's privacy key in shares."""

import os
from pathlib import Path

import click

from togheter_shared.run.cli import Program, stop


@click.group("escrow")
def escrow() -> None:
    """The organisation's privacy key in three shares, of which two give it back."""


@escrow.command("split")
@click.option("--into", required=True, type=click.Path(path_type=Path), help="A folder.")
@click.pass_obj
def _split(program: Program, into: Path) -> None:
    """Write three shares of today's key, a file for each officer; give them away, and keep none."""
    from togheter_shared.privacy.escrow import split
    from togheter_shared.privacy.organisation import VARIABLE, read_secrets

    program.settings  # noqa: B018 (says what is missing)
    key = read_secrets(os.environ[VARIABLE])[0]
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number, share in enumerate(split(key), start=1):
        _write(into / f"share-{number}.txt", share + "\n")
    click.echo(f"three shares are in {into}: one for each officer; then try them with a drill")


@escrow.command("drill")
@click.argument("shares", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.pass_obj
def _drill(program: Program, shares: tuple[Path, ...]) -> None:
    """Show that two shares open what is sealed today; changes nothing, and shows no key."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from togheter_shared.privacy.organisation import OrganisationKeys, key_id
    from togheter_shared.privacy.persons import opens, organisation_keys

    key = _combined(shares)
    found = OrganisationKeys(key_id(key), {key_id(key): AESGCM(key)})
    if found.current != organisation_keys().current:
        stop("these are shares of a key that is not in use any more: split today's key")
    with program.database() as conn:
        opened, others = opens(conn, found)
    click.echo(f"the shares open {opened} key{'' if opened == 1 else 's'} of persons")
    if others:
        stop(f"{others} are wrapped with an older key: run `privacy rotate`")


@escrow.command("recover")
@click.argument("shares", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="The file to write.")
def _recover(shares: tuple[Path, ...], to: Path) -> None:
    """Write the key that two shares give to a new file, for `TOGHETER_PRIVACY_KEY`."""
    from base64 import b64encode

    _write(to, b64encode(_combined(shares)).decode() + "\n")
    click.echo(f"the key is in {to}; set TOGHETER_PRIVACY_KEY=file:{to}")


def _combined(shares: tuple[Path, ...]) -> bytes:
    from togheter_shared.privacy.escrow import BadShares, combine

    try:
        return combine([path.read_text("ascii") for path in shares])
    except (BadShares, OSError, UnicodeDecodeError) as error:
        stop(str(error) if isinstance(error, BadShares) else "a share cannot be read")


def _write(path: Path, text: str) -> None:
    """A new file that only its owner may read; one that is there is not touched."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        stop(f"{path} cannot be written ({type(error).__name__}); choose another place")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
