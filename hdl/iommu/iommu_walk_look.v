`default_nettype none
// First half of a step without memory: the start of a walk, a context that is known, a guest address to look up, an interrupt file
// number. Combinational, beside the lookup of the caches; what follows is the second half's business (iommu_walk_advance.v).
// Source: Process to locate the DC, Process to translate addresses of MSIs.
module iommu_walk_look (
    // Effective capabilities; ddtp.iommu_mode and PPN.
    input  wire [63:0]                           capabilities_i,
    input  wire [3:0]                            ddtp_mode_i,
    input  wire [43:0]                           ddtp_ppn_i,

    // What is looked at, one-hot: {an interrupt file number, a guest address, a context, a start}; the guest address is that of a table.
    // Request (request_t), context (context_t), guest address.
    input  wire [3:0]                            kind_i,
    input  wire                                  implicit_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]  request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]  context_i,
    input  wire [63:0]                           guest_i,

    // Interrupt file number of the guest address.
    input  wire [51:0]                           msi_index_i,

    // The context cache holds the requester's context.
    input  wire                                  context_hit_i,

    // Second-stage leaf cache: it holds one that grants the access as it is: the leaf (second_leaf_t) and the page number of the guest
    // address under it.
    input  wire                                  leaf_hit_i,
    input  wire [iommu_spec_pkg::SECOND_LEAF_W-1:0] leaf_i,
    input  wire [43:0]                           leaf_ppn_i,
    // As if it had been read: the leaf as a PTE; its address is no part of it.
    output wire [63:0]                           entry_o,

    // finding_t; level of the device directory that a start begins with.
    output wire [iommu_spec_pkg::FINDING_W-1:0]  finding_o,
    output wire [2:0]                            level_o
);
  `include "iommu_records.vh"

  request_t     request;
  context_t     current;
  second_leaf_t leaf;
  finding_t     finding;

  assign request = request_i;
  assign current = context_i;
  assign leaf = leaf_i;

  wire        extended = capabilities_i[iommu_spec_pkg::CAP_MSI_FLAT];
  wire [8:0]  ddi1, ddi2;
  wire [11:0] context_offset;
  wire        untranslated = request.at == iommu_spec_pkg::AT_UNTRANSLATED;
  wire        too_wide =
      (ddtp_mode_i == iommu_spec_pkg::MODE_1LVL && {ddi2, ddi1} != '0) ||
      (ddtp_mode_i != iommu_spec_pkg::MODE_1LVL && ddtp_mode_i != iommu_spec_pkg::MODE_3LVL && ddi2 != '0);
  wire        off = ddtp_mode_i == iommu_spec_pkg::MODE_OFF;
  wire        bare = ddtp_mode_i == iommu_spec_pkg::MODE_BARE;
  wire        translated = request.at == iommu_spec_pkg::AT_TRANSLATED;
  wire        message = request.at == iommu_spec_pkg::AT_MESSAGE;
  wire        refused = off || (bare ? !untranslated : too_wide);
  wire        msi_match;

  iommu_directory_index u_directory_index (
      .extended_i(extended),
      .device_i  (request.did),
      .middle_o  (ddi1),
      .root_o    (ddi2),
      .context_o (context_offset)
  );

  iommu_msi_match u_msi_match (
      .capabilities_i(capabilities_i),
      .guest_i       (guest_i),
      .mask_i        (current.msi_mask),
      .pattern_i     (current.msi_pattern),
      .match_o       (msi_match)
  );

  // ---- The guest address: an MSI page, a leaf that is known, or a walk of the second stage -------------------------------------------
  wire        of_msi = current.msi && !implicit_i && msi_match;
  wire        reuses = leaf_hit_i && !of_msi;

  assign entry_o = {1'b0, leaf.pbmt, 53'd0, leaf.d, 3'd0, leaf.x, leaf.w, leaf.r, 1'b1};

  // ---- What a context leads to; one of the cache is resolved --------------------------------------------------------------------------
  wire known_stage = current.resolved || !current.pdtv;
  wire by_default = (!request.pv && !current.dpe) || current.first_mode == 4'd0;

  wire        of_index, of_guest, of_context, of_start;
  wire [63:0] directory_entry = {8'd0, ddtp_ppn_i, ddtp_mode_i == iommu_spec_pkg::MODE_1LVL ? context_offset
      : {ddtp_mode_i == iommu_spec_pkg::MODE_3LVL ? ddi2 : ddi1, 3'd0}};

  assign {of_index, of_guest, of_context, of_start} = kind_i;

  // ---- Findings -------------------------------------------------------------------------------------------------------------------
  always_comb begin
    finding = '0;
    finding.msi_match = of_msi;
    finding.canonical[0] = request.iova[63:39] == {25{request.iova[38]}};
    finding.canonical[1] = request.iova[63:48] == {16{request.iova[47]}};
    finding.canonical[2] = request.iova[63:57] == {7{request.iova[56]}};
    finding.wide = {request.iova[63:59] != '0, request.iova[63:50] != '0, request.iova[63:41] != '0};
    finding.wide_process = {request.pid[19:17] != '0, request.pid[19:8] != '0};
    finding.misfit_cause = off ? iommu_spec_pkg::CAUSE_ALL_INBOUND_DISALLOWED : iommu_spec_pkg::CAUSE_TRANSACTION_DISALLOWED;
    finding.page = leaf.page;
    finding.refused = of_start && refused;
    finding.bare = of_start && bare && untranslated;
    finding.start = of_start && !refused && !bare && !context_hit_i;
    finding.cached = of_start && context_hit_i;
    finding.locate = of_context || (of_start && !refused && !bare && context_hit_i);
    finding.staged = !translated && !message && (of_start || (of_context && known_stage));
    finding.defaulted = of_context && !translated && !message && !known_stage && by_default;
    finding.to_process = of_context && !translated && !message && !known_stage && !by_default;
    finding.index = of_index;
    finding.guest = of_guest && !reuses;
    finding.second = of_guest && reuses;
    finding.leaf = of_guest && reuses;
    finding.reused = of_guest && reuses;
    // Whether a leaf is known comes last.
    finding.target = ({64{of_start}} & directory_entry) | ({64{of_index}} & {8'd0, {current.msi_ppn, 12'd0} | {msi_index_i, 4'd0}}) |
        ({64{of_guest && !reuses}} & guest_i) | ({64{of_guest && reuses}} & {8'd0, leaf_ppn_i, guest_i[11:0]});
  end

  assign finding_o = finding;
  assign level_o = ddtp_mode_i[2:0] - 3'd2;

endmodule
`default_nettype wire
