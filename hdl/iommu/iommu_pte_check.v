`default_nettype none
// Page-table entry: encodings of both stages, combinational (Privileged specification: Sv39..Sv57, Sv39x4..Sv57x4, Svnapot,
// Svpbmt). Permissions, U and the A/D state depend on the access and are the caller's.
module iommu_pte_check (
    input  wire [63:0] capabilities_i,

    // Entry in little-endian order, level of its table (0 = the last), and the number of the page that is translated.
    input  wire [63:0] pte_i,
    input  wire [2:0]  level_i,
    input  wire [43:0] page_number_i,

    // V = 0 or a reserved encoding: page fault, leaf or not.
    output wire        malformed_o,
    output wire        leaf_o,
    // Non-leaf with bits that are reserved there, or in the last table.
    output wire        bad_pointer_o,
    // Leaf that is a misaligned superpage or an unknown NAPOT size.
    output wire        bad_page_o,
    // Leaf: size code (iommu_spec_pkg::PAGE_*), and the page number of its address: what it holds of that, and what the translated one
    // gives, to be joined. Of a pointer the first counts alone.
    output wire [2:0]  page_o,
    output wire [43:0] held_o,
    output wire [43:0] within_o
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

  wire        last = level_i == 3'd0;
  wire        napot = n && last;
  wire [2:0]  page = napot ? iommu_spec_pkg::PAGE_64K : last ? iommu_spec_pkg::PAGE_4K : level_i + 3'd1;
  // By the level alone, which is known before the entry: fields of the page number that are offset within the page.
  wire [5:0]  fields = iommu_spec_pkg::page_fields(last ? iommu_spec_pkg::PAGE_4K : level_i + 3'd1);
  wire [51:0] offset = iommu_spec_pkg::field_bits(fields);
  wire [5:0]  set = {ppn[43:36] != '0, ppn[35:27] != '0, ppn[26:18] != '0, ppn[17:9] != '0, ppn[8:4] != '0, ppn[3:0] != '0};

  assign malformed_o =
      !v || (w && !r) || pte_i[58:54] != '0 ||
      (pte_i[60:59] != '0 && !capabilities_i[iommu_spec_pkg::CAP_SVRSW60T59B]) ||
      (pbmt != 2'd0 && !capabilities_i[iommu_spec_pkg::CAP_SVPBMT]) || pbmt == 2'd3 ||
      (n && !last);
  assign leaf_o = r || x;
  assign bad_pointer_o = u || a || d || pbmt != 2'd0 || last;
  assign bad_page_o = last ? n && ppn[3:0] != 4'd8 : (fields & set) != '0;
  assign page_o = page;
  assign held_o = {ppn[43:4], ppn[3:0] & ~{4{napot}}};
  assign within_o = page_number_i & {offset[43:4], {4{last ? n : 1'b1}}};

endmodule
`default_nettype wire
