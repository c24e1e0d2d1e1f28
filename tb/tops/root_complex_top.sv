// Testbench top of the root complex with its IOMMU: native agents on its three links, on the IOMMU's memory port and register bus; the
// switch and what is below are a source and a sink. Link numbers: tb/bridge/tops.py, those of the system.
module root_complex_top #(
    parameter int          DATA_W       = 256,                      // 128, 256 or 512
    parameter logic [63:0] CAPABILITIES = 64'h000001F8_200E8E10,  // features of the IOMMU, unless `capabilities` names others
    parameter int INVALIDATE_TIMEOUT = 8192                       // cycles that a device has to complete an invalidate request
) (
    input  bit        clk,
    input  bit [63:0] capabilities,   // set before the first clock edge; 0: CAPABILITIES
    output bit        doorbell,
    // statistics strobes, counted
    output bit [31:0] stat_l1_hit,
    output bit [31:0] stat_l2_hit,
    output bit [31:0] stat_miss,
    output bit [31:0] stat_walk_start,
    output bit [31:0] stat_walk_end,
    output bit [31:0] stat_posted_dropped,
    output bit [31:0] stat_nonposted_refused,
    output bit [31:0] stat_read_lost,
    output bit [31:0] stat_xlate_stall,
    output bit [31:0] stat_upstream_posted_refused,
    output bit [31:0] stat_upstream_completion_unexpected,
    output bit [31:0] stat_cpu_posted_refused,
    output bit [31:0] stat_memory_completion_unexpected,
    output bit [31:0] stat_invalidate_unexpected,
    output bit [31:0] stat_invalidate_timeout,
    output bit [31:0] stat_message_dropped,
    output bit [31:0] stat_message
);
  localparam int EmptyW = $clog2(DATA_W / 32);
  localparam int TranslationIdW = 5;
  localparam int MemoryIdW = 8;

  bit rst;
  bit link_up;
  bit [63:0] cycle;

  simulation_control control (.clk_i(clk), .rst_o(rst), .link_up_o(link_up), .cycle_o(cycle), .doorbell_o(doorbell));

  bit   switch_up_valid, switch_up_sop, switch_up_eop, switch_up_prefix_valid, switch_up_err;
  logic switch_up_ready;
  bit   [DATA_W-1:0] switch_up_data;
  bit   [EmptyW-1:0] switch_up_empty;
  bit   [127:0] switch_up_hdr;
  bit   [31:0] switch_up_prefix;
  logic [59:0] switch_up_credit_limit;
  logic [5:0] switch_up_credit_infinite;
  logic switch_down_valid, switch_down_sop, switch_down_eop, switch_down_prefix_valid, switch_down_err;
  bit   switch_down_ready;
  logic [DATA_W-1:0] switch_down_data;
  logic [EmptyW-1:0] switch_down_empty;
  logic [127:0] switch_down_hdr;
  logic [31:0] switch_down_prefix;
  bit   [59:0] switch_down_credit_limit;
  bit   [5:0] switch_down_credit_infinite;
  logic memory_request_valid, memory_request_sop, memory_request_eop, memory_request_prefix_valid, memory_request_err;
  bit   memory_request_ready;
  logic [DATA_W-1:0] memory_request_data;
  logic [EmptyW-1:0] memory_request_empty;
  logic [127:0] memory_request_hdr;
  logic [31:0] memory_request_prefix;
  bit   [59:0] memory_request_credit_limit;
  bit   [5:0] memory_request_credit_infinite;
  bit   memory_completion_valid, memory_completion_sop, memory_completion_eop, memory_completion_prefix_valid, memory_completion_err;
  logic memory_completion_ready;
  bit   [DATA_W-1:0] memory_completion_data;
  bit   [EmptyW-1:0] memory_completion_empty;
  bit   [127:0] memory_completion_hdr;
  bit   [31:0] memory_completion_prefix;
  logic [59:0] memory_completion_credit_limit;
  logic [5:0] memory_completion_credit_infinite;
  bit   cpu_request_valid, cpu_request_sop, cpu_request_eop, cpu_request_prefix_valid, cpu_request_err;
  logic cpu_request_ready;
  bit   [DATA_W-1:0] cpu_request_data;
  bit   [EmptyW-1:0] cpu_request_empty;
  bit   [127:0] cpu_request_hdr;
  bit   [31:0] cpu_request_prefix;
  logic [59:0] cpu_request_credit_limit;
  logic [5:0] cpu_request_credit_infinite;
  logic cpu_completion_valid, cpu_completion_sop, cpu_completion_eop, cpu_completion_prefix_valid, cpu_completion_err;
  bit   cpu_completion_ready;
  logic [DATA_W-1:0] cpu_completion_data;
  logic [EmptyW-1:0] cpu_completion_empty;
  logic [127:0] cpu_completion_hdr;
  logic [31:0] cpu_completion_prefix;
  bit   [59:0] cpu_completion_credit_limit;
  bit   [5:0] cpu_completion_credit_infinite;

  logic mem_req_valid, mem_rsp_ready;
  bit mem_req_ready, mem_rsp_valid;
  logic [MemoryIdW-1:0] mem_req_id;
  bit [MemoryIdW-1:0] mem_rsp_id;
  logic [1:0] mem_req_op;
  logic [55:0] mem_req_addr;
  logic [6:0] mem_req_size;
  logic [511:0] mem_req_wdata;
  logic [63:0] mem_req_strobe;
  bit [511:0] mem_rsp_data;
  bit [7:0] mem_rsp_err, mem_rsp_poison;

  bit reg_valid, reg_write;
  bit [11:0] reg_address;
  bit [63:0] reg_wdata;
  bit [7:0] reg_strobe;
  logic reg_ready;
  logic [63:0] reg_rdata;

  logic [15:0] iommu_wire;
  logic event_command, event_fault, event_message;
  logic [63:0] event_command_w0, event_command_w1;
  wire [23:0] mem_req_qos;
  wire [1:0] mem_req_pbmt;
  wire [127:0] unused_message_hdr;
  logic l1_hit_strobe, l2_hit_strobe, miss_strobe, walk_start_strobe, walk_end_strobe, posted_dropped_strobe, nonposted_refused_strobe;
  logic read_lost_strobe, xlate_stall_strobe, upstream_posted_refused_strobe, upstream_completion_unexpected_strobe, cpu_posted_refused_strobe, memory_completion_unexpected_strobe;
  logic invalidate_unexpected_strobe, invalidate_timeout_strobe, message_dropped_strobe;

  root_complex #(.DATA_W(DATA_W), .INVALIDATE_TIMEOUT(40'(INVALIDATE_TIMEOUT)), .TRANSLATIONS(1 << TranslationIdW), .MEM_ID_W(MemoryIdW)) dut (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .capabilities_i(capabilities == 64'd0 ? CAPABILITIES : capabilities), .down_rx_valid_i(switch_up_valid),
      .down_rx_ready_o(switch_up_ready), .down_rx_sop_i(switch_up_sop), .down_rx_eop_i(switch_up_eop), .down_rx_data_i(switch_up_data),
      .down_rx_empty_i(switch_up_empty), .down_rx_hdr_i(switch_up_hdr), .down_rx_prefix_i(switch_up_prefix),
      .down_rx_prefix_valid_i(switch_up_prefix_valid), .down_rx_err_i(switch_up_err), .down_rx_credit_limit_o(switch_up_credit_limit),
      .down_rx_credit_infinite_o(switch_up_credit_infinite), .down_tx_valid_o(switch_down_valid), .down_tx_ready_i(switch_down_ready),
      .down_tx_sop_o(switch_down_sop), .down_tx_eop_o(switch_down_eop), .down_tx_data_o(switch_down_data),
      .down_tx_empty_o(switch_down_empty), .down_tx_hdr_o(switch_down_hdr), .down_tx_prefix_o(switch_down_prefix),
      .down_tx_prefix_valid_o(switch_down_prefix_valid), .down_tx_err_o(switch_down_err),
      .down_tx_credit_limit_i(switch_down_credit_limit), .down_tx_credit_infinite_i(switch_down_credit_infinite),
      .memory_tx_valid_o(memory_request_valid), .memory_tx_ready_i(memory_request_ready), .memory_tx_sop_o(memory_request_sop),
      .memory_tx_eop_o(memory_request_eop), .memory_tx_data_o(memory_request_data), .memory_tx_empty_o(memory_request_empty),
      .memory_tx_hdr_o(memory_request_hdr), .memory_tx_prefix_o(memory_request_prefix),
      .memory_tx_prefix_valid_o(memory_request_prefix_valid), .memory_tx_err_o(memory_request_err),
      .memory_tx_credit_limit_i(memory_request_credit_limit), .memory_tx_credit_infinite_i(memory_request_credit_infinite),
      .memory_rx_valid_i(memory_completion_valid), .memory_rx_ready_o(memory_completion_ready), .memory_rx_sop_i(memory_completion_sop),
      .memory_rx_eop_i(memory_completion_eop), .memory_rx_data_i(memory_completion_data), .memory_rx_empty_i(memory_completion_empty),
      .memory_rx_hdr_i(memory_completion_hdr), .memory_rx_prefix_i(memory_completion_prefix),
      .memory_rx_prefix_valid_i(memory_completion_prefix_valid), .memory_rx_err_i(memory_completion_err),
      .memory_rx_credit_limit_o(memory_completion_credit_limit), .memory_rx_credit_infinite_o(memory_completion_credit_infinite),
      .cpu_rx_valid_i(cpu_request_valid), .cpu_rx_ready_o(cpu_request_ready), .cpu_rx_sop_i(cpu_request_sop),
      .cpu_rx_eop_i(cpu_request_eop), .cpu_rx_data_i(cpu_request_data), .cpu_rx_empty_i(cpu_request_empty), .cpu_rx_hdr_i(cpu_request_hdr),
      .cpu_rx_prefix_i(cpu_request_prefix), .cpu_rx_prefix_valid_i(cpu_request_prefix_valid), .cpu_rx_err_i(cpu_request_err),
      .cpu_rx_credit_limit_o(cpu_request_credit_limit), .cpu_rx_credit_infinite_o(cpu_request_credit_infinite),
      .cpu_tx_valid_o(cpu_completion_valid), .cpu_tx_ready_i(cpu_completion_ready), .cpu_tx_sop_o(cpu_completion_sop),
      .cpu_tx_eop_o(cpu_completion_eop), .cpu_tx_data_o(cpu_completion_data), .cpu_tx_empty_o(cpu_completion_empty),
      .cpu_tx_hdr_o(cpu_completion_hdr), .cpu_tx_prefix_o(cpu_completion_prefix), .cpu_tx_prefix_valid_o(cpu_completion_prefix_valid),
      .cpu_tx_err_o(cpu_completion_err), .cpu_tx_credit_limit_i(cpu_completion_credit_limit),
      .cpu_tx_credit_infinite_i(cpu_completion_credit_infinite), .iommu_mem_req_valid_o(mem_req_valid),
      .iommu_mem_req_ready_i(mem_req_ready), .iommu_mem_req_id_o(mem_req_id), .iommu_mem_req_op_o(mem_req_op),
      .iommu_mem_req_addr_o(mem_req_addr), .iommu_mem_req_size_o(mem_req_size), .iommu_mem_req_wdata_o(mem_req_wdata),
      .iommu_mem_req_strobe_o(mem_req_strobe), .iommu_mem_req_qos_o(mem_req_qos), .iommu_mem_req_pbmt_o(mem_req_pbmt),
      .iommu_mem_rsp_valid_i(mem_rsp_valid), .iommu_mem_rsp_ready_o(mem_rsp_ready), .iommu_mem_rsp_id_i(mem_rsp_id),
      .iommu_mem_rsp_data_i(mem_rsp_data), .iommu_mem_rsp_err_i(mem_rsp_err), .iommu_mem_rsp_poison_i(mem_rsp_poison),
      .iommu_reg_valid_i(reg_valid), .iommu_reg_write_i(reg_write), .iommu_reg_address_i(reg_address), .iommu_reg_wdata_i(reg_wdata),
      .iommu_reg_strobe_i(reg_strobe), .iommu_reg_ready_o(reg_ready), .iommu_reg_rdata_o(reg_rdata), .iommu_wire_o(iommu_wire),
      .event_command_o(event_command), .event_command_w0_o(event_command_w0), .event_command_w1_o(event_command_w1),
      .event_fault_o(event_fault), .event_message_o(event_message), .event_message_hdr_o(unused_message_hdr),
      .stat_l1_hit_o(l1_hit_strobe), .stat_l2_hit_o(l2_hit_strobe), .stat_miss_o(miss_strobe), .stat_walk_start_o(walk_start_strobe),
      .stat_walk_end_o(walk_end_strobe), .stat_posted_dropped_o(posted_dropped_strobe),
      .stat_nonposted_refused_o(nonposted_refused_strobe), .stat_read_lost_o(read_lost_strobe), .stat_xlate_stall_o(xlate_stall_strobe),
      .stat_upstream_posted_refused_o(upstream_posted_refused_strobe),
      .stat_upstream_completion_unexpected_o(upstream_completion_unexpected_strobe), .stat_cpu_posted_refused_o(cpu_posted_refused_strobe),
      .stat_memory_completion_unexpected_o(memory_completion_unexpected_strobe),
      .stat_invalidate_unexpected_o(invalidate_unexpected_strobe), .stat_invalidate_timeout_o(invalidate_timeout_strobe),
      .stat_message_dropped_o(message_dropped_strobe));

  tlp_link_source #(.DATA_W(DATA_W), .LINK(4)) switch_up_source (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle), .valid_o(switch_up_valid), .ready_i(switch_up_ready),
      .sop_o(switch_up_sop), .eop_o(switch_up_eop), .data_o(switch_up_data), .empty_o(switch_up_empty), .hdr_o(switch_up_hdr),
      .prefix_o(switch_up_prefix), .prefix_valid_o(switch_up_prefix_valid), .err_o(switch_up_err), .credit_limit_i(switch_up_credit_limit),
      .credit_infinite_i(switch_up_credit_infinite));
  tlp_link_monitor #(.DATA_W(DATA_W), .LINK(4)) switch_up_monitor (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle), .valid_i(switch_up_valid), .ready_i(switch_up_ready),
      .sop_i(switch_up_sop), .eop_i(switch_up_eop), .data_i(switch_up_data), .empty_i(switch_up_empty), .hdr_i(switch_up_hdr),
      .prefix_i(switch_up_prefix), .prefix_valid_i(switch_up_prefix_valid), .err_i(switch_up_err), .credit_limit_i(switch_up_credit_limit),
      .credit_infinite_i(switch_up_credit_infinite));
  tlp_link_monitor #(.DATA_W(DATA_W), .LINK(5)) switch_down_monitor (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle), .valid_i(switch_down_valid), .ready_i(switch_down_ready),
      .sop_i(switch_down_sop), .eop_i(switch_down_eop), .data_i(switch_down_data), .empty_i(switch_down_empty), .hdr_i(switch_down_hdr),
      .prefix_i(switch_down_prefix), .prefix_valid_i(switch_down_prefix_valid), .err_i(switch_down_err),
      .credit_limit_i(switch_down_credit_limit), .credit_infinite_i(switch_down_credit_infinite));
  tlp_link_sink #(.LINK(5)) switch_down_sink (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .ready_o(switch_down_ready), .credit_limit_o(switch_down_credit_limit),
      .credit_infinite_o(switch_down_credit_infinite));
  tlp_link_monitor #(.DATA_W(DATA_W), .LINK(6)) memory_request_monitor (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle), .valid_i(memory_request_valid), .ready_i(memory_request_ready),
      .sop_i(memory_request_sop), .eop_i(memory_request_eop), .data_i(memory_request_data), .empty_i(memory_request_empty),
      .hdr_i(memory_request_hdr), .prefix_i(memory_request_prefix), .prefix_valid_i(memory_request_prefix_valid),
      .err_i(memory_request_err), .credit_limit_i(memory_request_credit_limit), .credit_infinite_i(memory_request_credit_infinite));
  tlp_link_sink #(.LINK(6)) memory_request_sink (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .ready_o(memory_request_ready), .credit_limit_o(memory_request_credit_limit),
      .credit_infinite_o(memory_request_credit_infinite));
  tlp_link_source #(.DATA_W(DATA_W), .LINK(7)) memory_completion_source (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle), .valid_o(memory_completion_valid), .ready_i(memory_completion_ready),
      .sop_o(memory_completion_sop), .eop_o(memory_completion_eop), .data_o(memory_completion_data), .empty_o(memory_completion_empty),
      .hdr_o(memory_completion_hdr), .prefix_o(memory_completion_prefix), .prefix_valid_o(memory_completion_prefix_valid),
      .err_o(memory_completion_err), .credit_limit_i(memory_completion_credit_limit),
      .credit_infinite_i(memory_completion_credit_infinite));
  tlp_link_monitor #(.DATA_W(DATA_W), .LINK(7)) memory_completion_monitor (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle), .valid_i(memory_completion_valid), .ready_i(memory_completion_ready),
      .sop_i(memory_completion_sop), .eop_i(memory_completion_eop), .data_i(memory_completion_data), .empty_i(memory_completion_empty),
      .hdr_i(memory_completion_hdr), .prefix_i(memory_completion_prefix), .prefix_valid_i(memory_completion_prefix_valid),
      .err_i(memory_completion_err), .credit_limit_i(memory_completion_credit_limit),
      .credit_infinite_i(memory_completion_credit_infinite));
  tlp_link_source #(.DATA_W(DATA_W), .LINK(8)) cpu_request_source (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle), .valid_o(cpu_request_valid), .ready_i(cpu_request_ready),
      .sop_o(cpu_request_sop), .eop_o(cpu_request_eop), .data_o(cpu_request_data), .empty_o(cpu_request_empty), .hdr_o(cpu_request_hdr),
      .prefix_o(cpu_request_prefix), .prefix_valid_o(cpu_request_prefix_valid), .err_o(cpu_request_err),
      .credit_limit_i(cpu_request_credit_limit), .credit_infinite_i(cpu_request_credit_infinite));
  tlp_link_monitor #(.DATA_W(DATA_W), .LINK(8)) cpu_request_monitor (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle), .valid_i(cpu_request_valid), .ready_i(cpu_request_ready),
      .sop_i(cpu_request_sop), .eop_i(cpu_request_eop), .data_i(cpu_request_data), .empty_i(cpu_request_empty), .hdr_i(cpu_request_hdr),
      .prefix_i(cpu_request_prefix), .prefix_valid_i(cpu_request_prefix_valid), .err_i(cpu_request_err),
      .credit_limit_i(cpu_request_credit_limit), .credit_infinite_i(cpu_request_credit_infinite));
  tlp_link_monitor #(.DATA_W(DATA_W), .LINK(9)) cpu_completion_monitor (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle), .valid_i(cpu_completion_valid), .ready_i(cpu_completion_ready),
      .sop_i(cpu_completion_sop), .eop_i(cpu_completion_eop), .data_i(cpu_completion_data), .empty_i(cpu_completion_empty),
      .hdr_i(cpu_completion_hdr), .prefix_i(cpu_completion_prefix), .prefix_valid_i(cpu_completion_prefix_valid),
      .err_i(cpu_completion_err), .credit_limit_i(cpu_completion_credit_limit), .credit_infinite_i(cpu_completion_credit_infinite));
  tlp_link_sink #(.LINK(9)) cpu_completion_sink (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .ready_o(cpu_completion_ready), .credit_limit_o(cpu_completion_credit_limit),
      .credit_infinite_o(cpu_completion_credit_infinite));

  iommu_memory_target #(.ID_W(MemoryIdW)) memory_target (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .req_valid_i(mem_req_valid), .req_ready_o(mem_req_ready), .req_id_i(mem_req_id),
      .req_op_i(mem_req_op), .req_addr_i(mem_req_addr), .req_size_i(mem_req_size), .req_wdata_i(mem_req_wdata),
      .req_strobe_i(mem_req_strobe), .req_qos_i(mem_req_qos), .req_pbmt_i(mem_req_pbmt), .rsp_valid_o(mem_rsp_valid), .rsp_ready_i(mem_rsp_ready), .rsp_id_o(mem_rsp_id),
      .rsp_data_o(mem_rsp_data), .rsp_err_o(mem_rsp_err), .rsp_poison_o(mem_rsp_poison));

  register_bus_initiator register_initiator (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .valid_o(reg_valid), .write_o(reg_write), .address_o(reg_address), .wdata_o(reg_wdata),
      .strobe_o(reg_strobe), .ready_i(reg_ready), .rdata_i(reg_rdata));

  iommu_event_monitor event_monitor (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .command_i(event_command), .command_w0_i(event_command_w0),
      .command_w1_i(event_command_w1), .fault_i(event_fault), .wire_i(iommu_wire));

  message_port_monitor messages (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .page_req_valid_i(dut.page_request_valid), .page_req_ready_i(dut.page_request_ready),
      .page_req_dsv_i(1'b0), .page_req_did_i({8'd0, dut.up_posted_hdr[95:80]}), .page_req_pv_i(dut.up_posted_pasid),
      .page_req_pid_i(dut.up_posted_prefix[19:0]), .page_req_priv_i(dut.up_posted_prefix[21]),
      .page_req_exec_i(dut.up_posted_prefix[20]), .page_req_payload_i(dut.up_posted_hdr[63:0]),
      .completion_valid_i(dut.invalidate_completion_valid), .completion_did_i({8'd0, dut.up_posted_hdr[95:80]}),
      .completion_tags_i(dut.up_posted_hdr[31:0]), .completion_count_i(dut.up_posted_hdr[34:32]),
      .message_valid_i(dut.message_valid), .message_ready_i(dut.message_ready), .message_invalidate_i(dut.message_invalidate),
      .message_dsv_i(dut.message_dsv), .message_dseg_i(dut.message_dseg), .message_rid_i(dut.message_rid),
      .message_pv_i(dut.message_pv), .message_pid_i(dut.message_pid), .message_itag_i(dut.message_itag),
      .message_payload_i(dut.message_payload));

  translation_port_monitor #(.ID_W(TranslationIdW)) translation_monitor (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .req_valid_i(dut.xlate_req_valid), .req_ready_i(dut.xlate_req_ready),
      .req_id_i(dut.xlate_req_id), .req_did_i(dut.xlate_req_did), .req_pv_i(dut.xlate_req_pv), .req_pid_i(dut.xlate_req_pid),
      .req_priv_i(dut.xlate_req_priv), .req_exec_i(dut.xlate_req_exec), .req_at_i(dut.xlate_req_at), .req_wr_i(dut.xlate_req_wr),
      .req_nw_i(dut.xlate_req_nw), .req_iova_i(dut.xlate_req_iova), .rsp_valid_i(dut.xlate_rsp_valid), .rsp_ready_i(dut.xlate_rsp_ready),
      .rsp_id_i(dut.xlate_rsp_id), .rsp_status_i(dut.xlate_rsp_status), .rsp_spa_i(dut.xlate_rsp_spa),
      .rsp_pbmt_i(dut.xlate_rsp_pbmt), .rsp_permissions_i(dut.xlate_rsp_permissions), .rsp_size_i(dut.xlate_rsp_size),
      .rsp_mrif_i(dut.xlate_rsp_mrif), .rsp_mrif_nid_i(dut.xlate_rsp_mrif_nid),
      .rsp_mrif_nppn_i(dut.xlate_rsp_mrif_nppn));

  always @(posedge clk) begin
    if (rst) begin
      stat_l1_hit <= '0;
      stat_l2_hit <= '0;
      stat_miss <= '0;
      stat_walk_start <= '0;
      stat_walk_end <= '0;
      stat_posted_dropped <= '0;
      stat_nonposted_refused <= '0;
      stat_read_lost <= '0;
      stat_xlate_stall <= '0;
      stat_upstream_posted_refused <= '0;
      stat_upstream_completion_unexpected <= '0;
      stat_cpu_posted_refused <= '0;
      stat_memory_completion_unexpected <= '0;
      stat_invalidate_unexpected <= '0;
      stat_invalidate_timeout <= '0;
      stat_message_dropped <= '0;
      stat_message <= '0;
    end else begin
      stat_l1_hit <= stat_l1_hit + 32'(l1_hit_strobe);
      stat_l2_hit <= stat_l2_hit + 32'(l2_hit_strobe);
      stat_miss <= stat_miss + 32'(miss_strobe);
      stat_walk_start <= stat_walk_start + 32'(walk_start_strobe);
      stat_walk_end <= stat_walk_end + 32'(walk_end_strobe);
      stat_posted_dropped <= stat_posted_dropped + 32'(posted_dropped_strobe);
      stat_nonposted_refused <= stat_nonposted_refused + 32'(nonposted_refused_strobe);
      stat_read_lost <= stat_read_lost + 32'(read_lost_strobe);
      stat_xlate_stall <= stat_xlate_stall + 32'(xlate_stall_strobe);
      stat_upstream_posted_refused <= stat_upstream_posted_refused + 32'(upstream_posted_refused_strobe);
      stat_upstream_completion_unexpected <= stat_upstream_completion_unexpected + 32'(upstream_completion_unexpected_strobe);
      stat_cpu_posted_refused <= stat_cpu_posted_refused + 32'(cpu_posted_refused_strobe);
      stat_memory_completion_unexpected <= stat_memory_completion_unexpected + 32'(memory_completion_unexpected_strobe);
      stat_invalidate_unexpected <= stat_invalidate_unexpected + 32'(invalidate_unexpected_strobe);
      stat_invalidate_timeout <= stat_invalidate_timeout + 32'(invalidate_timeout_strobe);
      stat_message_dropped <= stat_message_dropped + 32'(message_dropped_strobe);
      stat_message <= stat_message + 32'(event_message);
    end
  end
endmodule
