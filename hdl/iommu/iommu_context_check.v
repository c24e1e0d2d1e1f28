`default_nettype none
// Device context: decode and configuration checks, combinational (Data Structures: Device-context configuration checks).
// Cause precedence is the caller's: V before `misconfigured_o`.
module iommu_context_check (
    // Effective capabilities and fctl.BE.
    input  wire [63:0]                               capabilities_i,
    input  wire                                      big_endian_i,

    // Dwords of the context in little-endian order, dword 0 lowest; 4..7 are ignored in the base format.
    input  wire [511:0]                              data_i,

    output wire                                      valid_o,
    output wire                                      misconfigured_o,
    // context_t (iommu_records.vh), not resolved.
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]      context_o
);
  `include "iommu_records.vh"

  wire [63:0] tc = data_i[63:0];
  wire [63:0] iohgatp = data_i[127:64];
  wire [63:0] ta = data_i[191:128];
  wire [63:0] fsc = data_i[255:192];
  wire [63:0] msiptp = data_i[319:256];
  wire [63:0] msi_mask = data_i[383:320];
  wire [63:0] msi_pattern = data_i[447:384];
  wire [63:0] last = data_i[511:448];

  wire en_ats = tc[1];
  wire en_pri = tc[2];
  wire t2gpa = tc[3];
  wire pdtv = tc[5];
  wire prpr = tc[6];
  wire gade = tc[7];
  wire sade = tc[8];
  wire dpe = tc[9];
  wire sbe = tc[10];
  wire sxl = tc[11];
  wire second_bare = iohgatp[63:60] == 4'd0;
  wire extended = capabilities_i[iommu_spec_pkg::CAP_MSI_FLAT];
  wire msi_on = extended && msiptp[63:60] == 4'd1;

  wire [2:0] first_supported = {capabilities_i[iommu_spec_pkg::CAP_SV57], capabilities_i[iommu_spec_pkg::CAP_SV48],
                                capabilities_i[iommu_spec_pkg::CAP_SV39]};
  wire [2:0] second_supported = {capabilities_i[iommu_spec_pkg::CAP_SV57X4], capabilities_i[iommu_spec_pkg::CAP_SV48X4],
                                 capabilities_i[iommu_spec_pkg::CAP_SV39X4]};
  // MODE 0 (Bare), PD8, PD17, PD20.
  wire [3:0] directory_supported = {capabilities_i[iommu_spec_pkg::CAP_PD20], capabilities_i[iommu_spec_pkg::CAP_PD17],
                                    capabilities_i[iommu_spec_pkg::CAP_PD8], 1'b1};

  wire bad_control =
      tc[23:12] != '0 || tc[63:32] != '0 ||
      (!capabilities_i[iommu_spec_pkg::CAP_ATS] && (en_ats || en_pri || prpr)) ||
      (!en_ats && (t2gpa || en_pri)) ||
      (!en_pri && prpr) ||
      (t2gpa && (!capabilities_i[iommu_spec_pkg::CAP_T2GPA] || second_bare)) ||
      (!pdtv && dpe) ||
      (!capabilities_i[iommu_spec_pkg::CAP_AMO_HWAD] && (gade || sade)) ||
      (!capabilities_i[iommu_spec_pkg::CAP_END] && sbe != big_endian_i) ||
      sxl;
  wire bad_second =
      !iommu_spec_pkg::page_table_mode_legal(iohgatp[63:60], second_supported) || (!second_bare && iohgatp[1:0] != 2'd0);
  wire bad_attributes =
      ta[11:0] != '0 || ta[39:32] != '0 || (!capabilities_i[iommu_spec_pkg::CAP_QOSID] && ta[63:40] != '0);
  wire bad_first =
      fsc[59:44] != '0 ||
      (pdtv ? fsc[63:62] != 2'd0 || !directory_supported[fsc[61:60]]
            : !iommu_spec_pkg::page_table_mode_legal(fsc[63:60], first_supported));
  wire bad_msi =
      extended &&
      (msiptp[59:44] != '0 || msiptp[63:61] != '0 || (msi_on && second_bare) ||
       msi_mask[63:52] != '0 || msi_pattern[63:52] != '0 || last != '0);

  context_t decoded;

  always_comb begin
    decoded = '0;
    decoded.en_ats = en_ats;
    decoded.en_pri = en_pri;
    decoded.prpr = prpr;
    decoded.t2gpa = t2gpa;
    decoded.dtf = tc[4];
    decoded.gade = gade;
    decoded.sade = sade;
    decoded.sbe = sbe;
    decoded.pdtv = pdtv;
    decoded.dpe = dpe;
    decoded.supervisor = 1'b1;
    decoded.first_mode = fsc[63:60];
    decoded.first_ppn = fsc[43:0];
    decoded.pscid = ta[31:12];
    decoded.second_mode = iohgatp[63:60];
    decoded.second_ppn = iohgatp[43:0];
    decoded.gscid = iohgatp[59:44];
    decoded.msi = msi_on;
    decoded.msi_ppn = msiptp[43:0];
    decoded.msi_mask = msi_mask[51:0];
    decoded.msi_pattern = msi_pattern[51:0];
    decoded.qos = ta[63:40];
  end

  assign valid_o = tc[0];
  assign misconfigured_o = bad_control || bad_second || bad_attributes || bad_first || bad_msi;
  assign context_o = decoded;

endmodule
`default_nettype wire
