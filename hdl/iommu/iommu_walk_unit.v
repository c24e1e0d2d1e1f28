`default_nettype none
// The walker and its caches: resolved contexts, last-level first-stage tables, last-level second-stage tables, second-stage leaves. Ports
// and cycles are those of iommu_walker.v; an invalidation takes effect in the caches within two cycles.
module iommu_walk_unit #(
    // Walks in flight, 2 or more.
    parameter int WALKS = 8,
    // Bits of a request's identifier.
    parameter int ID_W = 8,
    // 1: entries of last-level first-stage tables are read by the line, for their neighbours (iommu_neighbour_fill.v).
    parameter int LINE_READS = 1,
    // Entries of the caches: contexts; last-level tables of the first and of the second stage; leaves of the second stage.
    parameter int CONTEXTS = 8,
    parameter int TABLES = 16,
    parameter int SECOND_TABLES = 16,
    parameter int SECOND_LEAVES = 8,
    // Derived: bits of a slot number.
    parameter int SLOT_W = $clog2(WALKS)
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // Configuration: effective capabilities, fctl.BE, ddtp, iommu_qosid.
    input  wire [63:0]                                capabilities_i,
    input  wire                                       big_endian_i,
    input  wire [3:0]                                 ddtp_mode_i,
    input  wire [43:0]                                ddtp_ppn_i,
    input  wire [23:0]                                qos_i,

    // New walk, its hash that of the requester and the page (iommu_spec_pkg). Both come with `start_load_i` in the cycle before as
    // `start_next_*`, and stay until others do.
    input  wire                                       start_load_i,
    // `start_merge_o`: the walks in flight whose hash is the same, so that this request may share their result (then do not start it).
    // `start_early_i` instead of `start_valid_i`: it is not known yet whether it is one; if it was ready, `start_commit_i` says so in the
    // next cycle. Each has its ready; not both are presented.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       start_next_request_i,
    input  wire [iommu_spec_pkg::HASH_W-1:0]          start_next_hash_i,
    input  wire                                       start_valid_i,
    input  wire                                       start_early_i,
    input  wire                                       start_commit_i,
    output wire                                       start_ready_o,
    output wire                                       early_ready_o,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       start_request_i,
    input  wire [iommu_spec_pkg::HASH_W-1:0]          start_hash_i,
    input  wire [ID_W-1:0]                            start_id_i,
    input  wire                                       start_epoch_i,
    output wire [WALKS-1:0]                           start_merge_o,
    // One of them may end in this cycle: neither start nor share.
    output wire                                       start_hold_o,

    // Result of the oldest finished walk, registered; held until released (slot free) or restarted with another request. Two results are
    // at least a cycle apart.
    output wire                                       result_valid_o,
    // Slot of the result that comes into the register in this cycle, if one does.
    output wire [SLOT_W-1:0]                          result_next_o,
    output wire [SLOT_W-1:0]                          result_slot_o,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       result_request_o,
    output wire [ID_W-1:0]                            result_id_o,
    output wire                                       result_epoch_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       result_context_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]          result_walk_o,
    // An invalidation came while the walk was in flight: answer, but do not cache.
    output wire                                       result_squashed_o,
    input  wire                                       result_release_i,
    input  wire                                       result_restart_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       restart_request_i,
    input  wire [iommu_spec_pkg::HASH_W-1:0]          restart_hash_i,
    input  wire [ID_W-1:0]                            restart_id_i,
    input  wire                                       restart_epoch_i,

    // The memory response is the line of a last-level first-stage entry, for the walk of this slot; G of the pointers above it.
    output wire                                       line_o,
    output wire [SLOT_W-1:0]                          line_slot_o,
    output wire                                       line_g_o,

    // Invalidation (invalidation_t) of every cache; squashes the fills of every walk in flight.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i,

    // Memory accesses (docs/interfaces.md section 4); the identifier is the slot.
    output wire                                       mem_req_valid_o,
    input  wire                                       mem_req_ready_i,
    output wire [SLOT_W-1:0]                          mem_req_slot_o,
    output wire [1:0]                                 mem_req_op_o,
    output wire [55:0]                                mem_req_addr_o,
    output wire [6:0]                                 mem_req_size_o,
    output wire [127:0]                               mem_req_wdata_o,
    output wire [23:0]                                mem_req_qos_o,
    output wire [1:0]                                 mem_req_pbmt_o,
    // A walk asked for an access in the cycle before, for observation: its slot, the state that it waits in, and whose it is
    // (event_source_t).
    output wire                                       access_valid_o,
    output wire [SLOT_W-1:0]                          access_slot_o,
    output wire [3:0]                                 access_state_o,
    output wire [iommu_spec_pkg::EVENT_SOURCE_W-1:0]  access_source_o,
    // The walk of this slot takes a leaf from the second-stage leaf cache.
    output wire                                       reused_o,
    output wire [SLOT_W-1:0]                          reused_slot_o,
    input  wire                                       mem_rsp_valid_i,
    input  wire [SLOT_W-1:0]                          mem_rsp_slot_i,
    input  wire [511:0]                               mem_rsp_data_i,
    input  wire [7:0]                                 mem_rsp_err_i,
    input  wire [7:0]                                 mem_rsp_poison_i
);

  wire [iommu_spec_pkg::REQUEST_W-1:0] next_again;
  wire [15:0] next_gscid;
  wire lookup_start;
  wire [iommu_spec_pkg::CONTEXT_W-1:0] lookup_context;
  wire context_hit;
  wire [iommu_spec_pkg::CONTEXT_W-1:0] cached_context;
  wire table_hit;
  wire [9:0] table_other;
  wire [43:0] table_ppn;
  wire [1:0] table_pbmt;
  wire table_w;
  wire table_g;
  wire [iommu_spec_pkg::REQUEST_W-1:0] lookup_guest_request;
  wire [iommu_spec_pkg::CONTEXT_W-1:0] lookup_guest_context;
  wire [63:0] lookup_guest;
  wire second_used, leaf_used;
  wire leaf_hit;
  wire leaf_fill;
  wire [iommu_spec_pkg::SECOND_LEAF_W-1:0] leaf, fill_leaf;
  wire [3:0] leaf_rights;
  wire [43:0] leaf_ppn;
  wire [63:0] next_guest;
  wire [2:0] next_page;
  wire second_hit;
  wire [43:0] second_ppn;
  wire context_fill;
  wire table_fill;
  wire second_fill;
  wire [iommu_spec_pkg::REQUEST_W-1:0] fill_request;
  wire [63:0] fill_guest;
  wire [iommu_spec_pkg::CONTEXT_W-1:0] fill_context;
  wire [43:0] fill_ppn;
  wire [1:0] fill_pbmt;
  wire fill_w;
  wire fill_g;

  iommu_walker #(
      .WALKS(WALKS),
      .ID_W(ID_W),
      .LINE_READS(LINE_READS)
  ) u_walker (
      .clk_i            (clk_i),
      .rst_i            (rst_i),
      .capabilities_i   (capabilities_i),
      .big_endian_i     (big_endian_i),
      .ddtp_mode_i      (ddtp_mode_i),
      .ddtp_ppn_i       (ddtp_ppn_i),
      .qos_i            (qos_i),
      .start_load_i     (start_load_i),
      .start_next_hash_i(start_next_hash_i),
      .start_valid_i    (start_valid_i),
      .start_early_i    (start_early_i),
      .start_commit_i   (start_commit_i),
      .start_ready_o    (start_ready_o),
      .early_ready_o    (early_ready_o),
      .start_request_i  (start_request_i),
      .start_hash_i     (start_hash_i),
      .start_id_i       (start_id_i),
      .start_epoch_i    (start_epoch_i),
      .start_merge_o    (start_merge_o),
      .start_hold_o     (start_hold_o),
      .result_valid_o   (result_valid_o),
      .result_next_o    (result_next_o),
      .result_slot_o    (result_slot_o),
      .result_request_o (result_request_o),
      .result_id_o      (result_id_o),
      .result_epoch_o   (result_epoch_o),
      .result_context_o (result_context_o),
      .result_walk_o    (result_walk_o),
      .result_squashed_o(result_squashed_o),
      .result_release_i (result_release_i),
      .result_restart_i (result_restart_i),
      .restart_request_i(restart_request_i),
      .restart_hash_i   (restart_hash_i),
      .restart_id_i     (restart_id_i),
      .restart_epoch_i  (restart_epoch_i),
      .next_again_o     (next_again),
      .next_gscid_o     (next_gscid),
      .lookup_start_o   (lookup_start),
      .lookup_context_o (lookup_context),
      .context_hit_i    (context_hit),
      .context_i        (cached_context),
      .table_hit_i      (table_hit),
      .table_other_i    (table_other),
      .table_ppn_i      (table_ppn),
      .table_pbmt_i     (table_pbmt),
      .table_w_i        (table_w),
      .table_g_i        (table_g),
      .lookup_guest_request_o(lookup_guest_request),
      .lookup_guest_context_o(lookup_guest_context),
      .lookup_guest_o   (lookup_guest),
      .second_used_i    (second_used || leaf_used),
      .second_hit_i     (second_hit),
      .second_ppn_i     (second_ppn),
      .leaf_rights_o    (leaf_rights),
      .leaf_hit_i       (leaf_hit),
      .leaf_i           (leaf),
      .leaf_ppn_i       (leaf_ppn),
      .next_guest_o     (next_guest),
      .next_page_o      (next_page),
      .context_fill_o   (context_fill),
      .table_fill_o     (table_fill),
      .second_fill_o    (second_fill),
      .leaf_fill_o      (leaf_fill),
      .fill_request_o   (fill_request),
      .fill_guest_o     (fill_guest),
      .fill_context_o   (fill_context),
      .fill_ppn_o       (fill_ppn),
      .fill_pbmt_o      (fill_pbmt),
      .fill_w_o         (fill_w),
      .fill_g_o         (fill_g),
      .fill_leaf_o      (fill_leaf),
      .line_o           (line_o),
      .line_slot_o      (line_slot_o),
      .line_g_o         (line_g_o),
      .invalidate_i     (invalidate_i),
      .mem_req_valid_o  (mem_req_valid_o),
      .mem_req_ready_i  (mem_req_ready_i),
      .mem_req_slot_o   (mem_req_slot_o),
      .mem_req_op_o     (mem_req_op_o),
      .mem_req_addr_o   (mem_req_addr_o),
      .mem_req_size_o   (mem_req_size_o),
      .mem_req_wdata_o  (mem_req_wdata_o),
      .mem_req_qos_o    (mem_req_qos_o),
      .mem_req_pbmt_o   (mem_req_pbmt_o),
      .access_valid_o   (access_valid_o),
      .access_slot_o    (access_slot_o),
      .access_state_o   (access_state_o),
      .access_source_o  (access_source_o),
      .reused_o         (reused_o),
      .reused_slot_o    (reused_slot_o),
      .mem_rsp_valid_i  (mem_rsp_valid_i),
      .mem_rsp_slot_i   (mem_rsp_slot_i),
      .mem_rsp_data_i   (mem_rsp_data_i),
      .mem_rsp_err_i    (mem_rsp_err_i),
      .mem_rsp_poison_i (mem_rsp_poison_i)
  );

  iommu_context_cache #(
      .ENTRIES(CONTEXTS)
  ) u_context_cache (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .start_load_i    (start_load_i),
      .next_start_i    (start_next_request_i),
      .start_request_i (start_request_i),
      .next_again_i    (next_again),
      .lookup_start_i  (lookup_start),
      .lookup_hit_o    (context_hit),
      .lookup_context_o(cached_context),
      .next_request_i  (lookup_guest_request),
      .fill_i          (context_fill),
      .fill_request_i  (fill_request),
      .fill_context_i  (fill_context),
      .invalidate_i    (invalidate_i),
      .invalidation_i  (invalidation_i)
  );

  iommu_walk_cache #(
      .ENTRIES(TABLES)
  ) u_walk_cache (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .start_load_i    (start_load_i),
      .next_start_i    (start_next_request_i),
      .start_request_i (start_request_i),
      .next_again_i    (next_again),
      .lookup_start_i  (lookup_start),
      .lookup_context_i(lookup_context),
      .lookup_hit_o    (table_hit),
      .lookup_other_o  (table_other),
      .lookup_ppn_o    (table_ppn),
      .lookup_pbmt_o   (table_pbmt),
      .lookup_w_o      (table_w),
      .lookup_g_o      (table_g),
      .next_request_i  (lookup_guest_request),
      .fill_i          (table_fill),
      .fill_request_i  (fill_request),
      .fill_context_i  (fill_context),
      .fill_ppn_i      (fill_ppn),
      .fill_pbmt_i     (fill_pbmt),
      .fill_w_i        (fill_w),
      .fill_g_i        (fill_g),
      .invalidate_i    (invalidate_i),
      .invalidation_i  (invalidation_i)
  );

  iommu_second_stage_cache #(
      .ENTRIES(SECOND_TABLES)
  ) u_second_stage_cache (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .used_o          (second_used),
      .next_again_i    (next_again),
      .next_gscid_i    (next_gscid),
      .lookup_guest_i  (lookup_guest),
      .lookup_hit_o    (second_hit),
      .lookup_ppn_o    (second_ppn),
      .next_request_i  (lookup_guest_request),
      .next_guest_i    (next_guest),
      .fill_i          (second_fill),
      .fill_request_i  (fill_request),
      .fill_guest_i    (fill_guest),
      .fill_context_i  (fill_context),
      .fill_ppn_i      (fill_ppn),
      .invalidate_i    (invalidate_i),
      .invalidation_i  (invalidation_i)
  );

  iommu_second_stage_leaves #(
      .ENTRIES(SECOND_LEAVES)
  ) u_second_stage_leaves (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .used_o          (leaf_used),
      .next_again_i    (next_again),
      .next_gscid_i    (next_gscid),
      .lookup_guest_i  (lookup_guest),
      .lookup_rights_i (leaf_rights),
      .lookup_hit_o    (leaf_hit),
      .lookup_leaf_o   (leaf),
      .lookup_ppn_o    (leaf_ppn),
      .next_request_i  (lookup_guest_request),
      .next_context_i  (lookup_guest_context),
      .next_guest_i    (next_guest),
      .next_page_i     (next_page),
      .fill_i          (leaf_fill),
      .fill_request_i  (fill_request),
      .fill_context_i  (fill_context),
      .fill_guest_i    (fill_guest),
      .fill_leaf_i     (fill_leaf),
      .invalidate_i    (invalidate_i),
      .invalidation_i  (invalidation_i)
  );

`ifndef SYNTHESIS
  // What starts, and what the caches find the place of a fill by, is announced in the cycle before.
  logic [iommu_spec_pkg::REQUEST_W-1:0] announced_start_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0] announced_request_q;
  logic [63:0]                          announced_guest_q;

  always_ff @(posedge clk_i) begin
    if (start_load_i) announced_start_q <= start_next_request_i;
    announced_request_q <= lookup_guest_request;
    announced_guest_q <= next_guest;
    if (!rst_i) begin
      assert (!(start_valid_i || start_early_i) || start_request_i == announced_start_q)
      else $error("iommu_walk_unit: another request starts than was announced");
      assert (!(context_fill || table_fill || second_fill || leaf_fill) || fill_request == announced_request_q)
      else $error("iommu_walk_unit: a fill for another request than was announced");
      assert (!(second_fill || leaf_fill) || fill_guest == announced_guest_q)
      else $error("iommu_walk_unit: a fill of another guest address than was announced");
    end
  end
`endif

endmodule
`default_nettype wire
