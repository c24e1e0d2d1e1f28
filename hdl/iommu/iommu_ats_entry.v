`default_nettype none
// The 8-byte entry of a translation completion for a successful answer at the translation port, bit 63 first on the wire, combinational
// (PCIe ATS, Translation Completion; RISC-V IOMMU, PCIe ATS translation request handling). Ranges beyond 4 KiB have S = 1 and
// their size in the trailing ones of the page number. N and AMA are 0; devices here are no CXL devices, so CXL.io is 0.
module iommu_ats_entry (
    // Fields of the response (docs/interfaces.md section 3).
    input  wire [58:0] spa_i,
    input  wire [7:0]  permissions_i,
    input  wire [5:0]  size_i,
    input  wire        mrif_i,
    input  wire [43:0] mrif_nppn_i,

    output wire [63:0] entry_o
);

  wire        unused_offset = &{1'b0, spa_i[11:0], permissions_i[7], permissions_i[iommu_pkg::PERMISSION_CXL_IO]};
  wire        r = permissions_i[iommu_pkg::PERMISSION_R];
  wire        w = permissions_i[iommu_pkg::PERMISSION_W];
  wire [51:0] page = mrif_i ? {8'd0, mrif_nppn_i} : {5'd0, spa_i[58:12]};
  wire        superpage = size_i > 6'd12;
  // Page number bits below the range; all but the highest of them are ones.
  wire [51:0] offset_bits = (52'd1 << (size_i - 6'd12)) - 52'd1;
  wire [51:0] encoded = superpage ? (page & ~offset_bits) | (offset_bits >> 1) : page;
  // Without R and W nothing but the privilege is valid.
  wire        usable = r || w;

  assign entry_o = {
    usable ? encoded : 52'd0, usable && superpage, 5'd0,
    permissions_i[iommu_pkg::PERMISSION_GLOBAL], permissions_i[iommu_pkg::PERMISSION_PRIVILEGED],
    permissions_i[iommu_pkg::PERMISSION_X], permissions_i[iommu_pkg::PERMISSION_UNTRANSLATED_ONLY], w, r
  };

endmodule
`default_nettype wire
