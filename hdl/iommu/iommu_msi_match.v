`default_nettype none
// MSI address recognition, combinational (Process to translate addresses of MSIs, steps 1 to 4).
module iommu_msi_match (
    // Effective capabilities.
    input  wire [63:0] capabilities_i,

    // Guest physical address, DC.msi_addr_mask and DC.msi_addr_pattern.
    input  wire [63:0] guest_i,
    input  wire [51:0] mask_i,
    input  wire [51:0] pattern_i,

    output wire        match_o
);
  // Bits beyond those of a guest page number are no part of mask, pattern or address.
  assign match_o = ((guest_i[63:12] ^ pattern_i) & ~mask_i & iommu_spec_pkg::guest_page_bits(capabilities_i)) == '0;

endmodule
`default_nettype wire
