"""Links of the switch testbench top: which port each belongs to (``tb/tops/switch_top.sv``)."""

from __future__ import annotations

from tb.scoreboards.fabric import FabricLinks

INGRESS_PORT = {1: 0, 2: 1, 4: 2}
"""Port of each link that enters the switch."""
INGRESS_LINK = {port: link for link, port in INGRESS_PORT.items()}
EGRESS_LINK = {0: 0, 1: 3, 2: 5}
"""Link that leaves each port."""
LINKS = FabricLinks(
    endpoint_up=(2, 4),
    endpoint_down=(3, 5),
    switch_up=0,
    switch_down=1,
    memory_request=20,
    memory_completion=21,
    cpu_request=22,
    cpu_completion=23,
)
"""The same for the flow scoreboard; links beyond the switch have numbers that no TLP carries."""
