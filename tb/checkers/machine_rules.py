"""Rules of the links of the whole machine, for the protocol checker: who sends where, and which link brings completions back."""

from __future__ import annotations

from tb.checkers.tlp_rules import LinkRules
from tb.scoreboards.fabric import FabricLinks
from tb.scoreboards.tlp_types import AddressType

_SENDER = {"switch_up": "switch", "memory_completion": "testbench", "cpu_request": "testbench"}


def machine_link_rules(
    links: FabricLinks,
    *,
    max_payload: int = 4096,
    max_read_request: int = 4096,
    completion_boundary: int = 64,
    address_types: frozenset[AddressType] = frozenset({AddressType.UNTRANSLATED}),
    direct_peer_completions: bool = False,
    losses: bool = False,
) -> tuple[LinkRules, ...]:
    """Rules of all links of a machine in which every requester and completer is programmed alike; sizes in bytes.

    ``address_types``: allowed between endpoints and root complex; only untranslated requests reach memory and come from the CPU.
    ``direct_peer_completions``: the switch passes completions between its downstream ports, so that the completions of a peer
    request that went up need not come back the same way. ``losses``: host memory may never answer a read.
    """
    back = {links.switch_up: links.switch_down, links.switch_down: links.switch_up}
    for up, down in zip(links.endpoint_up, links.endpoint_down, strict=True):
        back |= {up: down, down: up}
    between = frozenset(back)
    elsewhere = {links.switch_up, links.switch_down} if direct_peer_completions else set()
    if losses:
        elsewhere |= {*links.endpoint_up, links.switch_up, links.memory_request}
    back |= {links.memory_request: links.memory_completion, links.cpu_request: links.cpu_completion}
    rules = []
    for source, name in sorted(links.names.items()):
        kind = "endpoint" if source in links.endpoint_up else "switch" if source in links.endpoint_down else "root_complex"
        rules.append(
            LinkRules(
                source,
                name,
                _SENDER.get(name, kind),
                back.get(source),
                max_payload,
                max_read_request,
                completion_boundary,
                address_types if source in between else frozenset({AddressType.UNTRANSLATED}),
                prefix_allowed=source in between,
                completes_elsewhere=source in elsewhere,
            )
        )
    return tuple(rules)
