// Plays the devices behind the IOMMU core (docs/interfaces.md section 6): presents page requests and invalidate completions from the native
// queue in their order, and takes what the core sends.
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
    output bit          message_ready_o
);
  import "DPI-C" context function int sluicegate_message_next(
      input longint cycle, output int device_id, output int process_id, output int bits, output longint payload);
  import "DPI-C" context function int sluicegate_message_ready(input longint cycle);

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
