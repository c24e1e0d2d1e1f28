`default_nettype none
// RISC-V IOMMU core: translation port, memory port, register bus, fence and events of docs/interfaces.md sections 3 to 6.
//
//   request -> iommu_lookup (IOTLBs) -> hit -> response
//                     \-> miss -> iommu_miss_queue -> iommu_walker <-> memory -> reply -> response, fill, fault record
//   iommu_command_queue -> invalidation of every cache and squash of every walk in flight, fence, messages to devices
//   iommu_page_request -> walk that locates the device context -> page-request queue in memory, or response to the device
//
// Latency in cycles from request to response handshake, L = memory latency: first-level hit 2, second-level hit 4; Sv39 miss with cached
// context and last-level table L + 4; Sv39 on Sv39x4 with cached last-level tables of both stages 2L + 6, with cached context only
// 15L + 18.
//
// Every feature is gated by `capabilities_i` below the maximum of the build (CAPABILITIES_MAX). A feature that is absent behaves as the
// specification demands of an implementation without it.
module riscv_iommu #(
    // Bits of the identifiers of the translation port and of the memory port.
    parameter int ID_W = 8,
    parameter int MEM_ID_W = 8,
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
    // Invalidate requests that devices have not completed, 1 to 32, and the cycles after which one of them times out (default: a minute
    // at 250 MHz; PCIe ATS); page requests that wait.
    parameter int INVALIDATE_TAGS = 32,
    parameter [39:0] INVALIDATE_TIMEOUT = 40'd15_000_000_000,
    parameter int PAGE_REQUESTS = 8,
    // Event counters of the performance monitor, 1 to 31.
    parameter int COUNTERS = 8
) (
    input  wire                clk_i,
    input  wire                rst_i,

    // Static: features offered, in the layout of the capabilities register; bit 56 = fixed fctl.BE when END = 0.
    input  wire [63:0]         capabilities_i,

    // Translation requests.
    input  wire                xlate_req_valid_i,
    output wire                xlate_req_ready_o,
    input  wire [ID_W-1:0]     xlate_req_id_i,
    input  wire [23:0]         xlate_req_did_i,
    input  wire                xlate_req_pv_i,
    input  wire [19:0]         xlate_req_pid_i,
    input  wire                xlate_req_priv_i,
    input  wire                xlate_req_exec_i,
    input  wire [1:0]          xlate_req_at_i,
    input  wire                xlate_req_wr_i,
    input  wire                xlate_req_nw_i,
    input  wire [63:0]         xlate_req_iova_i,

    // Translation responses, in any order.
    output wire                xlate_rsp_valid_o,
    input  wire                xlate_rsp_ready_i,
    output wire [ID_W-1:0]     xlate_rsp_id_o,
    output wire [1:0]          xlate_rsp_status_o,
    output wire [58:0]         xlate_rsp_spa_o,
    output wire [1:0]          xlate_rsp_pbmt_o,
    output wire [7:0]          xlate_rsp_permissions_o,
    output wire [5:0]          xlate_rsp_size_o,
    output wire                xlate_rsp_mrif_o,
    output wire [10:0]         xlate_rsp_mrif_nid_o,
    output wire [43:0]         xlate_rsp_mrif_nppn_o,
    output wire                xlate_rsp_mrif_quiet_o,
    output wire [23:0]         xlate_rsp_mrif_qos_o,

    // Writes of devices to memory-resident interrupt files, one 32-bit word each; `mrif_ready_o`: it has been carried out. The first
    // five are those of its response, `mrif_translated_i` and what follows those of its request.
    input  wire                mrif_valid_i,
    output wire                mrif_ready_o,
    input  wire [55:0]         mrif_address_i,
    input  wire [10:0]         mrif_nid_i,
    input  wire [43:0]         mrif_nppn_i,
    input  wire                mrif_quiet_i,
    input  wire [23:0]         mrif_qos_i,
    input  wire                mrif_translated_i,
    input  wire [23:0]         mrif_did_i,
    input  wire                mrif_pv_i,
    input  wire [19:0]         mrif_pid_i,
    input  wire                mrif_priv_i,
    input  wire [63:0]         mrif_iova_i,
    input  wire [31:0]         mrif_data_i,

    // Page request messages of devices.
    input  wire                page_req_valid_i,
    output wire                page_req_ready_o,
    input  wire                page_req_dsv_i,
    input  wire [23:0]         page_req_did_i,
    input  wire                page_req_pv_i,
    input  wire [19:0]         page_req_pid_i,
    input  wire                page_req_priv_i,
    input  wire                page_req_exec_i,
    input  wire [63:0]         page_req_payload_i,

    // Invalidate completion messages of devices, always accepted.
    input  wire                invalidate_completion_valid_i,
    input  wire [23:0]         invalidate_completion_did_i,
    input  wire [31:0]         invalidate_completion_tags_i,
    input  wire [2:0]          invalidate_completion_count_i,

    // Messages to devices: invalidate requests, page-request-group responses.
    output wire                message_valid_o,
    input  wire                message_ready_i,
    output wire                message_invalidate_o,
    output wire                message_dsv_o,
    output wire [7:0]          message_dseg_o,
    output wire [15:0]         message_rid_o,
    output wire                message_pv_o,
    output wire [19:0]         message_pid_o,
    output wire [4:0]          message_itag_o,
    output wire [63:0]         message_payload_o,

    // Memory port.
    output wire                mem_req_valid_o,
    input  wire                mem_req_ready_i,
    output wire [MEM_ID_W-1:0] mem_req_id_o,
    output wire [1:0]          mem_req_op_o,
    output wire [55:0]         mem_req_addr_o,
    output wire [6:0]          mem_req_size_o,
    output wire [511:0]        mem_req_wdata_o,
    output wire [63:0]         mem_req_strobe_o,
    output wire [23:0]         mem_req_qos_o,
    output wire [1:0]          mem_req_pbmt_o,
    input  wire                mem_rsp_valid_i,
    output wire                mem_rsp_ready_o,
    input  wire [MEM_ID_W-1:0] mem_rsp_id_i,
    input  wire [511:0]        mem_rsp_data_i,
    input  wire [7:0]          mem_rsp_err_i,
    input  wire [7:0]          mem_rsp_poison_i,

    // Register bus.
    input  wire                reg_valid_i,
    input  wire                reg_write_i,
    input  wire [11:0]         reg_address_i,
    input  wire [63:0]         reg_wdata_i,
    input  wire [7:0]          reg_strobe_i,
    output wire                reg_ready_o,
    output wire [63:0]         reg_rdata_o,

    // Wired interrupts by vector, level.
    output wire [15:0]         wire_o,

    // Fence.
    output wire                drain_req_o,
    output wire                drain_reads_o,
    output wire                drain_writes_o,
    input  wire                drain_ack_i,

    // Observation strobes.
    output wire                event_command_o,
    output wire [63:0]         event_command_w0_o,
    output wire [63:0]         event_command_w1_o,
    output wire                event_fault_o,
    output wire                stat_l1_hit_o,
    output wire                stat_l2_hit_o,
    output wire                stat_miss_o,
    output wire                stat_walk_start_o,
    output wire                stat_walk_end_o,
    output wire                stat_invalidate_unexpected_o,
    output wire                stat_invalidate_timeout_o,
    output wire                stat_neighbour_o
);
  `include "iommu_records.vh"

  localparam int SLOT_W = $clog2(WALKS);
  localparam int ENGINES = 5;
  localparam int ACCESS_W = 2 + 56 + 7 + 256 + 32 + 24 + 2;

  // Version 1.0; Sv39/48/57, Svrsw60t59b, Svpbmt, Sv39x4/48x4/57x4, MSI_FLAT, MSI_MRIF, AMO_HWAD, ATS, T2GPA, END, IGS, PAS,
  // HPM, DBG, PD8/17/20, QOSID, NL, S, fixed BE.
  localparam [63:0] CAPABILITIES_MAX = 64'h01000FFFFFCECEFF;

  wire [63:0] capabilities = capabilities_i & CAPABILITIES_MAX;

  // Page number bits beyond the physical address size, which is 14 bits or more (capabilities_i is static).
  logic [43:0] beyond_q;

  always_ff @(posedge clk_i) beyond_q <= iommu_spec_pkg::page_bits_beyond(capabilities);

  // ---- Registers ------------------------------------------------------------------------------------------------------------------
  wire         big_endian, wired, hold, idle, switch_directory;
  wire [23:0]  qos;
  wire [3:0]   ddtp_mode;
  wire [43:0]  ddtp_ppn;
  wire         cq_on, cq_enable, cq_stopped, cq_restart, cq_idle, cq_memory_fault, cq_illegal, cq_timeout, cq_fence_wire;
  wire [43:0]  cq_ppn, fq_ppn, pq_ppn;
  wire [4:0]   cq_log2, fq_log2, pq_log2;
  wire [31:0]  cq_tail, cq_head, fq_head, fq_tail, pq_head, pq_tail;
  wire         fq_on, fq_enable, fq_stopped, fq_restart, fq_idle, fq_overflow, fq_error, fq_written;
  wire         pq_on, pq_enable, pq_memory_fault, pq_stopped, pq_restart, pq_idle, pq_overflow, pq_error, pq_written;
  wire         pages_idle, other_write_lo, other_write_hi;
  wire [3:0]   pending;
  wire         counter_overflow;
  wire [63:0]  counters_rdata, debug_rdata;
  wire [15:0]  vectors;
  wire [16*89-1:0] msi_table;

  iommu_registers u_registers (
      .clk_i            (clk_i),
      .rst_i            (rst_i),
      .capabilities_i   (capabilities),
      .reg_valid_i      (reg_valid_i),
      .reg_write_i      (reg_write_i),
      .reg_address_i    (reg_address_i),
      .reg_wdata_i      (reg_wdata_i),
      .reg_strobe_i     (reg_strobe_i),
      .reg_ready_o      (reg_ready_o),
      .reg_rdata_o      (reg_rdata_o),
      .big_endian_o     (big_endian),
      .wired_o          (wired),
      .qos_o            (qos),
      .ddtp_mode_o      (ddtp_mode),
      .ddtp_ppn_o       (ddtp_ppn),
      .hold_o           (hold),
      .idle_i           (idle && pages_idle),
      .switch_o         (switch_directory),
      .cq_on_o          (cq_on),
      .cq_enable_o      (cq_enable),
      .cq_stopped_o     (cq_stopped),
      .cq_restart_o     (cq_restart),
      .cq_ppn_o         (cq_ppn),
      .cq_log2_o        (cq_log2),
      .cq_tail_o        (cq_tail),
      .cq_head_i        (cq_head),
      .cq_idle_i        (cq_idle),
      .cq_memory_fault_i(cq_memory_fault),
      .cq_illegal_i     (cq_illegal),
      .cq_timeout_i     (cq_timeout),
      .cq_fence_wire_i  (cq_fence_wire),
      .fq_on_o          (fq_on),
      .fq_enable_o      (fq_enable),
      .fq_stopped_o     (fq_stopped),
      .fq_restart_o     (fq_restart),
      .fq_ppn_o         (fq_ppn),
      .fq_log2_o        (fq_log2),
      .fq_head_o        (fq_head),
      .fq_tail_i        (fq_tail),
      .fq_idle_i        (fq_idle),
      .fq_overflow_i    (fq_overflow),
      .fq_error_i       (fq_error),
      .fq_written_i     (fq_written),
      .pq_on_o          (pq_on),
      .pq_enable_o      (pq_enable),
      .pq_memory_fault_o(pq_memory_fault),
      .pq_stopped_o     (pq_stopped),
      .pq_restart_o     (pq_restart),
      .pq_ppn_o         (pq_ppn),
      .pq_log2_o        (pq_log2),
      .pq_head_o        (pq_head),
      .pq_tail_i        (pq_tail),
      .pq_idle_i        (pq_idle),
      .pq_overflow_i    (pq_overflow),
      .pq_error_i       (pq_error),
      .pq_written_i     (pq_written),
      .other_write_lo_o (other_write_lo),
      .other_write_hi_o (other_write_hi),
      .other_rdata_i    (counters_rdata | debug_rdata),
      .counter_overflow_i(counter_overflow),
      .pending_o        (pending),
      .vectors_o        (vectors),
      .table_o          (msi_table)
  );

  // ---- Request; PASID fields are 0 without a PASID ----------------------------------------------------------------------------------
  request_t request;

  always_comb begin
    request = '0;
    request.did = xlate_req_did_i;
    request.pv = xlate_req_pv_i;
    request.pid = xlate_req_pv_i ? xlate_req_pid_i : '0;
    request.priv = xlate_req_pv_i && xlate_req_priv_i;
    request.exec = xlate_req_exec_i;
    request.at = xlate_req_at_i;
    request.wr = xlate_req_wr_i;
    request.nw = xlate_req_nw_i;
    request.iova = xlate_req_iova_i;
  end

  // ---- Requests of the debug port, between those of devices ----------------------------------------------------------------------------
  wire                                  lookup_ready, debug_valid, debug_urgent, debug_rsp_valid;
  wire [iommu_spec_pkg::REQUEST_W-1:0]  debug_request;
  wire [iommu_spec_pkg::RESPONSE_W-1:0] response_flat;
  wire                                  debug_first = debug_valid && (debug_urgent || !xlate_req_valid_i);

  assign xlate_req_ready_o = lookup_ready && !debug_urgent;

  iommu_debug_port u_debug_port (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .present_i       (capabilities[iommu_spec_pkg::CAP_DBG]),
      .reg_address_i   (reg_address_i),
      .reg_wdata_i     (reg_wdata_i),
      .write_lo_i      (other_write_lo),
      .write_hi_i      (other_write_hi),
      .rdata_o         (debug_rdata),
      .request_valid_o (debug_valid),
      .request_urgent_o(debug_urgent),
      .request_ready_i (lookup_ready && debug_first),
      .request_o       (debug_request),
      .response_valid_i(debug_rsp_valid),
      .response_i      (response_flat)
  );

  // ---- Invalidation: by command, and of everything when the directory changes; registered, since every cache hears it ------------------
  wire                                      command_invalidate;
  wire [iommu_spec_pkg::INVALIDATION_W-1:0] command_invalidation;
  logic                                     invalidate_q, switched_q;
  invalidation_t                            invalidation_d, invalidation_q;
  // The first request under a new directory comes behind the invalidation.
  wire                                      hold_requests = hold || switched_q;

  always_comb begin
    invalidation_d = command_invalidation;
    invalidation_d.everything = switch_directory;
  end

  always_ff @(posedge clk_i) begin
    invalidate_q <= command_invalidate || switch_directory;
    switched_q <= switch_directory;
    invalidation_q <= invalidation_d;
    if (rst_i) begin
      invalidate_q <= 1'b0;
      switched_q <= 1'b0;
    end
  end

  // ---- Walks of page requests: beside the misses, one at a time, and first --------------------------------------------------------------
  wire                                 page_walk_valid, result_message;
  wire [iommu_spec_pkg::REQUEST_W-1:0] page_walk_request;

  // ---- Lookup -----------------------------------------------------------------------------------------------------------------------
  wire                                     miss_valid, miss_epoch, miss_early;
  wire [iommu_spec_pkg::REQUEST_W-1:0]     miss_request;
  wire [ID_W-1:0]                          miss_id, reply_id;
  wire                                     reply_valid, reply_ready, reply_epoch, reply_debug, lookup_reply_ready;
  wire [iommu_spec_pkg::RESPONSE_W-1:0]    reply_response;
  wire                                     fill, flip, drained;
  wire [iommu_spec_pkg::REQUEST_W-1:0]     fill_request;
  wire [iommu_spec_pkg::TRANSLATION_W-1:0] fill_translation, neighbour_translation;
  wire                                     accepted;
  wire [iommu_spec_pkg::REQUEST_W-1:0]     next_request = debug_first ? debug_request : request;
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
      .ddtp_mode_i       (ddtp_mode),
      .req_valid_i       (xlate_req_valid_i || debug_valid),
      .req_ready_o       (lookup_ready),
      .req_id_i          (xlate_req_id_i),
      .req_request_i     (next_request),
      .rsp_valid_o       (xlate_rsp_valid_o),
      .rsp_ready_i       (xlate_rsp_ready_i),
      .rsp_id_o          (xlate_rsp_id_o),
      .rsp_response_o    (response_flat),
      .debug_rsp_valid_o (debug_rsp_valid),
      .miss_valid_o      (miss_valid),
      .miss_ready_i      (!page_walk_valid),
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
      .invalidate_i      (invalidate_q),
      .invalidation_i    (invalidation_q),
      .hold_i            (hold_requests),
      .flip_i            (flip),
      .drained_o         (drained),
      .idle_o            (idle),
      .accepted_o        (accepted),
      .accepted_request_o(accepted_request),
      .accepted_id_o     (accepted_id),
      .accepted_epoch_o  (accepted_epoch),
      .l1_hit_o          (stat_l1_hit_o),
      .l2_hit_o          (stat_l2_hit_o),
      .miss_o            (stat_miss_o)
  );

  response_t response;

  assign response = response_flat;
  assign xlate_rsp_status_o = response.status;
  assign xlate_rsp_spa_o = {response.guest_high, response.spa};
  assign xlate_rsp_pbmt_o = response.pbmt;
  assign xlate_rsp_permissions_o = response.permissions;
  assign xlate_rsp_size_o = response.size;
  assign xlate_rsp_mrif_o = response.mrif;
  assign xlate_rsp_mrif_nid_o = response.mrif_nid;
  assign xlate_rsp_mrif_nppn_o = response.mrif_nppn;
  assign xlate_rsp_mrif_quiet_o = response.mrif_quiet;
  assign xlate_rsp_mrif_qos_o = response.mrif_qos;

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
  wire                                  walk_fault_valid, walk_fault_ready;
  wire [iommu_spec_pkg::FAULT_W-1:0]    walk_fault, msi_fault;
  wire                                  msi_fault_valid, fault_ready;
  request_t                             result;

  assign result = result_request;
  assign result_message = result.at == iommu_spec_pkg::AT_MESSAGE;
  assign reply_ready = result_message || lookup_reply_ready;

  iommu_miss_queue #(
      .QUEUES(MISS_QUEUES),
      .MERGES(MERGES),
      .WALKS(WALKS),
      .ID_W(ID_W)
  ) u_miss_queue (
      .clk_i             (clk_i),
      .rst_i             (rst_i),
      .early_next_i      (request),
      .early_valid_i     (accepted && !accepted_debug),
      .early_id_i        (accepted_id),
      .early_epoch_i     (accepted_epoch),
      .miss_valid_i      (miss_valid || page_walk_valid),
      .miss_request_i    (page_walk_valid ? page_walk_request : miss_request),
      .miss_id_i         (miss_id),
      .miss_epoch_i      (miss_epoch),
      .miss_early_i      (miss_early && !page_walk_valid),
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
      .fault_valid_o     (walk_fault_valid),
      .fault_ready_i     (walk_fault_ready),
      .fault_o           (walk_fault),
      .fill_o            (fill),
      .fill_request_o    (fill_request),
      .fill_translation_o(fill_translation)
  );

  wire                 walk_mem_valid, walk_mem_ready, walk_rsp_valid;
  wire [SLOT_W-1:0]    walk_mem_slot, walk_rsp_slot;
  wire [1:0]           walk_mem_op, walk_mem_pbmt;
  wire [55:0]          walk_mem_addr;
  wire [6:0]           walk_mem_size;
  wire [127:0]         walk_mem_wdata;
  wire [23:0]          walk_mem_qos;
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
      .capabilities_i   (capabilities),
      .big_endian_i     (big_endian),
      .ddtp_mode_i      (ddtp_mode),
      .ddtp_ppn_i       (ddtp_ppn),
      .qos_i            (qos),
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
      .invalidate_i     (invalidate_q),
      .invalidation_i   (invalidation_q),
      .mem_req_valid_o  (walk_mem_valid),
      .mem_req_ready_i  (walk_mem_ready),
      .mem_req_slot_o   (walk_mem_slot),
      .mem_req_op_o     (walk_mem_op),
      .mem_req_addr_o   (walk_mem_addr),
      .mem_req_size_o   (walk_mem_size),
      .mem_req_wdata_o  (walk_mem_wdata),
      .mem_req_qos_o    (walk_mem_qos),
      .mem_req_pbmt_o   (walk_mem_pbmt),
      .access_valid_o   (access_valid),
      .access_slot_o    (access_slot),
      .access_state_o   (access_state),
      .access_source_o  (access_source),
      .reused_o         (leaf_reused),
      .reused_slot_o    (leaf_reused_slot),
      .mem_rsp_valid_i  (walk_rsp_valid),
      .mem_rsp_slot_i   (walk_rsp_slot),
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
          .capabilities_i    (capabilities),
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
          .invalidate_i      (invalidate_q),
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

  assign stat_neighbour_o = neighbour_valid && neighbour_ready && !invalidate_q;
  assign stat_walk_start_o = (start_valid && start_ready) || start_commit;
  assign stat_walk_end_o = result_release || result_restart;

  // ---- Performance monitor --------------------------------------------------------------------------------------------------------------
  localparam int EVENT_W = 4 + iommu_spec_pkg::EVENT_SOURCE_W;
  wire [3*EVENT_W-1:0] events;

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
      .events_o        (events)
  );

  iommu_performance_counters #(
      .COUNTERS(COUNTERS)
  ) u_performance_counters (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .present_i    (capabilities[iommu_spec_pkg::CAP_HPM]),
      .reg_address_i(reg_address_i),
      .reg_wdata_i  (reg_wdata_i),
      .write_lo_i   (other_write_lo),
      .write_hi_i   (other_write_hi),
      .rdata_o      (counters_rdata),
      .events_i     (events),
      .overflow_o   (counter_overflow)
  );

  // ---- Queues, interrupts, memory port --------------------------------------------------------------------------------------------------
  wire [ENGINES-1:0]          engine_valid, engine_ready, engine_rsp_valid;
  wire [ENGINES*ACCESS_W-1:0] engine_access;
  wire                        mrif_fault_valid;
  wire [iommu_spec_pkg::FAULT_W-1:0] mrif_fault;

  // Walks before interrupt writes; a push happens with ready only.
  assign walk_fault_ready = fault_ready;

  iommu_fault_queue u_fault_queue (
      .clk_i          (clk_i),
      .rst_i          (rst_i),
      .fault_valid_i  (walk_fault_valid || msi_fault_valid || mrif_fault_valid),
      .fault_ready_o  (fault_ready),
      .fault_i        (walk_fault_valid ? walk_fault : msi_fault_valid ? msi_fault : mrif_fault),
      .on_i           (fq_on),
      .enable_i       (fq_enable),
      .stopped_i      (fq_stopped),
      .base_ppn_i     (fq_ppn),
      .log2_size_i    (fq_log2),
      .head_i         (fq_head),
      .beyond_i       (beyond_q),
      .big_endian_i   (big_endian),
      .qos_i          (qos),
      .restart_i      (fq_restart),
      .tail_o         (fq_tail),
      .idle_o         (fq_idle),
      .overflow_o     (fq_overflow),
      .error_o        (fq_error),
      .written_o      (fq_written),
      .mem_valid_o    (engine_valid[1]),
      .mem_ready_i    (engine_ready[1]),
      .mem_access_o   (engine_access[ACCESS_W +: ACCESS_W]),
      .mem_rsp_valid_i(engine_rsp_valid[1]),
      .mem_rsp_err_i  (mem_rsp_err_i)
  );

  assign event_fault_o = fq_written;

  wire                                 command_message_valid, command_message_ready, page_message_valid, page_message_ready;
  wire [iommu_spec_pkg::MESSAGE_W-1:0] command_message, page_message, message_flat;
  message_t                            requested, message;
  wire                                 tag_free, tag_take, tags_out, timed_out, pages_drained;
  wire [4:0]                           tag;

  iommu_command_queue u_command_queue (
      .clk_i             (clk_i),
      .rst_i             (rst_i),
      .capabilities_i    (capabilities),
      .beyond_i          (beyond_q),
      .big_endian_i      (big_endian),
      .wired_i           (wired),
      .qos_i             (qos),
      .on_i              (cq_on),
      .enable_i          (cq_enable),
      .stopped_i         (cq_stopped),
      .base_ppn_i        (cq_ppn),
      .log2_size_i       (cq_log2),
      .tail_i            (cq_tail),
      .restart_i         (cq_restart),
      .head_o            (cq_head),
      .idle_o            (cq_idle),
      .memory_fault_o    (cq_memory_fault),
      .illegal_o         (cq_illegal),
      .timeout_o         (cq_timeout),
      .fence_wire_o      (cq_fence_wire),
      .invalidate_o      (command_invalidate),
      .invalidation_o    (command_invalidation),
      .message_valid_o   (command_message_valid),
      .message_ready_i   (command_message_ready),
      .message_o         (command_message),
      .tag_free_i        (tag_free),
      .tag_i             (tag),
      .tag_take_o        (tag_take),
      .tags_out_i        (tags_out),
      .timed_out_i       (timed_out),
      .flip_o            (flip),
      .drained_i         (drained && pages_drained),
      .drain_req_o       (drain_req_o),
      .drain_reads_o     (drain_reads_o),
      .drain_writes_o    (drain_writes_o),
      .drain_ack_i       (drain_ack_i),
      .event_command_o   (event_command_o),
      .event_command_w0_o(event_command_w0_o),
      .event_command_w1_o(event_command_w1_o),
      .mem_valid_o       (engine_valid[0]),
      .mem_ready_i       (engine_ready[0]),
      .mem_access_o      (engine_access[0 +: ACCESS_W]),
      .mem_rsp_valid_i   (engine_rsp_valid[0]),
      .mem_rsp_data_i    (mem_rsp_data_i[127:0]),
      .mem_rsp_err_i     (mem_rsp_err_i),
      .mem_rsp_poison_i  (mem_rsp_poison_i)
  );

  // ---- Devices: tags of invalidate requests, page requests, messages --------------------------------------------------------------------
  assign requested = command_message;
  assign message = message_flat;

  iommu_invalidate_tags #(
      .TAGS(INVALIDATE_TAGS),
      .TIMEOUT(INVALIDATE_TIMEOUT)
  ) u_invalidate_tags (
      .clk_i             (clk_i),
      .rst_i             (rst_i),
      .free_o            (tag_free),
      .tag_o             (tag),
      .take_i            (tag_take),
      .take_did_i        ({requested.dseg, requested.rid}),
      .completion_valid_i(invalidate_completion_valid_i),
      .completion_did_i  (invalidate_completion_did_i),
      .completion_tags_i (invalidate_completion_tags_i),
      .completion_count_i(invalidate_completion_count_i),
      .out_o             (tags_out),
      .timed_out_o       (timed_out),
      .timed_out_clear_i (cq_timeout),
      .stat_unexpected_o (stat_invalidate_unexpected_o),
      .stat_timeout_o    (stat_invalidate_timeout_o)
  );

  context_t page_context;
  walk_t    page_walk;

  assign page_context = result_context;
  assign page_walk = result_walk;

  iommu_page_request #(
      .DEPTH(PAGE_REQUESTS)
  ) u_page_request (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .request_valid_i (page_req_valid_i),
      .request_ready_o (page_req_ready_o),
      .request_i       ({page_req_dsv_i, page_req_did_i, page_req_pv_i, page_req_pid_i, page_req_priv_i, page_req_exec_i,
                         page_req_payload_i}),
      .walk_valid_o    (page_walk_valid),
      .walk_request_o  (page_walk_request),
      .walked_i        (reply_valid && result_message),
      .walked_allowed_i(page_walk.status == iommu_pkg::RESPONSE_SUCCESS),
      .walked_cause_i  (page_walk.cause),
      .walked_prpr_i   (page_context.prpr),
      .hold_i          (hold_requests),
      .idle_o          (pages_idle),
      .flip_i          (flip),
      .drained_o       (pages_drained),
      .on_i            (pq_on),
      .enable_i        (pq_enable),
      .memory_fault_i  (pq_memory_fault),
      .stopped_i       (pq_stopped),
      .base_ppn_i      (pq_ppn),
      .log2_size_i     (pq_log2),
      .head_i          (pq_head),
      .beyond_i        (beyond_q),
      .big_endian_i    (big_endian),
      .qos_i           (qos),
      .restart_i       (pq_restart),
      .tail_o          (pq_tail),
      .queue_idle_o    (pq_idle),
      .overflow_o      (pq_overflow),
      .error_o         (pq_error),
      .written_o       (pq_written),
      .message_valid_o (page_message_valid),
      .message_ready_i (page_message_ready),
      .message_o       (page_message),
      .mem_valid_o     (engine_valid[3]),
      .mem_ready_i     (engine_ready[3]),
      .mem_access_o    (engine_access[3*ACCESS_W +: ACCESS_W]),
      .mem_rsp_valid_i (engine_rsp_valid[3]),
      .mem_rsp_err_i   (mem_rsp_err_i)
  );

  iommu_message_port u_message_port (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .in_valid_i   ({page_message_valid, command_message_valid}),
      .in_ready_o   ({page_message_ready, command_message_ready}),
      .in_message_i ({page_message, command_message}),
      .out_valid_o  (message_valid_o),
      .out_ready_i  (message_ready_i),
      .out_message_o(message_flat)
  );

  assign message_invalidate_o = message.invalidate;
  assign message_dsv_o = message.dsv;
  assign message_dseg_o = message.dseg;
  assign message_rid_o = message.rid;
  assign message_pv_o = message.pv;
  assign message_pid_o = message.pid;
  assign message_itag_o = message.itag;
  assign message_payload_o = message.payload;

  iommu_interrupt u_interrupt (
      .clk_i          (clk_i),
      .rst_i          (rst_i),
      .wired_i        (wired),
      .big_endian_i   (big_endian),
      .qos_i          (qos),
      .beyond_i       (beyond_q),
      .pending_i      (pending),
      .vectors_i      (vectors),
      .table_i        (msi_table),
      .wire_o         (wire_o),
      .fault_valid_o  (msi_fault_valid),
      .fault_ready_i  (fault_ready && !walk_fault_valid),
      .fault_o        (msi_fault),
      .mem_valid_o    (engine_valid[2]),
      .mem_ready_i    (engine_ready[2]),
      .mem_access_o   (engine_access[2*ACCESS_W +: ACCESS_W]),
      .mem_rsp_valid_i(engine_rsp_valid[2]),
      .mem_rsp_err_i  (mem_rsp_err_i)
  );

  iommu_mrif u_mrif (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .big_endian_i    (big_endian),
      .qos_i           (qos),
      .beyond_i        (beyond_q),
      .write_valid_i   (mrif_valid_i),
      .write_ready_o   (mrif_ready_o),
      .write_i         ({mrif_address_i, mrif_nid_i, mrif_nppn_i, mrif_quiet_i, mrif_qos_i, mrif_translated_i, mrif_did_i,
                         mrif_pv_i, mrif_pid_i, mrif_priv_i, mrif_iova_i, mrif_data_i}),
      .fault_valid_o   (mrif_fault_valid),
      .fault_ready_i   (fault_ready && !walk_fault_valid && !msi_fault_valid),
      .fault_o         (mrif_fault),
      .mem_valid_o     (engine_valid[4]),
      .mem_ready_i     (engine_ready[4]),
      .mem_access_o    (engine_access[4*ACCESS_W +: ACCESS_W]),
      .mem_rsp_valid_i (engine_rsp_valid[4]),
      .mem_rsp_data_i  (mem_rsp_data_i[63:0]),
      .mem_rsp_err_i   (mem_rsp_err_i[0]),
      .mem_rsp_poison_i(mem_rsp_poison_i[0])
  );

  iommu_memory_arbiter #(
      .WALKS(WALKS),
      .MEM_ID_W(MEM_ID_W),
      .ENGINES(ENGINES)
  ) u_memory_arbiter (
      .clk_i             (clk_i),
      .rst_i             (rst_i),
      .walk_valid_i      (walk_mem_valid),
      .walk_ready_o      (walk_mem_ready),
      .walk_slot_i       (walk_mem_slot),
      .walk_op_i         (walk_mem_op),
      .walk_addr_i       (walk_mem_addr),
      .walk_size_i       (walk_mem_size),
      .walk_wdata_i      (walk_mem_wdata),
      .walk_qos_i        (walk_mem_qos),
      .walk_pbmt_i       (walk_mem_pbmt),
      .engine_valid_i    (engine_valid),
      .engine_ready_o    (engine_ready),
      .engine_access_i   (engine_access),
      .mem_req_valid_o   (mem_req_valid_o),
      .mem_req_ready_i   (mem_req_ready_i),
      .mem_req_id_o      (mem_req_id_o),
      .mem_req_op_o      (mem_req_op_o),
      .mem_req_addr_o    (mem_req_addr_o),
      .mem_req_size_o    (mem_req_size_o),
      .mem_req_wdata_o   (mem_req_wdata_o),
      .mem_req_strobe_o  (mem_req_strobe_o),
      .mem_req_qos_o     (mem_req_qos_o),
      .mem_req_pbmt_o    (mem_req_pbmt_o),
      .mem_rsp_valid_i   (mem_rsp_valid_i),
      .mem_rsp_ready_o   (mem_rsp_ready_o),
      .mem_rsp_id_i      (mem_rsp_id_i),
      .walk_rsp_valid_o  (walk_rsp_valid),
      .walk_rsp_slot_o   (walk_rsp_slot),
      .engine_rsp_valid_o(engine_rsp_valid)
  );

`ifndef SYNTHESIS
  initial begin
    if ($bits(invalidation_q) != iommu_spec_pkg::INVALIDATION_W)
      $fatal(1, "riscv_iommu: INVALIDATION_W in iommu_spec_pkg is not the width of its record");
  end
`endif

endmodule
`default_nettype wire
