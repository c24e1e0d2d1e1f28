// Plays the devices behind the IOMMU core: presents page requests and invalidate completions from the native queue in their order, takes
// what the core sends, and logs the messages of both directions (docs/interfaces.md section 6).
module message_port_initiator (
    input  bit          clk_i,
    input  bit          rst_i,
    input  bit [63:0]   cycle_i,
    output bit          page_req_valid_o,
    input  logic        page_req_ready_i,
    output bit          page_req_dsv_o,
    output bit [23:0]   page_req_did_o,
    output bit          page_req_pv_o,
    output bit [19:0]   page_req_pid_o,
    output bit          page_req_priv_o,
    output bit          page_req_exec_o,
    output bit [63:0]   page_req_payload_o,
    output bit          completion_valid_o,
    output bit [23:0]   completion_did_o,
    output bit [31:0]   completion_tags_o,
    output bit [2:0]    completion_count_o,
    input  logic        message_valid_i,
    output bit          message_ready_o,
    input  logic        message_invalidate_i,
    input  logic        message_dsv_i,
    input  logic [7:0]  message_dseg_i,
    input  logic [15:0] message_rid_i,
    input  logic        message_pv_i,
    input  logic [19:0] message_pid_i,
    input  logic [4:0]  message_itag_i,
    input  logic [63:0] message_payload_i
);
  import "DPI-C" context function int sluicegate_message_next(
      input longint cycle, output int device_id, output int process_id, output int bits, output longint payload);
  import "DPI-C" context function int sluicegate_message_ready(input longint cycle);
  import "DPI-C" context function void sluicegate_message_arrived(
      input longint cycle, input int device_id, input int process_id, input int bits, input longint payload);
  import "DPI-C" context function void sluicegate_message_sent(
      input longint cycle, input int device_id, input int process_id, input int bits, input longint payload);

  // Bits of a message, as in event_log.h.
  localparam int COMPLETION = 5;

  int device_id;
  int process_id;
  int bits;
  longint payload;

  always @(posedge clk_i) begin
    if (rst_i) begin
      page_req_valid_o <= 1'b0;
      completion_valid_o <= 1'b0;
      message_ready_o <= 1'b0;
    end else begin
      if (page_req_valid_o && page_req_ready_i)
        sluicegate_message_arrived(cycle_i, 32'(page_req_did_o), 32'(page_req_pid_o),
            {28'd0, page_req_dsv_o, page_req_exec_o, page_req_priv_o, page_req_pv_o}, page_req_payload_o);
      if (completion_valid_o)
        sluicegate_message_arrived(cycle_i, 32'(completion_did_o), 32'd0, {21'd0, completion_count_o, 8'h20}, 64'(completion_tags_o));
      if (message_valid_i && message_ready_o)
        sluicegate_message_sent(cycle_i, {8'd0, message_dseg_i, message_rid_i}, 32'(message_pid_i),
            {11'd0, message_itag_i, 11'd0, message_invalidate_i, message_dsv_i, 2'd0, message_pv_i}, message_payload_i);
      message_ready_o <= sluicegate_message_ready(cycle_i) != 0;
      completion_valid_o <= 1'b0;
      if (!page_req_valid_o || page_req_ready_i) begin
        page_req_valid_o <= 1'b0;
        if (sluicegate_message_next(cycle_i, device_id, process_id, bits, payload) != 0) begin
          page_req_valid_o <= !bits[COMPLETION];
          completion_valid_o <= bits[COMPLETION];
          page_req_did_o <= device_id[23:0];
          page_req_pid_o <= process_id[19:0];
          page_req_pv_o <= bits[0];
          page_req_priv_o <= bits[1];
          page_req_exec_o <= bits[2];
          page_req_dsv_o <= bits[3];
          page_req_payload_o <= payload;
          completion_did_o <= device_id[23:0];
          completion_tags_o <= payload[31:0];
          completion_count_o <= bits[10:8];
        end
      end
    end
  end
endmodule
