`default_nettype none
// What software and devices command and are told beside translations: registers with the debug port, command queue with the tags of
// invalidate requests, fault queue, page requests with their queue, messages, interrupts, interrupt files in memory, event counters.
//
//   iommu_command_queue -> invalidation of every cache and squash of every walk in flight, fence, messages to devices
//   iommu_page_request -> walk that locates the device context -> page-request queue in memory, or response to the device
module iommu_control_unit #(
    // Invalidate requests that devices have not completed, 1 to 32, and the cycles after which one of them times out (default: a minute
    // at 250 MHz; PCIe ATS); page requests that wait.
    parameter int INVALIDATE_TAGS = 32,
    parameter [39:0] INVALIDATE_TIMEOUT = 40'd15_000_000_000,
    parameter int PAGE_REQUESTS = 8,
    // Event counters of the performance monitor, 1 to 31.
    parameter int COUNTERS = 8,
    // Derived: who accesses memory (iommu_memory_arbiter.v); bits of such an access; bits of an event.
    parameter int ENGINES = 5,
    parameter int ACCESS_W = 2 + 56 + 7 + 256 + 32 + 24 + 2,
    parameter int EVENT_W = 4 + iommu_spec_pkg::EVENT_SOURCE_W
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // Effective capabilities, static.
    input  wire [63:0]                                capabilities_i,

    // Register bus.
    input  wire                                       reg_valid_i,
    input  wire                                       reg_write_i,
    input  wire [11:0]                                reg_address_i,
    input  wire [63:0]                                reg_wdata_i,
    input  wire [7:0]                                 reg_strobe_i,
    output wire                                       reg_ready_o,
    output wire [63:0]                                reg_rdata_o,

    // Configuration: fctl.BE, ddtp, iommu_qosid.
    output wire                                       big_endian_o,
    output wire [3:0]                                 ddtp_mode_o,
    output wire [43:0]                                ddtp_ppn_o,
    output wire [23:0]                                qos_o,

    // Requests of the debug port (request_t, response_t).
    output wire                                       debug_valid_o,
    output wire                                       debug_urgent_o,
    input  wire                                       debug_ready_i,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       debug_request_o,
    input  wire                                       debug_rsp_valid_i,
    input  wire [iommu_spec_pkg::RESPONSE_W-1:0]      debug_response_i,

    // Walk that locates the device context of a page request: `page_walked_i` in one cycle ends it; page requests are allowed, else why
    // not; PRPR of the context.
    output wire                                       page_walk_valid_o,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       page_walk_request_o,
    input  wire                                       page_walked_i,
    input  wire                                       page_walked_allowed_i,
    input  wire [8:0]                                 page_walked_cause_i,
    input  wire                                       page_walked_prpr_i,

    // Invalidation (invalidation_t), registered.
    output wire                                       invalidate_o,
    output wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_o,

    // No request is to be taken; none is under way. A fence begins; those that were taken before it have been answered.
    output wire                                       hold_o,
    input  wire                                       idle_i,
    output wire                                       flip_o,
    input  wire                                       drained_i,

    // Fault records of walks (fault_t): before those of interrupt writes.
    input  wire                                       fault_valid_i,
    output wire                                       fault_ready_o,
    input  wire [iommu_spec_pkg::FAULT_W-1:0]         fault_i,

    // Events of the performance monitor (iommu_performance_events.v).
    input  wire [3*EVENT_W-1:0]                       events_i,

    // Writes of devices to memory-resident interrupt files, one 32-bit word each; `mrif_ready_o`: it has been carried out. The first
    // five are those of its response, `mrif_translated_i` and what follows those of its request.
    input  wire                                       mrif_valid_i,
    output wire                                       mrif_ready_o,
    input  wire [55:0]                                mrif_address_i,
    input  wire [10:0]                                mrif_nid_i,
    input  wire [43:0]                                mrif_nppn_i,
    input  wire                                       mrif_quiet_i,
    input  wire [23:0]                                mrif_qos_i,
    input  wire                                       mrif_translated_i,
    input  wire [23:0]                                mrif_did_i,
    input  wire                                       mrif_pv_i,
    input  wire [19:0]                                mrif_pid_i,
    input  wire                                       mrif_priv_i,
    input  wire [63:0]                                mrif_iova_i,
    input  wire [31:0]                                mrif_data_i,

    // Page request messages of devices.
    input  wire                                       page_req_valid_i,
    output wire                                       page_req_ready_o,
    input  wire                                       page_req_dsv_i,
    input  wire [23:0]                                page_req_did_i,
    input  wire                                       page_req_pv_i,
    input  wire [19:0]                                page_req_pid_i,
    input  wire                                       page_req_priv_i,
    input  wire                                       page_req_exec_i,
    input  wire [63:0]                                page_req_payload_i,

    // Invalidate completion messages of devices, always accepted.
    input  wire                                       invalidate_completion_valid_i,
    input  wire [23:0]                                invalidate_completion_did_i,
    input  wire [31:0]                                invalidate_completion_tags_i,
    input  wire [2:0]                                 invalidate_completion_count_i,

    // Messages to devices: invalidate requests, page-request-group responses.
    output wire                                       message_valid_o,
    input  wire                                       message_ready_i,
    output wire                                       message_invalidate_o,
    output wire                                       message_dsv_o,
    output wire [7:0]                                 message_dseg_o,
    output wire [15:0]                                message_rid_o,
    output wire                                       message_pv_o,
    output wire [19:0]                                message_pid_o,
    output wire [4:0]                                 message_itag_o,
    output wire [63:0]                                message_payload_o,

    // Wired interrupts by vector, level.
    output wire [15:0]                                wire_o,

    // Fence.
    output wire                                       drain_req_o,
    output wire                                       drain_reads_o,
    output wire                                       drain_writes_o,
    input  wire                                       drain_ack_i,

    // Memory accesses, flat by engine: {op, addr, size, wdata[255:0], strobe[31:0], qos, pbmt}; responses by engine.
    output wire [ENGINES-1:0]                         mem_req_valid_o,
    input  wire [ENGINES-1:0]                         mem_req_ready_i,
    output wire [ENGINES*ACCESS_W-1:0]                mem_req_access_o,
    input  wire [ENGINES-1:0]                         mem_rsp_valid_i,
    input  wire [127:0]                               mem_rsp_data_i,
    input  wire [7:0]                                 mem_rsp_err_i,
    input  wire [7:0]                                 mem_rsp_poison_i,

    // Observation strobes.
    output wire                                       event_command_o,
    output wire [63:0]                                event_command_w0_o,
    output wire [63:0]                                event_command_w1_o,
    output wire                                       event_fault_o,
    output wire                                       stat_invalidate_unexpected_o,
    output wire                                       stat_invalidate_timeout_o
);
  `include "iommu_records.vh"

  // Page number bits beyond the physical address size, which is 14 bits or more (capabilities_i is static).
  logic [43:0] beyond_q;

  always_ff @(posedge clk_i) beyond_q <= iommu_spec_pkg::page_bits_beyond(capabilities_i);

  // ---- Registers ------------------------------------------------------------------------------------------------------------------
  wire         wired, hold, switch_directory;
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
      .capabilities_i   (capabilities_i),
      .reg_valid_i      (reg_valid_i),
      .reg_write_i      (reg_write_i),
      .reg_address_i    (reg_address_i),
      .reg_wdata_i      (reg_wdata_i),
      .reg_strobe_i     (reg_strobe_i),
      .reg_ready_o      (reg_ready_o),
      .reg_rdata_o      (reg_rdata_o),
      .big_endian_o     (big_endian_o),
      .wired_o          (wired),
      .qos_o            (qos_o),
      .ddtp_mode_o      (ddtp_mode_o),
      .ddtp_ppn_o       (ddtp_ppn_o),
      .hold_o           (hold),
      .idle_i           (idle_i && pages_idle),
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

  iommu_debug_port u_debug_port (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .present_i       (capabilities_i[iommu_spec_pkg::CAP_DBG]),
      .reg_address_i   (reg_address_i),
      .reg_wdata_i     (reg_wdata_i),
      .write_lo_i      (other_write_lo),
      .write_hi_i      (other_write_hi),
      .rdata_o         (debug_rdata),
      .request_valid_o (debug_valid_o),
      .request_urgent_o(debug_urgent_o),
      .request_ready_i (debug_ready_i),
      .request_o       (debug_request_o),
      .response_valid_i(debug_rsp_valid_i),
      .response_i      (debug_response_i)
  );

  // ---- Invalidation: by command, and of everything when the directory changes; registered, since every cache hears it ------------------
  wire                                      command_invalidate;
  wire [iommu_spec_pkg::INVALIDATION_W-1:0] command_invalidation;
  logic                                     invalidate_q, switched_q;
  invalidation_t                            invalidation_d, invalidation_q;

  // The first request under a new directory comes behind the invalidation.
  assign hold_o = hold || switched_q;

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

  assign invalidate_o = invalidate_q;
  assign invalidation_o = invalidation_q;

  // ---- Events ---------------------------------------------------------------------------------------------------------------------------
  iommu_performance_counters #(
      .COUNTERS(COUNTERS)
  ) u_performance_counters (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .present_i    (capabilities_i[iommu_spec_pkg::CAP_HPM]),
      .reg_address_i(reg_address_i),
      .reg_wdata_i  (reg_wdata_i),
      .write_lo_i   (other_write_lo),
      .write_hi_i   (other_write_hi),
      .rdata_o      (counters_rdata),
      .events_i     (events_i),
      .overflow_o   (counter_overflow)
  );

  // ---- Queues and interrupts ------------------------------------------------------------------------------------------------------------
  wire                               fault_ready, msi_fault_valid, mrif_fault_valid;
  wire [iommu_spec_pkg::FAULT_W-1:0] msi_fault, mrif_fault;

  // Walks before interrupt writes; a push happens with ready only.
  assign fault_ready_o = fault_ready;

  iommu_fault_queue u_fault_queue (
      .clk_i          (clk_i),
      .rst_i          (rst_i),
      .fault_valid_i  (fault_valid_i || msi_fault_valid || mrif_fault_valid),
      .fault_ready_o  (fault_ready),
      .fault_i        (fault_valid_i ? fault_i : msi_fault_valid ? msi_fault : mrif_fault),
      .on_i           (fq_on),
      .enable_i       (fq_enable),
      .stopped_i      (fq_stopped),
      .base_ppn_i     (fq_ppn),
      .log2_size_i    (fq_log2),
      .head_i         (fq_head),
      .beyond_i       (beyond_q),
      .big_endian_i   (big_endian_o),
      .qos_i          (qos_o),
      .restart_i      (fq_restart),
      .tail_o         (fq_tail),
      .idle_o         (fq_idle),
      .overflow_o     (fq_overflow),
      .error_o        (fq_error),
      .written_o      (fq_written),
      .mem_valid_o    (mem_req_valid_o[1]),
      .mem_ready_i    (mem_req_ready_i[1]),
      .mem_access_o   (mem_req_access_o[ACCESS_W +: ACCESS_W]),
      .mem_rsp_valid_i(mem_rsp_valid_i[1]),
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
      .capabilities_i    (capabilities_i),
      .beyond_i          (beyond_q),
      .big_endian_i      (big_endian_o),
      .wired_i           (wired),
      .qos_i             (qos_o),
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
      .flip_o            (flip_o),
      .drained_i         (drained_i && pages_drained),
      .drain_req_o       (drain_req_o),
      .drain_reads_o     (drain_reads_o),
      .drain_writes_o    (drain_writes_o),
      .drain_ack_i       (drain_ack_i),
      .event_command_o   (event_command_o),
      .event_command_w0_o(event_command_w0_o),
      .event_command_w1_o(event_command_w1_o),
      .mem_valid_o       (mem_req_valid_o[0]),
      .mem_ready_i       (mem_req_ready_i[0]),
      .mem_access_o      (mem_req_access_o[0 +: ACCESS_W]),
      .mem_rsp_valid_i   (mem_rsp_valid_i[0]),
      .mem_rsp_data_i    (mem_rsp_data_i),
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

  iommu_page_request #(
      .DEPTH(PAGE_REQUESTS)
  ) u_page_request (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .request_valid_i (page_req_valid_i),
      .request_ready_o (page_req_ready_o),
      .request_i       ({page_req_dsv_i, page_req_did_i, page_req_pv_i, page_req_pid_i, page_req_priv_i, page_req_exec_i,
                         page_req_payload_i}),
      .walk_valid_o    (page_walk_valid_o),
      .walk_request_o  (page_walk_request_o),
      .walked_i        (page_walked_i),
      .walked_allowed_i(page_walked_allowed_i),
      .walked_cause_i  (page_walked_cause_i),
      .walked_prpr_i   (page_walked_prpr_i),
      .hold_i          (hold_o),
      .idle_o          (pages_idle),
      .flip_i          (flip_o),
      .drained_o       (pages_drained),
      .on_i            (pq_on),
      .enable_i        (pq_enable),
      .memory_fault_i  (pq_memory_fault),
      .stopped_i       (pq_stopped),
      .base_ppn_i      (pq_ppn),
      .log2_size_i     (pq_log2),
      .head_i          (pq_head),
      .beyond_i        (beyond_q),
      .big_endian_i    (big_endian_o),
      .qos_i           (qos_o),
      .restart_i       (pq_restart),
      .tail_o          (pq_tail),
      .queue_idle_o    (pq_idle),
      .overflow_o      (pq_overflow),
      .error_o         (pq_error),
      .written_o       (pq_written),
      .message_valid_o (page_message_valid),
      .message_ready_i (page_message_ready),
      .message_o       (page_message),
      .mem_valid_o     (mem_req_valid_o[3]),
      .mem_ready_i     (mem_req_ready_i[3]),
      .mem_access_o    (mem_req_access_o[3*ACCESS_W +: ACCESS_W]),
      .mem_rsp_valid_i (mem_rsp_valid_i[3]),
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
      .big_endian_i   (big_endian_o),
      .qos_i          (qos_o),
      .beyond_i       (beyond_q),
      .pending_i      (pending),
      .vectors_i      (vectors),
      .table_i        (msi_table),
      .wire_o         (wire_o),
      .fault_valid_o  (msi_fault_valid),
      .fault_ready_i  (fault_ready && !fault_valid_i),
      .fault_o        (msi_fault),
      .mem_valid_o    (mem_req_valid_o[2]),
      .mem_ready_i    (mem_req_ready_i[2]),
      .mem_access_o   (mem_req_access_o[2*ACCESS_W +: ACCESS_W]),
      .mem_rsp_valid_i(mem_rsp_valid_i[2]),
      .mem_rsp_err_i  (mem_rsp_err_i)
  );

  iommu_mrif u_mrif (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .big_endian_i    (big_endian_o),
      .qos_i           (qos_o),
      .beyond_i        (beyond_q),
      .write_valid_i   (mrif_valid_i),
      .write_ready_o   (mrif_ready_o),
      .write_i         ({mrif_address_i, mrif_nid_i, mrif_nppn_i, mrif_quiet_i, mrif_qos_i, mrif_translated_i, mrif_did_i,
                         mrif_pv_i, mrif_pid_i, mrif_priv_i, mrif_iova_i, mrif_data_i}),
      .fault_valid_o   (mrif_fault_valid),
      .fault_ready_i   (fault_ready && !fault_valid_i && !msi_fault_valid),
      .fault_o         (mrif_fault),
      .mem_valid_o     (mem_req_valid_o[4]),
      .mem_ready_i     (mem_req_ready_i[4]),
      .mem_access_o    (mem_req_access_o[4*ACCESS_W +: ACCESS_W]),
      .mem_rsp_valid_i (mem_rsp_valid_i[4]),
      .mem_rsp_data_i  (mem_rsp_data_i[63:0]),
      .mem_rsp_err_i   (mem_rsp_err_i[0]),
      .mem_rsp_poison_i(mem_rsp_poison_i[0])
  );

`ifndef SYNTHESIS
  initial begin
    if ($bits(invalidation_q) != iommu_spec_pkg::INVALIDATION_W)
      $fatal(1, "iommu_control_unit: INVALIDATION_W in iommu_spec_pkg is not the width of its record");
  end
`endif

endmodule
`default_nettype wire
