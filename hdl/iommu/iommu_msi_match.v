`default_nettype none
// MSI address recognition and interrupt file number, combinational (Process to translate addresses of MSIs).
module iommu_msi_match (
    input  wire [63:0] capabilities_i,

    // Guest physical address, DC.msi_addr_mask and DC.msi_addr_pattern.
    input  wire [63:0] guest_i,
    input  wire [51:0] mask_i,
    input  wire [51:0] pattern_i,

    output wire        match_o,
    // Bits of the page number where the mask is 1, packed towards bit 0.
    output wire [51:0] index_o
);
  // Guest page numbers have MGPAW - 12 bits; bits beyond are no part of mask, pattern or address.
  logic [51:0] width;
  logic [51:0] page;
  logic [51:0] mask;
  logic [51:0] index;

  always_comb begin
    if (capabilities_i[iommu_spec_pkg::CAP_SV57X4]) width = {5'd0, {47{1'b1}}};
    else if (capabilities_i[iommu_spec_pkg::CAP_SV48X4]) width = {14'd0, {38{1'b1}}};
    else if (capabilities_i[iommu_spec_pkg::CAP_SV39X4]) width = {23'd0, {29{1'b1}}};
    else width = (52'd1 << (capabilities_i[37:32] - 6'd12)) - 52'd1;
  end

  assign page = guest_i[63:12];
  assign mask = mask_i & width;

  // Compress by halves: each round moves the selected bits to the right by the unselected bits below them, 1, 2, 4 .. at a time.
  logic [51:0] selected, below, parity, moved, shifted;

  always_comb begin
    index = page & mask;
    selected = mask;
    below = ~mask << 1;
    for (int i = 0; i < 6; i++) begin
      // Prefix exclusive-or: bit k = parity of the unselected bits below k.
      parity = below ^ (below << 1);
      parity = parity ^ (parity << 2);
      parity = parity ^ (parity << 4);
      parity = parity ^ (parity << 8);
      parity = parity ^ (parity << 16);
      parity = parity ^ (parity << 32);
      moved = parity & selected;
      selected = (selected ^ moved) | (moved >> (1 << i));
      shifted = index & moved;
      index = (index ^ shifted) | (shifted >> (1 << i));
      below = below & ~parity;
    end
  end

  assign match_o = ((page ^ pattern_i) & ~mask & width) == '0;
  assign index_o = index;

endmodule
`default_nettype wire
