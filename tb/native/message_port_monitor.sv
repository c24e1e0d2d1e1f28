// Logs the messages between devices and the IOMMU core (docs/interfaces.md section 6) as they move, in both directions.
module message_port_monitor (
    input bit          clk_i,
    input logic        rst_i,
    input bit [63:0]   cycle_i,
    input logic        page_req_valid_i,
    input logic        page_req_ready_i,
    input logic        page_req_dsv_i,
    input logic [23:0] page_req_did_i,
    input logic        page_req_pv_i,
    input logic [19:0] page_req_pid_i,
    input logic        page_req_priv_i,
    input logic        page_req_exec_i,
    input logic [63:0] page_req_payload_i,
    input logic        completion_valid_i,
    input logic [23:0] completion_did_i,
    input logic [31:0] completion_tags_i,
    input logic [2:0]  completion_count_i,
    input logic        message_valid_i,
    input logic        message_ready_i,
    input logic        message_invalidate_i,
    input logic        message_dsv_i,
    input logic [7:0]  message_dseg_i,
    input logic [15:0] message_rid_i,
    input logic        message_pv_i,
    input logic [19:0] message_pid_i,
    input logic [4:0]  message_itag_i,
    input logic [63:0] message_payload_i
);
  import "DPI-C" context function void sluicegate_message_arrived(
      input longint cycle, input int device_id, input int process_id, input int bits, input longint payload);
  import "DPI-C" context function void sluicegate_message_sent(
      input longint cycle, input int device_id, input int process_id, input int bits, input longint payload);

  // Bits of a message: MessageBits in event_log.h.
  always @(posedge clk_i) begin
    if (!rst_i) begin
      if (page_req_valid_i && page_req_ready_i)
        sluicegate_message_arrived(cycle_i, 32'(page_req_did_i), 32'(page_req_pid_i),
            {28'd0, page_req_dsv_i, page_req_exec_i, page_req_priv_i, page_req_pv_i}, page_req_payload_i);
      if (completion_valid_i)
        sluicegate_message_arrived(cycle_i, 32'(completion_did_i), 32'd0, {21'd0, completion_count_i, 8'h20}, 64'(completion_tags_i));
      if (message_valid_i && message_ready_i)
        sluicegate_message_sent(cycle_i, {8'd0, message_dseg_i, message_rid_i}, 32'(message_pid_i),
            {11'd0, message_itag_i, 11'd0, message_invalidate_i, message_dsv_i, 2'd0, message_pv_i}, message_payload_i);
    end
  end
endmodule
