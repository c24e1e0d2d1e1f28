`default_nettype none
// RISC-V IOMMU core: translation port, memory port, register bus, fence and events of docs/interfaces.md sections 3 to 6.
//
//   iommu_translation_unit   requests and responses: IOTLBs, walks <-> memory
//   iommu_control_unit       registers, queues in memory, interrupts, messages; invalidations and fences of the other
//   iommu_memory_arbiter     one memory port for the walks of the one and the engines of the other
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
  localparam int EVENT_W = 4 + iommu_spec_pkg::EVENT_SOURCE_W;

  // Version 1.0; Sv39/48/57, Svrsw60t59b, Svpbmt, Sv39x4/48x4/57x4, MSI_FLAT, MSI_MRIF, AMO_HWAD, ATS, T2GPA, END, IGS, PAS,
  // HPM, DBG, PD8/17/20, QOSID, NL, S, fixed BE.
  localparam [63:0] CAPABILITIES_MAX = 64'h01000FFFFFCECEFF;

  wire [63:0] capabilities = capabilities_i & CAPABILITIES_MAX;

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

  // ---- Translation ----------------------------------------------------------------------------------------------------------------------
  // Between the two units: configuration and fences; debug port; page requests; invalidations; fault records; events.
  wire                                      big_endian, hold, idle, flip, drained;
  wire [3:0]                                ddtp_mode;
  wire [43:0]                               ddtp_ppn;
  wire [23:0]                               qos;
  wire                                      debug_valid, debug_urgent, debug_ready, debug_rsp_valid;
  wire [iommu_spec_pkg::REQUEST_W-1:0]      debug_request, page_walk_request;
  wire [iommu_spec_pkg::RESPONSE_W-1:0]     response_flat;
  wire                                      page_walk_valid, page_walked, page_walked_allowed, page_walked_prpr;
  wire [8:0]                                page_walked_cause;
  wire                                      invalidate;
  wire [iommu_spec_pkg::INVALIDATION_W-1:0] invalidation;
  wire                                      fault_valid, fault_ready;
  wire [iommu_spec_pkg::FAULT_W-1:0]        fault;
  wire [3*EVENT_W-1:0]                      events;
  // Accesses of walks.
  wire                                      walk_mem_valid, walk_mem_ready, walk_rsp_valid;
  wire [SLOT_W-1:0]                         walk_mem_slot, walk_rsp_slot;
  wire [1:0]                                walk_mem_op, walk_mem_pbmt;
  wire [55:0]                               walk_mem_addr;
  wire [6:0]                                walk_mem_size;
  wire [127:0]                              walk_mem_wdata;
  wire [23:0]                               walk_mem_qos;

  iommu_translation_unit #(
      .ID_W(ID_W),
      .WALKS(WALKS),
      .MISS_QUEUES(MISS_QUEUES),
      .MERGES(MERGES),
      .NEIGHBOURS(NEIGHBOURS),
      .L1_ENTRIES(L1_ENTRIES),
      .L2_SETS(L2_SETS),
      .L2_WAYS(L2_WAYS),
      .SUPERPAGES(SUPERPAGES),
      .CONTEXTS(CONTEXTS),
      .TABLES(TABLES),
      .SECOND_TABLES(SECOND_TABLES),
      .SECOND_LEAVES(SECOND_LEAVES)
  ) u_translation_unit (
      .clk_i                (clk_i),
      .rst_i                (rst_i),
      .capabilities_i       (capabilities),
      .big_endian_i         (big_endian),
      .ddtp_mode_i          (ddtp_mode),
      .ddtp_ppn_i           (ddtp_ppn),
      .qos_i                (qos),
      .req_valid_i          (xlate_req_valid_i),
      .req_ready_o          (xlate_req_ready_o),
      .req_id_i             (xlate_req_id_i),
      .req_request_i        (request),
      .rsp_valid_o          (xlate_rsp_valid_o),
      .rsp_ready_i          (xlate_rsp_ready_i),
      .rsp_id_o             (xlate_rsp_id_o),
      .rsp_response_o       (response_flat),
      .debug_valid_i        (debug_valid),
      .debug_urgent_i       (debug_urgent),
      .debug_ready_o        (debug_ready),
      .debug_request_i      (debug_request),
      .debug_rsp_valid_o    (debug_rsp_valid),
      .page_walk_valid_i    (page_walk_valid),
      .page_walk_request_i  (page_walk_request),
      .page_walked_o        (page_walked),
      .page_walked_allowed_o(page_walked_allowed),
      .page_walked_cause_o  (page_walked_cause),
      .page_walked_prpr_o   (page_walked_prpr),
      .invalidate_i         (invalidate),
      .invalidation_i       (invalidation),
      .hold_i               (hold),
      .idle_o               (idle),
      .flip_i               (flip),
      .drained_o            (drained),
      .fault_valid_o        (fault_valid),
      .fault_ready_i        (fault_ready),
      .fault_o              (fault),
      .events_o             (events),
      .mem_req_valid_o      (walk_mem_valid),
      .mem_req_ready_i      (walk_mem_ready),
      .mem_req_slot_o       (walk_mem_slot),
      .mem_req_op_o         (walk_mem_op),
      .mem_req_addr_o       (walk_mem_addr),
      .mem_req_size_o       (walk_mem_size),
      .mem_req_wdata_o      (walk_mem_wdata),
      .mem_req_qos_o        (walk_mem_qos),
      .mem_req_pbmt_o       (walk_mem_pbmt),
      .mem_rsp_valid_i      (walk_rsp_valid),
      .mem_rsp_slot_i       (walk_rsp_slot),
      .mem_rsp_data_i       (mem_rsp_data_i),
      .mem_rsp_err_i        (mem_rsp_err_i),
      .mem_rsp_poison_i     (mem_rsp_poison_i),
      .stat_l1_hit_o        (stat_l1_hit_o),
      .stat_l2_hit_o        (stat_l2_hit_o),
      .stat_miss_o          (stat_miss_o),
      .stat_walk_start_o    (stat_walk_start_o),
      .stat_walk_end_o      (stat_walk_end_o),
      .stat_neighbour_o     (stat_neighbour_o)
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

  // ---- Control --------------------------------------------------------------------------------------------------------------------------
  wire [ENGINES-1:0]          engine_valid, engine_ready, engine_rsp_valid;
  wire [ENGINES*ACCESS_W-1:0] engine_access;

  iommu_control_unit #(
      .INVALIDATE_TAGS(INVALIDATE_TAGS),
      .INVALIDATE_TIMEOUT(INVALIDATE_TIMEOUT),
      .PAGE_REQUESTS(PAGE_REQUESTS),
      .COUNTERS(COUNTERS),
      .ENGINES(ENGINES)
  ) u_control_unit (
      .clk_i                        (clk_i),
      .rst_i                        (rst_i),
      .capabilities_i               (capabilities),
      .reg_valid_i                  (reg_valid_i),
      .reg_write_i                  (reg_write_i),
      .reg_address_i                (reg_address_i),
      .reg_wdata_i                  (reg_wdata_i),
      .reg_strobe_i                 (reg_strobe_i),
      .reg_ready_o                  (reg_ready_o),
      .reg_rdata_o                  (reg_rdata_o),
      .big_endian_o                 (big_endian),
      .ddtp_mode_o                  (ddtp_mode),
      .ddtp_ppn_o                   (ddtp_ppn),
      .qos_o                        (qos),
      .debug_valid_o                (debug_valid),
      .debug_urgent_o               (debug_urgent),
      .debug_ready_i                (debug_ready),
      .debug_request_o              (debug_request),
      .debug_rsp_valid_i            (debug_rsp_valid),
      .debug_response_i             (response_flat),
      .page_walk_valid_o            (page_walk_valid),
      .page_walk_request_o          (page_walk_request),
      .page_walked_i                (page_walked),
      .page_walked_allowed_i        (page_walked_allowed),
      .page_walked_cause_i          (page_walked_cause),
      .page_walked_prpr_i           (page_walked_prpr),
      .invalidate_o                 (invalidate),
      .invalidation_o               (invalidation),
      .hold_o                       (hold),
      .idle_i                       (idle),
      .flip_o                       (flip),
      .drained_i                    (drained),
      .fault_valid_i                (fault_valid),
      .fault_ready_o                (fault_ready),
      .fault_i                      (fault),
      .events_i                     (events),
      .mrif_valid_i                 (mrif_valid_i),
      .mrif_ready_o                 (mrif_ready_o),
      .mrif_address_i               (mrif_address_i),
      .mrif_nid_i                   (mrif_nid_i),
      .mrif_nppn_i                  (mrif_nppn_i),
      .mrif_quiet_i                 (mrif_quiet_i),
      .mrif_qos_i                   (mrif_qos_i),
      .mrif_translated_i            (mrif_translated_i),
      .mrif_did_i                   (mrif_did_i),
      .mrif_pv_i                    (mrif_pv_i),
      .mrif_pid_i                   (mrif_pid_i),
      .mrif_priv_i                  (mrif_priv_i),
      .mrif_iova_i                  (mrif_iova_i),
      .mrif_data_i                  (mrif_data_i),
      .page_req_valid_i             (page_req_valid_i),
      .page_req_ready_o             (page_req_ready_o),
      .page_req_dsv_i               (page_req_dsv_i),
      .page_req_did_i               (page_req_did_i),
      .page_req_pv_i                (page_req_pv_i),
      .page_req_pid_i               (page_req_pid_i),
      .page_req_priv_i              (page_req_priv_i),
      .page_req_exec_i              (page_req_exec_i),
      .page_req_payload_i           (page_req_payload_i),
      .invalidate_completion_valid_i(invalidate_completion_valid_i),
      .invalidate_completion_did_i  (invalidate_completion_did_i),
      .invalidate_completion_tags_i (invalidate_completion_tags_i),
      .invalidate_completion_count_i(invalidate_completion_count_i),
      .message_valid_o              (message_valid_o),
      .message_ready_i              (message_ready_i),
      .message_invalidate_o         (message_invalidate_o),
      .message_dsv_o                (message_dsv_o),
      .message_dseg_o               (message_dseg_o),
      .message_rid_o                (message_rid_o),
      .message_pv_o                 (message_pv_o),
      .message_pid_o                (message_pid_o),
      .message_itag_o               (message_itag_o),
      .message_payload_o            (message_payload_o),
      .wire_o                       (wire_o),
      .drain_req_o                  (drain_req_o),
      .drain_reads_o                (drain_reads_o),
      .drain_writes_o               (drain_writes_o),
      .drain_ack_i                  (drain_ack_i),
      .mem_req_valid_o              (engine_valid),
      .mem_req_ready_i              (engine_ready),
      .mem_req_access_o             (engine_access),
      .mem_rsp_valid_i              (engine_rsp_valid),
      .mem_rsp_data_i               (mem_rsp_data_i[127:0]),
      .mem_rsp_err_i                (mem_rsp_err_i),
      .mem_rsp_poison_i             (mem_rsp_poison_i),
      .event_command_o              (event_command_o),
      .event_command_w0_o           (event_command_w0_o),
      .event_command_w1_o           (event_command_w1_o),
      .event_fault_o                (event_fault_o),
      .stat_invalidate_unexpected_o (stat_invalidate_unexpected_o),
      .stat_invalidate_timeout_o    (stat_invalidate_timeout_o)
  );

  // ---- Memory port ----------------------------------------------------------------------------------------------------------------------
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

endmodule
`default_nettype wire
