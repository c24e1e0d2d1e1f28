`default_nettype none
// First cycle of a step: what it works on, and what it finds: iommu_walk_event about a memory response, whose walk is read from its slot,
// or iommu_walk_look about a request that starts, or about the walk that made a step in the cycle before and looks on, beside the lookup
// of the caches. A slot that was fetched takes its record over, and looks in the next cycle. Context, record and findings stand in
// registers for the second cycle.
module iommu_walk_find (
    input  wire                                       clk_i,

    // Configuration: effective capabilities, fctl.BE, ddtp.
    input  wire [63:0]                                capabilities_i,
    input  wire                                       big_endian_i,
    input  wire [3:0]                                 ddtp_mode_i,
    input  wire [43:0]                                ddtp_ppn_i,

    // Memory response, with the walk of its slot (request_t, context_t, walk_t); 1: it looks on in the next cycle.
    input  wire                                       response_i,
    input  wire [511:0]                               response_data_i,
    input  wire [7:0]                                 response_err_i,
    input  wire [7:0]                                 response_poison_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       kept_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       kept_context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]          kept_walk_i,
    output wire                                       response_looks_o,
    // It is the line of a last-level first-stage entry; G of the pointers above it.
    output wire                                       line_o,
    output wire                                       line_g_o,

    // The slot that is fetched next: `pick_load_i` with its walk, of a request that has not been walked for if `pick_fresh_i`; it is there,
    // and its interrupt file number is known.
    input  wire                                       pick_load_i,
    input  wire                                       pick_fresh_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       pick_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       pick_context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]          pick_walk_i,
    input  wire                                       pick_i,
    input  wire                                       pick_index_i,

    // Request that may start.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       start_request_i,

    // The step in its second cycle looks on, or (`outside_i`) does not; its walk and context after it; the number of its interrupt file.
    input  wire                                       look_i,
    input  wire                                       outside_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       step_context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]          step_walk_i,
    input  wire [51:0]                                msi_index_i,
    // What the look is at (iommu_walk_look.v).
    output wire [3:0]                                 look_kind_o,

    // Caches (iommu_walker.v).
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       next_again_o,
    output wire [15:0]                                next_gscid_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       lookup_context_o,
    input  wire                                       context_hit_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       context_i,
    output wire [3:0]                                 leaf_rights_o,
    input  wire                                       leaf_hit_i,
    input  wire [iommu_spec_pkg::SECOND_LEAF_W-1:0]   leaf_i,
    input  wire [43:0]                                leaf_ppn_i,

    // Of the step in its second cycle: request, context, record, findings (finding_t).
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       request_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       context_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]          walk_o,
    output wire [iommu_spec_pkg::FINDING_W-1:0]       finding_o
);
  `include "iommu_records.vh"

  logic [iommu_spec_pkg::REQUEST_W-1:0] request_d, request_q;
  logic [iommu_spec_pkg::CONTEXT_W-1:0] context_d, context_q;
  walk_t                                walk_d, walk_q;
  finding_t                             finding_d, finding_q;

  // ---- A response --------------------------------------------------------------------------------------------------------------------
  walk_t    kept;
  context_t kept_context;
  finding_t event_found;
  wire [iommu_spec_pkg::CONTEXT_W-1:0] event_context;
  wire [iommu_spec_pkg::WALK_W-1:0]    event_walk;
  wire [iommu_spec_pkg::FINDING_W-1:0] event_finding;

  assign kept = kept_walk_i;
  assign kept_context = kept_context_i;

  iommu_walk_event u_event (
      .capabilities_i(capabilities_i),
      .big_endian_i  (big_endian_i),
      .request_i     (kept_request_i),
      .context_i     (kept_context_i),
      .walk_i        (kept_walk_i),
      .data_i        (response_data_i),
      .err_i         (response_err_i),
      .poison_i      (response_poison_i),
      .context_o     (event_context),
      .walk_o        (event_walk),
      .finding_o     (event_finding)
  );

  assign event_found = event_finding;
  assign line_o = response_i && kept.state == iommu_spec_pkg::WALK_FIRST && kept.level == 3'd0;
  assign line_g_o = kept.g;
  assign response_looks_o = event_found.first ? kept_context.second_mode != 4'd0
      : event_found.process ? kept.level == 3'd0 || kept_context.second_mode != 4'd0 : event_found.directory && kept.level == 3'd0;

  // ---- The slot that is fetched next, read when it is chosen: nothing changes in it until then ------------------------------------------
  logic                                 picked_fresh_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0] picked_request_q;
  context_t                             picked_context_q;
  walk_t                                picked_walk_q;

  always_ff @(posedge clk_i) begin
    if (pick_load_i) begin
      picked_fresh_q <= pick_fresh_i;
      picked_request_q <= pick_request_i;
      picked_context_q <= pick_context_i;
      picked_walk_q <= pick_walk_i;
    end
  end

  // ---- A look, at a walk that has just made its step, or at a request that starts one ------------------------------------------------
  // What it is at, whether the guest address is that of a table, and what the leaf must grant then: known a cycle before. A walk that
  // starts again because of an entry of the first stage is fetched before it looks.
  logic [3:0] kind_d, kind_q;
  logic       implicit_d, implicit_q;
  logic [3:0] rights_d, rights_q;            // {D to be set, X, W, R}
  wire  [3:0] look_kind = outside_i ? 4'b0001 : kind_q;
  wire  [63:0]                          look_entry;
  wire  [iommu_spec_pkg::FINDING_W-1:0] look_finding;
  wire  [2:0]                           look_level;

  iommu_walk_look u_look (
      .capabilities_i(capabilities_i),
      .ddtp_mode_i   (ddtp_mode_i),
      .ddtp_ppn_i    (ddtp_ppn_i),
      .kind_i        (look_kind),
      .implicit_i    (implicit_q),
      .request_i     (outside_i ? start_request_i : request_q),
      .context_i     (context_q),
      .guest_i       (finding_q.target),
      .msi_index_i   (msi_index_i),
      .context_hit_i (context_hit_i),
      .leaf_hit_i    (leaf_hit_i),
      .leaf_i        (leaf_i),
      .leaf_ppn_i    (leaf_ppn_i),
      .entry_o       (look_entry),
      .finding_o     (look_finding),
      .level_o       (look_level)
  );

  // A step that looks in the next cycle is that of a response, or a fetch.
  wire       next_exec, next_read, next_write, next_probe;
  wire [8:0] unused_access_cause, unused_page_cause, unused_guest_cause;

  iommu_access_kind u_next_kind (
      .request_i     (next_again_o),
      .exec_o        (next_exec),
      .read_o        (next_read),
      .write_o       (next_write),
      .probe_o       (next_probe),
      .access_cause_o(unused_access_cause),
      .page_cause_o  (unused_page_cause),
      .guest_cause_o (unused_guest_cause)
  );

  // ---- What goes on to the second cycle ------------------------------------------------------------------------------------------------
  wire      begins = look_i ? look_kind[0] : !pick_i;
  // The context that a walk begins with: of one that is not known nothing applies; what that leaves without a meaning is not cleared.
  context_t begun_context, cached_context;

  assign cached_context = context_i;

  always_comb begin
    begun_context = context_i;
    if (!context_hit_i) begin
      begun_context = '0;
      begun_context.first_ppn = cached_context.first_ppn;
      begun_context.second_ppn = cached_context.second_ppn;
      begun_context.msi_ppn = cached_context.msi_ppn;
      begun_context.msi_mask = cached_context.msi_mask;
      begun_context.msi_pattern = cached_context.msi_pattern;
    end
  end

  always_comb begin
    request_d = look_i ? request_q : pick_i ? picked_request_q : start_request_i;
    walk_d = look_i ? step_walk_i : pick_i && !picked_fresh_q ? picked_walk_q : '0;
    if (!look_i && pick_index_i) walk_d.state = iommu_spec_pkg::WALK_MSI_INDEX;
    kind_d = pick_index_i ? 4'b1000
        : {1'b0, picked_walk_q.state == iommu_spec_pkg::WALK_GUEST, picked_walk_q.state == iommu_spec_pkg::WALK_CONTEXT,
           picked_walk_q.state == iommu_spec_pkg::WALK_START};
    if (picked_fresh_q) kind_d = 4'b0001;
    if (response_i)
      kind_d = {1'b0, event_found.first || (event_found.process && kept.level != 3'd0),
                event_found.directory || (event_found.process && kept.level == 3'd0), 1'b0};
    implicit_d = response_i ? !(event_found.first && event_found.leaf) : picked_walk_q.purpose != iommu_spec_pkg::PURPOSE_REQUEST;
    // A table is read; what an ATS translation request asks for need not be granted.
    rights_d = {next_write, !next_probe && next_exec, !next_probe && next_write, !next_probe && next_read};
    if (implicit_d) rights_d = {response_i ? kept_context.sade : picked_context_q.sade, 3'b001};
    if (begins) walk_d.level = look_level;
    // Looked up only at a guest address, when the record holds no other entry.
    if (look_i) walk_d.entry = look_entry;
    context_d = begins ? begun_context : look_i ? step_context_i : picked_context_q;
    finding_d = look_finding;
    if (!look_i && pick_i) begin
      finding_d = '0;
      finding_d.fetch = 1'b1;
      finding_d.target = picked_walk_q.guest;
    end
    if (response_i) begin
      request_d = kept_request_i;
      walk_d = event_walk;
      context_d = event_context;
      finding_d = event_found;
    end
  end

  always_ff @(posedge clk_i) begin
    request_q <= request_d;
    context_q <= context_d;
    walk_q <= walk_d;
    finding_q <= finding_d;
    kind_q <= kind_d;
    rights_q <= rights_d;
    implicit_q <= implicit_d;
  end

  assign look_kind_o = look_kind;
  assign leaf_rights_o = rights_q;
  assign next_again_o = response_i ? kept_request_i : picked_request_q;
  assign next_gscid_o = response_i ? kept_context.gscid : picked_context_q.gscid;
  assign lookup_context_o = begins ? context_i : context_q;
  assign request_o = request_q;
  assign context_o = context_q;
  assign walk_o = walk_q;
  assign finding_o = finding_q;

endmodule
`default_nettype wire
