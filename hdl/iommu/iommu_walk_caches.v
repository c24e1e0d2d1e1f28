`default_nettype none
// The caches of the walker: resolved contexts, last-level first-stage tables, last-level second-stage tables, second-stage leaves. Lookup
// is combinational in the first cycle of a step, of what was announced in the cycle before; a fill comes two cycles later. An
// invalidation takes effect within two cycles.
module iommu_walk_caches #(
    // Entries: contexts; last-level tables of the first and of the second stage; leaves of the second stage.
    parameter int CONTEXTS = 8,
    parameter int TABLES = 16,
    parameter int SECOND_TABLES = 16,
    parameter int SECOND_LEAVES = 8
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // Lookup: if `lookup_start_i` of the request that may start (request_t), which is `start_next_i` from the cycle after `start_load_i`
    // on, and is presented if `start_i`; else of the request and the GSCID that were announced in the cycle before as `next_*`.
    input  wire                                       start_load_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       start_next_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       start_request_i,
    input  wire                                       start_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       next_again_i,
    input  wire [15:0]                                next_gscid_i,
    input  wire                                       lookup_start_i,
    // Context (context_t) of the requester.
    output wire                                       context_hit_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       context_o,
    // Its last-level first-stage table under that context, or another one (iommu_walk_cache.v).
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       lookup_context_i,
    output wire                                       table_hit_o,
    output wire [9:0]                                 table_other_o,
    output wire [43:0]                                table_ppn_o,
    output wire [1:0]                                 table_pbmt_o,
    output wire                                       table_w_o,
    output wire                                       table_g_o,
    // A guest address: some cache of the second stage holds anything; the last-level table; the leaf (second_leaf_t) if it grants the
    // rights, and the page number under it.
    input  wire [63:0]                                lookup_guest_i,
    output wire                                       second_used_o,
    output wire                                       second_hit_o,
    output wire [43:0]                                second_ppn_o,
    input  wire [3:0]                                 leaf_rights_i,
    output wire                                       leaf_hit_o,
    output wire [iommu_spec_pkg::SECOND_LEAF_W-1:0]   leaf_o,
    output wire [43:0]                                leaf_ppn_o,

    // Fill; `coming_*` are those of what is filled in the next cycle.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       coming_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       coming_context_i,
    input  wire [63:0]                                coming_guest_i,
    input  wire [2:0]                                 coming_page_i,
    input  wire                                       context_fill_i,
    input  wire                                       table_fill_i,
    input  wire                                       second_fill_i,
    input  wire                                       leaf_fill_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_i,
    input  wire [63:0]                                fill_guest_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       fill_context_i,
    input  wire [43:0]                                fill_ppn_i,
    input  wire [1:0]                                 fill_pbmt_i,
    input  wire                                       fill_w_i,
    input  wire                                       fill_g_i,
    input  wire [iommu_spec_pkg::SECOND_LEAF_W-1:0]   fill_leaf_i,

    // Invalidation (invalidation_t) of every cache.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i
);

  wire second_used, leaf_used;

  assign second_used_o = second_used || leaf_used;

  iommu_context_cache #(
      .ENTRIES(CONTEXTS)
  ) u_context_cache (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .start_load_i    (start_load_i),
      .next_start_i    (start_next_i),
      .start_request_i (start_request_i),
      .next_again_i    (next_again_i),
      .lookup_start_i  (lookup_start_i),
      .lookup_hit_o    (context_hit_o),
      .lookup_context_o(context_o),
      .next_request_i  (coming_request_i),
      .fill_i          (context_fill_i),
      .fill_request_i  (fill_request_i),
      .fill_context_i  (fill_context_i),
      .invalidate_i    (invalidate_i),
      .invalidation_i  (invalidation_i)
  );

  iommu_walk_cache #(
      .ENTRIES(TABLES)
  ) u_walk_cache (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .start_load_i    (start_load_i),
      .next_start_i    (start_next_i),
      .start_request_i (start_request_i),
      .next_again_i    (next_again_i),
      .lookup_start_i  (lookup_start_i),
      .lookup_context_i(lookup_context_i),
      .lookup_hit_o    (table_hit_o),
      .lookup_other_o  (table_other_o),
      .lookup_ppn_o    (table_ppn_o),
      .lookup_pbmt_o   (table_pbmt_o),
      .lookup_w_o      (table_w_o),
      .lookup_g_o      (table_g_o),
      .next_request_i  (coming_request_i),
      .fill_i          (table_fill_i),
      .fill_request_i  (fill_request_i),
      .fill_context_i  (fill_context_i),
      .fill_ppn_i      (fill_ppn_i),
      .fill_pbmt_i     (fill_pbmt_i),
      .fill_w_i        (fill_w_i),
      .fill_g_i        (fill_g_i),
      .invalidate_i    (invalidate_i),
      .invalidation_i  (invalidation_i)
  );

  iommu_second_stage_cache #(
      .ENTRIES(SECOND_TABLES)
  ) u_second_stage_cache (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .used_o          (second_used),
      .next_again_i    (next_again_i),
      .next_gscid_i    (next_gscid_i),
      .lookup_guest_i  (lookup_guest_i),
      .lookup_hit_o    (second_hit_o),
      .lookup_ppn_o    (second_ppn_o),
      .next_request_i  (coming_request_i),
      .next_guest_i    (coming_guest_i),
      .fill_i          (second_fill_i),
      .fill_request_i  (fill_request_i),
      .fill_guest_i    (fill_guest_i),
      .fill_context_i  (fill_context_i),
      .fill_ppn_i      (fill_ppn_i),
      .invalidate_i    (invalidate_i),
      .invalidation_i  (invalidation_i)
  );

  iommu_second_stage_leaves #(
      .ENTRIES(SECOND_LEAVES)
  ) u_second_stage_leaves (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .used_o          (leaf_used),
      .next_again_i    (next_again_i),
      .next_gscid_i    (next_gscid_i),
      .lookup_guest_i  (lookup_guest_i),
      .lookup_rights_i (leaf_rights_i),
      .lookup_hit_o    (leaf_hit_o),
      .lookup_leaf_o   (leaf_o),
      .lookup_ppn_o    (leaf_ppn_o),
      .next_request_i  (coming_request_i),
      .next_context_i  (coming_context_i),
      .next_guest_i    (coming_guest_i),
      .next_page_i     (coming_page_i),
      .fill_i          (leaf_fill_i),
      .fill_request_i  (fill_request_i),
      .fill_context_i  (fill_context_i),
      .fill_guest_i    (fill_guest_i),
      .fill_leaf_i     (fill_leaf_i),
      .invalidate_i    (invalidate_i),
      .invalidation_i  (invalidation_i)
  );

`ifndef SYNTHESIS
  // What starts, and what the caches find the place of a fill by, is announced in the cycle before.
  logic [iommu_spec_pkg::REQUEST_W-1:0] announced_start_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0] announced_request_q;
  logic [63:0]                          announced_guest_q;

  always_ff @(posedge clk_i) begin
    if (start_load_i) announced_start_q <= start_next_i;
    announced_request_q <= coming_request_i;
    announced_guest_q <= coming_guest_i;
    if (!rst_i) begin
      assert (!start_i || start_request_i == announced_start_q)
      else $error("iommu_walk_caches: another request starts than was announced");
      assert (!(context_fill_i || table_fill_i || second_fill_i || leaf_fill_i) || fill_request_i == announced_request_q)
      else $error("iommu_walk_caches: a fill for another request than was announced");
      assert (!(second_fill_i || leaf_fill_i) || fill_guest_i == announced_guest_q)
      else $error("iommu_walk_caches: a fill of another guest address than was announced");
    end
  end
`endif

endmodule
`default_nettype wire
