`default_nettype none
// Whether the memory link serves an address: RAM below and above 4 GiB, the page of the interrupt controller. Regions are
// multiples of 4 KiB and a request never crosses 4 KiB, so its first address decides. Combinational.
module root_memory_decoder #(
    // First byte and size of each region (sluicegate.platform.AddressMap).
    parameter [63:0] LOW_RAM_BASE = 64'h8000_0000,
    parameter [63:0] LOW_RAM_SIZE = 64'h0400_0000,
    parameter [63:0] HIGH_RAM_BASE = 64'h10_0000_0000,
    parameter [63:0] HIGH_RAM_SIZE = 64'h0400_0000,
    parameter [63:0] IMSIC_BASE = 64'h2800_0000,
    parameter [63:0] IMSIC_SIZE = 64'h1000
) (
    // Address of a request.
    input  wire [63:0] address_i,

    output wire        memory_o
);

  wire low_ram = address_i >= LOW_RAM_BASE && address_i - LOW_RAM_BASE < LOW_RAM_SIZE;
  wire high_ram = address_i >= HIGH_RAM_BASE && address_i - HIGH_RAM_BASE < HIGH_RAM_SIZE;
  wire imsic = address_i >= IMSIC_BASE && address_i - IMSIC_BASE < IMSIC_SIZE;

  assign memory_o = low_ram || high_ram || imsic;

  generate
    if (LOW_RAM_BASE[11:0] != 0 || LOW_RAM_SIZE[11:0] != 0 || HIGH_RAM_BASE[11:0] != 0 || HIGH_RAM_SIZE[11:0] != 0 ||
        IMSIC_BASE[11:0] != 0 || IMSIC_SIZE[11:0] != 0) begin : g_check_regions
      initial $fatal(1, "root_memory_decoder: regions must be multiples of 4 KiB");
    end
  endgenerate

endmodule
`default_nettype wire
