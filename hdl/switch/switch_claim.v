`default_nettype none
// Which bridges of the switch claim an address or a bus number on their secondary side. Combinational.
// Bit 0 is the upstream port, bit n downstream port n. A window counts only with Memory Space Enable; bus numbers only after software
// has set the secondary bus number (0 = not set).
module switch_claim #(
    // Upstream port and downstream ports.
    parameter int PORTS = 3
) (
    // Address of a memory request, and a bus number of interest (requester, target or destination).
    input  wire [63:0]         address_i,
    input  wire [7:0]          bus_i,

    // Configuration of the ports, port 0 lowest (pci_config_type1).
    input  wire [PORTS-1:0]    memory_enable_i,
    input  wire [PORTS*12-1:0] memory_base_i,
    input  wire [PORTS*12-1:0] memory_limit_i,
    input  wire [PORTS*44-1:0] prefetchable_base_i,
    input  wire [PORTS*44-1:0] prefetchable_limit_i,
    input  wire [PORTS*8-1:0]  secondary_bus_i,
    input  wire [PORTS*8-1:0]  subordinate_bus_i,

    // Address in a window; bus number in [secondary..subordinate]; bus number equal to secondary.
    output wire [PORTS-1:0]    window_o,
    output wire [PORTS-1:0]    range_o,
    output wire [PORTS-1:0]    secondary_o
);

  // Windows are aligned to 1 MiB.
  wire unused_address = &{1'b0, address_i[19:0]};

  generate
    for (genvar p = 0; p < PORTS; p++) begin : g_port
      logic in_memory, in_prefetchable, is_numbered;

      assign in_memory = address_i[63:32] == 32'd0 && address_i[31:20] >= memory_base_i[p*12+:12] &&
          address_i[31:20] <= memory_limit_i[p*12+:12];
      assign in_prefetchable = address_i[63:20] >= prefetchable_base_i[p*44+:44] &&
          address_i[63:20] <= prefetchable_limit_i[p*44+:44];
      assign is_numbered = secondary_bus_i[p*8+:8] != 8'd0;

      assign window_o[p] = memory_enable_i[p] && (in_memory || in_prefetchable);
      assign range_o[p] = is_numbered && bus_i >= secondary_bus_i[p*8+:8] && bus_i <= subordinate_bus_i[p*8+:8];
      assign secondary_o[p] = is_numbered && bus_i == secondary_bus_i[p*8+:8];
    end
  endgenerate

endmodule
`default_nettype wire
