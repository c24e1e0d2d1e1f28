`default_nettype none
// From requests to responses: IOTLBs, the queue of misses, the walks in flight with their caches, the neighbours of walked pages.
//
//   request -> iommu_lookup (IOTLBs) -> hit -> response
//                     \-> miss -> iommu_miss_queue -> iommu_walker <-> memory -> reply -> response, fill, fault record
//
// Requests of the debug port go between those of devices, walks that locate the context of a page request beside the misses, one at a time
// and first. Latencies: riscv_iommu.v.
module iommu_translation_unit #(
    // Bits of a request's identifier.
    parameter int ID_W = 8,
    // Walks in flight; queues of misses that wait for one, one a device while there are enough; requests merged with walks of the
    // same page.
    parameter int WALKS = 8,
    parameter int MISS_QUEUES = 4,
    parameter int MERGES = 16,
    // 1: the line of a walked last-level entry is read and its neighbours are filled.
    parameter int NEIGHBOURS = 1,
    // Sizes of the caches: L1_ENTRIES 16 to 32; L2_SETS x L2_WAYS 256 to 512 entries of 4 KiB, SUPERPAGES beyond that size.
    parameter int L1_ENTRIES = 16,
    parameter int L2_SETS = 64,
    parameter int L2_WAYS = 4,
    parameter int SUPERPAGES = 16,
    parameter int CONTEXTS = 8,
    parameter int TABLES = 16,
    parameter int SECOND_TABLES = 16,
    parameter int SECOND_LEAVES = 8,
    // Derived: bits of a slot number; bits of an event.
    parameter int SLOT_W = $clog2(WALKS),
    parameter int EVENT_W = 4 + iommu_spec_pkg::EVENT_SOURCE_W
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // Configuration: effective capabilities, fctl.BE, ddtp, iommu_qosid.
    input  wire [63:0]                                capabilities_i,
    input  wire                                       big_endian_i,
    input  wire [3:0]                                 ddtp_mode_i,
    input  wire [43:0]                                ddtp_ppn_i,
    input  wire [23:0]                                qos_i,

    // Requests of devices (request_t), responses in any order (response_t).
    input  wire                                       req_valid_i,
    output wire                                       req_ready_o,
    input  wire [ID_W-1:0]                            req_id_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       req_request_i,
    output wire                                       rsp_valid_o,
    input  wire                                       rsp_ready_i,
    output wire [ID_W-1:0]                            rsp_id_o,
    output wire [iommu_spec_pkg::RESPONSE_W-1:0]      rsp_response_o,

    // Requests of the debug port: taken when no device asks, or first if urgent; `rsp_response_o` is the answer to one in a cycle with
    // `debug_rsp_valid_o`.
    input  wire                                       debug_valid_i,
    input  wire                                       debug_urgent_i,
    output wire                                       debug_ready_o,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       debug_request_i,
    output wire                                       debug_rsp_valid_o,

    // Walk that locates the device context of a page request: held until it has ended, which `page_walked_o` says in one cycle; whether
    // page requests are allowed, else why not; PRPR of the context.
    input  wire                                       page_walk_valid_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       page_walk_request_i,
    output wire                                       page_walked_o,
    output wire                                       page_walked_allowed_o,
    output wire [8:0]                                 page_walked_cause_o,
    output wire                                       page_walked_prpr_o,

    // Invalidation (invalidation_t) of every cache; squashes the fills of every walk in flight.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i,

    // No request is taken; none is under way. A fence begins: those that were taken before it have been answered.
    input  wire                                       hold_i,
    output wire                                       idle_o,
    input  wire                                       flip_i,
    output wire                                       drained_o,

    // Fault records of walks (fault_t).
    output wire                                       fault_valid_o,
    input  wire                                       fault_ready_i,
    output wire [iommu_spec_pkg::FAULT_W-1:0]         fault_o,

    // Events of the performance monitor (iommu_performance_events.v).
    output wire [3*EVENT_W-1:0]                       events_o,

    // Memory accesses of walks (docs/interfaces.md section 4); the identifier is the slot.
    output wire                                       mem_req_valid_o,
    input  wire                                       mem_req_ready_i,
    output wire [SLOT_W-1:0]                          mem_req_slot_o,
    output wire [1:0]                                 mem_req_op_o,
    output wire [55:0]                                mem_req_addr_o,
    output wire [6:0]                                 mem_req_size_o,
    output wire [127:0]                               mem_req_wdata_o,
    output wire [23:0]                                mem_req_qos_o,
    output wire [1:0]                                 mem_req_pbmt_o,
    input  wire                                       mem_rsp_valid_i,
    input  wire [SLOT_W-1:0]                          mem_rsp_slot_i,
    input  wire [511:0]                               mem_rsp_data_i,
    input  wire [7:0]                                 mem_rsp_err_i,
    input  wire [7:0]                                 mem_rsp_poison_i,

    // Statistics: requests by where they were answered; walks that start and end; a neighbour is filled.
    output wire                                       stat_l1_hit_o,
    output wire                                       stat_l2_hit_o,
    output wire                                       stat_miss_o,
    output wire                                       stat_walk_start_o,
    output wire                                       stat_walk_end_o,
    output wire                                       stat_neighbour_o
);
  `include "iommu_records.vh"

  // ---- Requests of the debug port, between those of devices ----------------------------------------------------------------------------
  wire lookup_ready;
  wire debug_first = debug_valid_i && (debug_urgent_i || !req_valid_i);

  assign req_ready_o = lookup_ready && !debug_urgent_i;
  assign debug_ready_o = lookup_ready && debug_first;

  // ---- Lookup -----------------------------------------------------------------------------------------------------------------------
  wire                                     miss_valid, miss_epoch, miss_early;
  wire [iommu_spec_pkg::REQUEST_W-1:0]     miss_request;
  wire [ID_W-1:0]                          miss_id, reply_id;
  wire                                     reply_valid, reply_ready, reply_epoch, reply_debug, lookup_reply_ready, result_message;
  wire [iommu_spec_pkg::RESPONSE_W-1:0]    reply_response;
  wire                                     fill;
  wire [iommu_spec_pkg::REQUEST_W-1:0]     fill_request;
  wire [iommu_spec_pkg::TRANSLATION_W-1:0] fill_translation, neighbour_translation;
  wire                                     accepted;
  wire [iommu_spec_pkg::REQUEST_W-1:0]     next_request = debug_first ? debug_request_i : req_request_i;
  wire [iommu_spec_pkg::REQUEST_W-1:0]     accepted_request;
  wire                                     accepted_debug = accepted_request[iommu_spec_pkg::REQUEST_W-1];
  wire [iommu_spec_pkg::HASH_W-1:0]        start_next_hash, start_hash, restart_hash;
  wire [ID_W-1:0]                          accepted_id;
  wire                                     accepted_epoch;
  wire                                     neighbour_valid, neighbour_ready, probe, present;
  wire [iommu_spec_pkg::REQUEST_W-1:0]     neighbour_request, probe_request;

  iommu_lookup #(
      .L1_ENTRIES(L1_ENTRIES),
      .L2_SETS(L2_SETS),
      .L2_WAYS(L2_WAYS),
      .SUPERPAGES(SUPERPAGES),
      .ID_W(ID_W)
  ) u_lookup (
      .clk_i             (clk_i),
      .rst_i             (rst_i),
      .ddtp_mode_i       (ddtp_mode_i),
      .req_valid_i       (req_valid_i || debug_valid_i),
      .req_ready_o       (lookup_ready),
      .req_id_i          (req_id_i),
      .req_request_i     (next_request),
      .rsp_valid_o       (rsp_valid_o),
      .rsp_ready_i       (rsp_ready_i),
      .rsp_id_o          (rsp_id_o),
      .rsp_response_o    (rsp_response_o),
      .debug_rsp_valid_o (debug_rsp_valid_o),
      .miss_valid_o      (miss_valid),
      .miss_ready_i      (!page_walk_valid_i),
      .miss_request_o    (miss_request),
      .miss_id_o         (miss_id),
      .miss_epoch_o      (miss_epoch),
      .miss_early_o      (miss_early),
      .reply_valid_i     (reply_valid && !result_message),
      .reply_ready_o     (lookup_reply_ready),
      .reply_id_i        (reply_id),
      .reply_epoch_i     (reply_epoch),
      .reply_debug_i     (reply_debug),
      .reply_response_i  (reply_response),
      .fill_i            (fill),
      .fill_request_i    (fill_request),
      .fill_translation_i(fill_translation),
      .neighbour_valid_i (neighbour_valid),
      .neighbour_ready_o (neighbour_ready),
      .neighbour_request_i(neighbour_request),
      .neighbour_translation_i(neighbour_translation),
      .probe_i           (probe),
      .probe_request_i   (probe_request),
      .present_o         (present),
      .invalidate_i      (invalidate_i),
      .invalidation_i    (invalidation_i),
      .hold_i            (hold_i),
      .flip_i            (flip_i),
      .drained_o         (drained_o),
      .idle_o            (idle_o),
      .accepted_o        (accepted),
      .accepted_request_o(accepted_request),
      .accepted_id_o     (accepted_id),
      .accepted_epoch_o  (accepted_epoch),
      .l1_hit_o          (stat_l1_hit_o),
      .l2_hit_o          (stat_l2_hit_o),
      .miss_o            (stat_miss_o)
  );

  // ---- Misses and walks -----------------------------------------------------------------------------------------------------------------
  wire                                  start_load, start_valid, start_early, start_commit, start_ready, early_ready, start_epoch;
  wire [iommu_spec_pkg::REQUEST_W-1:0]  start_next_request, start_request, result_request, restart_request;
  wire [ID_W-1:0]                       start_id, result_id, restart_id;
  wire [WALKS-1:0]                      start_merge;
  wire                                  start_hold;
  wire                                  result_valid, result_epoch, result_squashed, result_release, result_restart, restart_epoch;
  wire [SLOT_W-1:0]                     result_slot, result_next;
  wire [iommu_spec_pkg::CONTEXT_W-1:0]  result_context;
  wire [iommu_spec_pkg::WALK_W-1:0]     result_walk;
  request_t                             result;
  context_t                             page_context;
  walk_t                                page_walk;

  assign result = result_request;
  assign result_message = result.at == iommu_spec_pkg::AT_MESSAGE;
  assign reply_ready = result_message || lookup_reply_ready;
  assign page_context = result_context;
  assign page_walk = result_walk;
  assign page_walked_o = reply_valid && result_message;
  assign page_walked_allowed_o = page_walk.status == iommu_pkg::RESPONSE_SUCCESS;
  assign page_walked_cause_o = page_walk.cause;
  assign page_walked_prpr_o = page_context.prpr;

  iommu_miss_queue #(
      .QUEUES(MISS_QUEUES),
      .MERGES(MERGES),
      .WALKS(WALKS),
      .ID_W(ID_W)
  ) u_miss_queue (
      .clk_i             (clk_i),
      .rst_i             (rst_i),
      .early_next_i      (req_request_i),
      .early_valid_i     (accepted && !accepted_debug),
      .early_id_i        (accepted_id),
      .early_epoch_i     (accepted_epoch),
      .miss_valid_i      (miss_valid || page_walk_valid_i),
      .miss_request_i    (page_walk_valid_i ? page_walk_request_i : miss_request),
      .miss_id_i         (miss_id),
      .miss_epoch_i      (miss_epoch),
      .miss_early_i      (miss_early && !page_walk_valid_i),
      .start_load_o      (start_load),
      .start_next_request_o(start_next_request),
      .start_next_hash_o (start_next_hash),
      .start_valid_o     (start_valid),
      .start_early_o     (start_early),
      .start_commit_o    (start_commit),
      .start_ready_i     (start_ready),
      .early_ready_i     (early_ready),
      .start_request_o   (start_request),
      .start_hash_o      (start_hash),
      .start_id_o        (start_id),
      .start_epoch_o     (start_epoch),
      .start_merge_i     (start_merge),
      .start_hold_i      (start_hold),
      .result_valid_i    (result_valid),
      .result_next_i     (result_next),
      .result_slot_i     (result_slot),
      .result_request_i  (result_request),
      .result_id_i       (result_id),
      .result_epoch_i    (result_epoch),
      .result_context_i  (result_context),
      .result_walk_i     (result_walk),
      .result_squashed_i (result_squashed),
      .result_release_o  (result_release),
      .result_restart_o  (result_restart),
      .restart_request_o (restart_request),
      .restart_hash_o    (restart_hash),
      .restart_id_o      (restart_id),
      .restart_epoch_o   (restart_epoch),
      .reply_valid_o     (reply_valid),
      .reply_ready_i     (reply_ready),
      .reply_id_o        (reply_id),
      .reply_epoch_o     (reply_epoch),
      .reply_debug_o     (reply_debug),
      .reply_response_o  (reply_response),
      .fault_valid_o     (fault_valid_o),
      .fault_ready_i     (fault_ready_i),
      .fault_o           (fault_o),
      .fill_o            (fill),
      .fill_request_o    (fill_request),
      .fill_translation_o(fill_translation)
  );

  wire                 access_valid;
  wire [SLOT_W-1:0]    access_slot;
  wire [3:0]           access_state;
  wire                 leaf_reused;
  wire [SLOT_W-1:0]    leaf_reused_slot;
  wire [iommu_spec_pkg::EVENT_SOURCE_W-1:0] access_source;

  wire              line, line_g;
  wire [SLOT_W-1:0] line_slot;

  iommu_walker #(
      .WALKS(WALKS),
      .ID_W(ID_W),
      .LINE_READS(NEIGHBOURS),
      .CONTEXTS(CONTEXTS),
      .TABLES(TABLES),
      .SECOND_TABLES(SECOND_TABLES),
      .SECOND_LEAVES(SECOND_LEAVES)
  ) u_walker (
      .clk_i            (clk_i),
      .rst_i            (rst_i),
      .capabilities_i   (capabilities_i),
      .big_endian_i     (big_endian_i),
      .ddtp_mode_i      (ddtp_mode_i),
      .ddtp_ppn_i       (ddtp_ppn_i),
      .qos_i            (qos_i),
      .start_load_i     (start_load),
      .start_next_request_i(start_next_request),
      .start_next_hash_i(start_next_hash),
      .start_valid_i    (start_valid),
      .start_early_i    (start_early),
      .start_commit_i   (start_commit),
      .start_ready_o    (start_ready),
      .early_ready_o    (early_ready),
      .start_request_i  (start_request),
      .start_hash_i     (start_hash),
      .start_id_i       (start_id),
      .start_epoch_i    (start_epoch),
      .start_merge_o    (start_merge),
      .start_hold_o     (start_hold),
      .result_valid_o   (result_valid),
      .result_next_o    (result_next),
      .result_slot_o    (result_slot),
      .result_request_o (result_request),
      .result_id_o      (result_id),
      .result_epoch_o   (result_epoch),
      .result_context_o (result_context),
      .result_walk_o    (result_walk),
      .result_squashed_o(result_squashed),
      .result_release_i (result_release),
      .result_restart_i (result_restart),
      .restart_request_i(restart_request),
      .restart_hash_i   (restart_hash),
      .restart_id_i     (restart_id),
      .restart_epoch_i  (restart_epoch),
      .line_o           (line),
      .line_slot_o      (line_slot),
      .line_g_o         (line_g),
      .invalidate_i     (invalidate_i),
      .invalidation_i   (invalidation_i),
      .mem_req_valid_o  (mem_req_valid_o),
      .mem_req_ready_i  (mem_req_ready_i),
      .mem_req_slot_o   (mem_req_slot_o),
      .mem_req_op_o     (mem_req_op_o),
      .mem_req_addr_o   (mem_req_addr_o),
      .mem_req_size_o   (mem_req_size_o),
      .mem_req_wdata_o  (mem_req_wdata_o),
      .mem_req_qos_o    (mem_req_qos_o),
      .mem_req_pbmt_o   (mem_req_pbmt_o),
      .access_valid_o   (access_valid),
      .access_slot_o    (access_slot),
      .access_state_o   (access_state),
      .access_source_o  (access_source),
      .reused_o         (leaf_reused),
      .reused_slot_o    (leaf_reused_slot),
      .mem_rsp_valid_i  (mem_rsp_valid_i),
      .mem_rsp_slot_i   (mem_rsp_slot_i),
      .mem_rsp_data_i   (mem_rsp_data_i),
      .mem_rsp_err_i    (mem_rsp_err_i),
      .mem_rsp_poison_i (mem_rsp_poison_i)
  );

  // ---- Neighbours of a walked page ------------------------------------------------------------------------------------------------------
  generate
    if (NEIGHBOURS != 0) begin : g_neighbours
      iommu_neighbour_fill #(
          .WALKS(WALKS)
      ) u_neighbour_fill (
          .clk_i             (clk_i),
          .rst_i             (rst_i),
          .capabilities_i    (capabilities_i),
          .line_i            (line),
          .line_slot_i       (line_slot),
          .line_data_i       (mem_rsp_data_i),
          .line_bad_i        (mem_rsp_err_i | mem_rsp_poison_i),
          .line_g_i          (line_g),
          .result_i          (fill),
          .result_slot_i     (result_slot),
          .result_request_i  (result_request),
          .result_context_i  (result_context),
          .result_walk_i     (result_walk),
          .invalidate_i      (invalidate_i),
          .probe_o           (probe),
          .probe_request_o   (probe_request),
          .present_i         (present),
          .fill_valid_o      (neighbour_valid),
          .fill_ready_i      (neighbour_ready),
          .fill_request_o    (neighbour_request),
          .fill_translation_o(neighbour_translation)
      );
    end else begin : g_no_neighbours
      wire unused_line = &{line, line_slot, line_g, neighbour_ready, present};
      assign probe = 1'b0;
      assign probe_request = '0;
      assign neighbour_valid = 1'b0;
      assign neighbour_request = '0;
      assign neighbour_translation = '0;
    end
  endgenerate

  assign stat_neighbour_o = neighbour_valid && neighbour_ready && !invalidate_i;
  assign stat_walk_start_o = (start_valid && start_ready) || start_commit;
  assign stat_walk_end_o = result_release || result_restart;

  // ---- Performance monitor --------------------------------------------------------------------------------------------------------------
  iommu_performance_events #(
      .WALKS(WALKS)
  ) u_performance_events (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .request_valid_i (accepted),
      .request_i       (accepted_request),
      .access_valid_i  (access_valid),
      .access_slot_i   (access_slot),
      .access_state_i  (access_state),
      .access_source_i (access_source),
      .reused_i        (leaf_reused),
      .reused_slot_i   (leaf_reused_slot),
      .answer_valid_i  (reply_valid && reply_ready),
      .answer_last_i   (result_release || result_restart),
      .answer_slot_i   (result_slot),
      .answer_request_i(result_request),
      .answer_context_i(result_context),
      .events_o        (events_o)
  );

endmodule
`default_nettype wire
