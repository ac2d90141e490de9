"""Disclosed fields on their way: sealed by the origin's feed, opened by the one recipient."""

from togheter_shared.contracts import strictjson
from togheter_shared.contracts.contract import Contract
from togheter_shared.log.network import Network
from togheter_shared.privacy.keys import seal, unseal


def info(event_id: object, contract_type: str, recipient: str) -> bytes:
    """What a sealed box is bound to, so that it opens nowhere else."""
    return strictjson.canonical(["togheter/disclosure/1", str(event_id), contract_type, recipient])


def seal_for(
    network: Network, recipient: str, event_id: object, contract: Contract, part: dict[str, object]
) -> bytes:
    """Seal `part` for `recipient`. An unknown organisation is a `KeyError`: nothing may leave."""
    organisation = network.organisation(recipient)
    if organisation is None:
        raise KeyError(recipient)
    bound = info(event_id, contract.type, recipient)
    return seal(organisation.seal_key, strictjson.canonical(part), bound)


def open_box(
    private_key: str, recipient: str, event_id: object, type_: str, box: bytes
) -> dict[str, object]:
    """The fields in `box`. Raises a `ValueError` when it is not for us or was changed."""
    opened = strictjson.loads(unseal(private_key, box, info(event_id, type_, recipient)))
    return dict(opened)
