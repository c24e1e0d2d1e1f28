// Block testbench of the IOMMU core: native agents on the translation port, the memory port and the register bus.
// Python sets the offered capabilities and holds `restart` to put the core back into its reset state between two cases.
module iommu_top #(
    parameter int ID_W     = 8,   // width of a translation request id
    parameter int MEM_ID_W = 8,   // width of a memory request id
    parameter int INVALIDATE_TIMEOUT = 4096,   // cycles that a device has to complete an invalidate request
    parameter int NEIGHBOURS = 1,   // fill the neighbours of a walked page
    parameter int L2_SETS = 64      // sets of the second-level IOTLB
) (
    input  bit        clk,
    input  bit [63:0] capabilities,   // features offered, layout of the capabilities register
    input  bit        restart,        // resets the core, not the agents
    output bit        doorbell,
    // statistics strobes of the core, counted
    output bit [31:0] stat_l1_hits,
    output bit [31:0] stat_l2_hits,
    output bit [31:0] stat_misses,
    output bit [31:0] stat_walks,
    output bit [31:0] stat_most_walks,   // in flight together since reset
    output bit [31:0] stat_invalidate_unexpected,
    output bit [31:0] stat_invalidate_timeouts,
    output bit [31:0] stat_neighbours
);
  bit rst, link_up;
  bit [63:0] cycle;

  simulation_control control (.clk_i(clk), .rst_o(rst), .link_up_o(link_up), .cycle_o(cycle), .doorbell_o(doorbell));

  bit xlate_req_valid, xlate_req_pv, xlate_req_priv, xlate_req_exec, xlate_req_wr, xlate_req_nw;
  logic xlate_req_ready;
  bit [ID_W-1:0] xlate_req_id;
  bit [23:0] xlate_req_did;
  bit [19:0] xlate_req_pid;
  bit [1:0] xlate_req_at;
  bit [63:0] xlate_req_iova;
  logic xlate_rsp_valid, xlate_rsp_mrif;
  bit xlate_rsp_ready;
  logic [ID_W-1:0] xlate_rsp_id;
  logic [1:0] xlate_rsp_status, xlate_rsp_pbmt;
  logic [58:0] xlate_rsp_spa;
  logic [7:0] xlate_rsp_permissions;
  logic [5:0] xlate_rsp_size;
  logic [10:0] xlate_rsp_mrif_nid;
  logic [43:0] xlate_rsp_mrif_nppn;
  logic mem_req_valid, mem_rsp_ready;
  bit mem_req_ready, mem_rsp_valid;
  logic [MEM_ID_W-1:0] mem_req_id;
  logic [1:0] mem_req_op, mem_req_pbmt;
  logic [55:0] mem_req_addr;
  logic [6:0] mem_req_size;
  logic [511:0] mem_req_wdata;
  logic [63:0] mem_req_strobe;
  logic [23:0] mem_req_qos;
  bit [MEM_ID_W-1:0] mem_rsp_id;
  bit [511:0] mem_rsp_data;
  bit [7:0] mem_rsp_err, mem_rsp_poison;
  bit reg_valid, reg_write;
  bit [11:0] reg_address;
  bit [63:0] reg_wdata;
  bit [7:0] reg_strobe;
  logic reg_ready;
  logic [63:0] reg_rdata;
  logic [15:0] lines;
  logic drain_req, drain_reads, drain_writes;
  bit drain_ack;
  logic event_command, event_fault;
  logic [63:0] event_command_w0, event_command_w1;
  logic stat_l1_hit, stat_l2_hit, stat_miss, stat_walk_start, stat_walk_end, stat_unexpected, stat_timeout, stat_neighbour;
  bit page_req_valid, page_req_dsv, page_req_pv, page_req_priv, page_req_exec;
  logic page_req_ready;
  bit [23:0] page_req_did;
  bit [19:0] page_req_pid;
  bit [63:0] page_req_payload;
  bit completion_valid;
  bit [23:0] completion_did;
  bit [31:0] completion_tags;
  bit [2:0] completion_count;
  logic message_valid, message_invalidate, message_dsv, message_pv;
  bit message_ready;
  logic [7:0] message_dseg;
  logic [15:0] message_rid;
  logic [19:0] message_pid;
  logic [4:0] message_itag;
  logic [63:0] message_payload;
  // Writes to interrupt files come from TLPs: the block testbench of the root complex drives them.
  wire unused_mrif_quiet, unused_mrif_ready;
  wire [23:0] unused_mrif_qos;

  translation_port_initiator #(.ID_W(ID_W)) initiator (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .req_valid_o(xlate_req_valid), .req_ready_i(xlate_req_ready), .req_id_o(xlate_req_id),
      .req_did_o(xlate_req_did), .req_pv_o(xlate_req_pv), .req_pid_o(xlate_req_pid), .req_priv_o(xlate_req_priv),
      .req_exec_o(xlate_req_exec), .req_at_o(xlate_req_at), .req_wr_o(xlate_req_wr), .req_nw_o(xlate_req_nw),
      .req_iova_o(xlate_req_iova), .rsp_ready_o(xlate_rsp_ready));

  translation_port_monitor #(.ID_W(ID_W)) monitor (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .req_valid_i(xlate_req_valid), .req_ready_i(xlate_req_ready), .req_id_i(xlate_req_id),
      .req_did_i(xlate_req_did), .req_pv_i(xlate_req_pv), .req_pid_i(xlate_req_pid), .req_priv_i(xlate_req_priv),
      .req_exec_i(xlate_req_exec), .req_at_i(xlate_req_at), .req_wr_i(xlate_req_wr), .req_nw_i(xlate_req_nw),
      .req_iova_i(xlate_req_iova), .rsp_valid_i(xlate_rsp_valid), .rsp_ready_i(xlate_rsp_ready), .rsp_id_i(xlate_rsp_id),
      .rsp_status_i(xlate_rsp_status), .rsp_spa_i(xlate_rsp_spa), .rsp_pbmt_i(xlate_rsp_pbmt),
      .rsp_permissions_i(xlate_rsp_permissions), .rsp_size_i(xlate_rsp_size), .rsp_mrif_i(xlate_rsp_mrif),
      .rsp_mrif_nid_i(xlate_rsp_mrif_nid), .rsp_mrif_nppn_i(xlate_rsp_mrif_nppn));

  iommu_memory_target #(.ID_W(MEM_ID_W)) memory (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .req_valid_i(mem_req_valid), .req_ready_o(mem_req_ready), .req_id_i(mem_req_id),
      .req_op_i(mem_req_op), .req_addr_i(mem_req_addr), .req_size_i(mem_req_size), .req_wdata_i(mem_req_wdata),
      .req_strobe_i(mem_req_strobe), .req_qos_i(mem_req_qos), .req_pbmt_i(mem_req_pbmt), .rsp_valid_o(mem_rsp_valid), .rsp_ready_i(mem_rsp_ready), .rsp_id_o(mem_rsp_id),
      .rsp_data_o(mem_rsp_data), .rsp_err_o(mem_rsp_err), .rsp_poison_o(mem_rsp_poison));

  register_bus_initiator registers (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .valid_o(reg_valid), .write_o(reg_write), .address_o(reg_address),
      .wdata_o(reg_wdata), .strobe_o(reg_strobe), .ready_i(reg_ready), .rdata_i(reg_rdata));

  iommu_event_monitor events (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .command_i(event_command), .command_w0_i(event_command_w0),
      .command_w1_i(event_command_w1), .fault_i(event_fault), .wire_i(lines));

  translation_lookup_monitor lookups (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .l1_hit_i(stat_l1_hit), .l2_hit_i(stat_l2_hit), .miss_i(stat_miss));

  message_port_initiator devices (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .page_req_valid_o(page_req_valid), .page_req_ready_i(page_req_ready),
      .page_req_dsv_o(page_req_dsv), .page_req_did_o(page_req_did), .page_req_pv_o(page_req_pv), .page_req_pid_o(page_req_pid),
      .page_req_priv_o(page_req_priv), .page_req_exec_o(page_req_exec), .page_req_payload_o(page_req_payload),
      .completion_valid_o(completion_valid), .completion_did_o(completion_did), .completion_tags_o(completion_tags),
      .completion_count_o(completion_count), .message_ready_o(message_ready));

  message_port_monitor messages (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .page_req_valid_i(page_req_valid), .page_req_ready_i(page_req_ready),
      .page_req_dsv_i(page_req_dsv), .page_req_did_i(page_req_did), .page_req_pv_i(page_req_pv), .page_req_pid_i(page_req_pid),
      .page_req_priv_i(page_req_priv), .page_req_exec_i(page_req_exec), .page_req_payload_i(page_req_payload),
      .completion_valid_i(completion_valid), .completion_did_i(completion_did), .completion_tags_i(completion_tags),
      .completion_count_i(completion_count), .message_valid_i(message_valid), .message_ready_i(message_ready),
      .message_invalidate_i(message_invalidate), .message_dsv_i(message_dsv), .message_dseg_i(message_dseg),
      .message_rid_i(message_rid), .message_pv_i(message_pv), .message_pid_i(message_pid), .message_itag_i(message_itag),
      .message_payload_i(message_payload));

  riscv_iommu #(.ID_W(ID_W), .MEM_ID_W(MEM_ID_W), .INVALIDATE_TIMEOUT(40'(INVALIDATE_TIMEOUT)), .NEIGHBOURS(NEIGHBOURS),
      .L2_SETS(L2_SETS)) dut (
      .clk_i(clk), .rst_i(rst || restart), .capabilities_i(capabilities),
      .xlate_req_valid_i(xlate_req_valid), .xlate_req_ready_o(xlate_req_ready), .xlate_req_id_i(xlate_req_id),
      .xlate_req_did_i(xlate_req_did), .xlate_req_pv_i(xlate_req_pv), .xlate_req_pid_i(xlate_req_pid),
      .xlate_req_priv_i(xlate_req_priv), .xlate_req_exec_i(xlate_req_exec), .xlate_req_at_i(xlate_req_at),
      .xlate_req_wr_i(xlate_req_wr), .xlate_req_nw_i(xlate_req_nw), .xlate_req_iova_i(xlate_req_iova),
      .xlate_rsp_valid_o(xlate_rsp_valid), .xlate_rsp_ready_i(xlate_rsp_ready), .xlate_rsp_id_o(xlate_rsp_id),
      .xlate_rsp_status_o(xlate_rsp_status), .xlate_rsp_spa_o(xlate_rsp_spa), .xlate_rsp_pbmt_o(xlate_rsp_pbmt),
      .xlate_rsp_permissions_o(xlate_rsp_permissions), .xlate_rsp_size_o(xlate_rsp_size), .xlate_rsp_mrif_o(xlate_rsp_mrif),
      .xlate_rsp_mrif_nid_o(xlate_rsp_mrif_nid), .xlate_rsp_mrif_nppn_o(xlate_rsp_mrif_nppn),
      .xlate_rsp_mrif_quiet_o(unused_mrif_quiet), .xlate_rsp_mrif_qos_o(unused_mrif_qos), .mrif_valid_i(1'b0), .mrif_ready_o(unused_mrif_ready),
      .mrif_address_i('0), .mrif_nid_i('0), .mrif_nppn_i('0), .mrif_quiet_i(1'b0), .mrif_qos_i('0), .mrif_translated_i(1'b0),
      .mrif_did_i('0), .mrif_pv_i(1'b0), .mrif_pid_i('0), .mrif_priv_i(1'b0), .mrif_iova_i('0), .mrif_data_i('0),
      .page_req_valid_i(page_req_valid), .page_req_ready_o(page_req_ready), .page_req_dsv_i(page_req_dsv),
      .page_req_did_i(page_req_did), .page_req_pv_i(page_req_pv), .page_req_pid_i(page_req_pid), .page_req_priv_i(page_req_priv),
      .page_req_exec_i(page_req_exec), .page_req_payload_i(page_req_payload),
      .invalidate_completion_valid_i(completion_valid), .invalidate_completion_did_i(completion_did),
      .invalidate_completion_tags_i(completion_tags), .invalidate_completion_count_i(completion_count),
      .message_valid_o(message_valid), .message_ready_i(message_ready), .message_invalidate_o(message_invalidate),
      .message_dsv_o(message_dsv), .message_dseg_o(message_dseg), .message_rid_o(message_rid), .message_pv_o(message_pv),
      .message_pid_o(message_pid), .message_itag_o(message_itag), .message_payload_o(message_payload),
      .mem_req_valid_o(mem_req_valid), .mem_req_ready_i(mem_req_ready), .mem_req_id_o(mem_req_id), .mem_req_op_o(mem_req_op),
      .mem_req_addr_o(mem_req_addr), .mem_req_size_o(mem_req_size), .mem_req_wdata_o(mem_req_wdata),
      .mem_req_strobe_o(mem_req_strobe), .mem_req_qos_o(mem_req_qos), .mem_req_pbmt_o(mem_req_pbmt),
      .mem_rsp_valid_i(mem_rsp_valid), .mem_rsp_ready_o(mem_rsp_ready), .mem_rsp_id_i(mem_rsp_id), .mem_rsp_data_i(mem_rsp_data),
      .mem_rsp_err_i(mem_rsp_err), .mem_rsp_poison_i(mem_rsp_poison),
      .reg_valid_i(reg_valid), .reg_write_i(reg_write), .reg_address_i(reg_address), .reg_wdata_i(reg_wdata),
      .reg_strobe_i(reg_strobe), .reg_ready_o(reg_ready), .reg_rdata_o(reg_rdata), .wire_o(lines),
      .drain_req_o(drain_req), .drain_reads_o(drain_reads), .drain_writes_o(drain_writes), .drain_ack_i(drain_ack),
      .event_command_o(event_command), .event_command_w0_o(event_command_w0), .event_command_w1_o(event_command_w1),
      .event_fault_o(event_fault), .stat_l1_hit_o(stat_l1_hit), .stat_l2_hit_o(stat_l2_hit), .stat_miss_o(stat_miss),
      .stat_walk_start_o(stat_walk_start), .stat_walk_end_o(stat_walk_end), .stat_invalidate_unexpected_o(stat_unexpected),
      .stat_invalidate_timeout_o(stat_timeout), .stat_neighbour_o(stat_neighbour));

  bit [31:0] walks;

  // Nothing is behind the translation port, so whatever was released is done: acknowledge in the next cycle, once per fence.
  always @(posedge clk) begin
    drain_ack <= drain_req && (drain_reads || drain_writes) && !drain_ack;
    stat_l1_hits <= stat_l1_hits + 32'(stat_l1_hit);
    stat_l2_hits <= stat_l2_hits + 32'(stat_l2_hit);
    stat_misses <= stat_misses + 32'(stat_miss);
    stat_walks <= stat_walks + 32'(stat_walk_end);
    walks <= restart ? 32'd0 : walks + 32'(stat_walk_start) - 32'(stat_walk_end);
    if (walks > stat_most_walks) stat_most_walks <= walks;
    stat_invalidate_unexpected <= stat_invalidate_unexpected + 32'(stat_unexpected);
    stat_invalidate_timeouts <= stat_invalidate_timeouts + 32'(stat_timeout);
    stat_neighbours <= stat_neighbours + 32'(stat_neighbour);
  end
endmodule
