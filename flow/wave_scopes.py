"""What of a DUT is worth seeing in a wave, and under which path: written beside a simulation that can write waves.

`wave_scopes.json`: `{"path": of the top, "top": [signals], "links": {number: [path, [signals]]},
"modules": {module: [[paths], [ports]]}}`, a signal being `[name, range]` with an empty range for a scalar. Links are found by
their monitors (`tlp_link_monitor`, parameter `LINK`), which every top has with the same ports.
"""

from __future__ import annotations

from typing import Any

from flow.syntax_tree import SyntaxTree

FILE = "wave_scopes.json"
LINK_MONITOR = "tlp_link_monitor"
EVERYWHERE = ("clk_i", "rst_i", "cycle_i")


def listed(tree: SyntaxTree, top: str) -> dict[str, Any]:
    """The content of `wave_scopes.json`."""
    links: dict[str, list[Any]] = {}
    modules: dict[str, list[Any]] = {}
    first: list[list[Any]] = []
    for path, module in tree.instances(top):
        signals = tree.signals(module)
        ports = [[signal.name, signal.span] for signal in signals if signal.is_port and signal.bits]
        if path == top:
            first = [[signal.name, signal.span] for signal in signals if signal.bits]
        elif module["origName"] == LINK_MONITOR:
            links[str(tree.parameter(module, "LINK"))] = [path, [port for port in ports if port[0] not in EVERYWHERE]]
        else:
            modules.setdefault(module["origName"], [[], ports])[0].append(path)
    return {"path": top, "top": first, "links": links, "modules": modules}
