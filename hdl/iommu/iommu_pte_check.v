`default_nettype none
// Page-table entry: encodings of both stages, combinational (Privileged specification: Sv39..Sv57, Sv39x4..Sv57x4, Svnapot,
// Svpbmt). Permissions, U and the A/D state depend on the access and are the caller's.
module iommu_pte_check (
    input  wire [63:0] capabilities_i,

    // Entry in little-endian order, level of its table (0 = the last), and the address that is translated.
    input  wire [63:0] pte_i,
    input  wire [2:0]  level_i,
    input  wire [63:0] address_i,

    // V = 0 or a reserved encoding: page fault, leaf or not.
    output wire        malformed_o,
    output wire        leaf_o,
    // Non-leaf with bits that are reserved there, or in the last table.
    output wire        bad_pointer_o,
    // Leaf that is a misaligned superpage or an unknown NAPOT size.
    output wire        bad_page_o,
    // Leaf: size code (iommu_spec_pkg::PAGE_*) and translated address.
    output wire [2:0]  page_o,
    output wire [55:0] address_o
);
  wire        v = pte_i[0];
  wire        r = pte_i[1];
  wire        w = pte_i[2];
  wire        x = pte_i[3];
  wire        u = pte_i[4];
  wire        a = pte_i[6];
  wire        d = pte_i[7];
  wire [43:0] ppn = pte_i[53:10];
  wire [1:0]  pbmt = pte_i[62:61];
  wire        n = pte_i[63];

  wire        napot = n && level_i == 3'd0;
  wire [2:0]  page = napot ? iommu_spec_pkg::PAGE_64K : level_i == 3'd0 ? iommu_spec_pkg::PAGE_4K : level_i + 3'd1;
  wire [51:0] mask = iommu_spec_pkg::page_number_mask(page);

  assign malformed_o =
      !v || (w && !r) || pte_i[58:54] != '0 ||
      (pte_i[60:59] != '0 && !capabilities_i[iommu_spec_pkg::CAP_SVRSW60T59B]) ||
      (pbmt != 2'd0 && !capabilities_i[iommu_spec_pkg::CAP_SVPBMT]) || pbmt == 2'd3 ||
      (n && level_i != 3'd0);
  assign leaf_o = r || x;
  assign bad_pointer_o = u || a || d || pbmt != 2'd0 || level_i == 3'd0;
  assign bad_page_o = napot ? ppn[3:0] != 4'd8 : (ppn & mask[43:0]) != '0;
  assign page_o = page;
  assign address_o = {(ppn & ~mask[43:0]) | (address_i[55:12] & mask[43:0]), address_i[11:0]};

endmodule
`default_nettype wire
