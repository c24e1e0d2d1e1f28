// Block testbench of the DMA engine: native agents on its descriptor port and on its link. Link 0 out carries requests, link 1 in
// completions. Function settings come from the parameters, or from the `set_*` inputs where `set_function` is 1.
module dma_top #(
    parameter int         DATA_W             = 256,      // 128, 256 or 512
    parameter int         TAGS               = 64,       // read requests in flight, 2..256
    parameter int         OPERATIONS         = 128,      // operations in flight
    parameter int         LOCAL_MEMORY_BYTES = 1048576,
    parameter logic [2:0] MAX_PAYLOAD        = 3'd1,     // code: 256 bytes
    parameter logic [2:0] MAX_READ_REQUEST   = 3'd2      // code: 512 bytes
) (
    input  bit        clk,
    output bit        doorbell,
    // settings made by a test
    input  bit        set_function,
    input  bit [2:0]  set_max_payload,
    input  bit [2:0]  set_max_read_request,
    input  bit        set_short_tags,
    input  bit        set_bus_master_disable,
    input  bit        set_abort,
    input  bit [31:0] set_completion_timeout,
    // 1: nothing in flight, no tag in use
    output bit        stat_idle,
    // statistics strobes of the engine, counted
    output bit [31:0] stat_read_requests,
    output bit [31:0] stat_write_beats,
    output bit [31:0] stat_completion_beats,
    output bit [31:0] stat_unexpected_completions,
    output bit [31:0] stat_timeouts,
    output bit [31:0] stat_tag_wait_cycles
);
  localparam int EmptyW = $clog2(DATA_W / 32);

  bit rst;
  bit link_up;
  bit [63:0] cycle;

  simulation_control control (.clk_i(clk), .rst_o(rst), .link_up_o(link_up), .cycle_o(cycle), .doorbell_o(doorbell));

  bit descriptor_valid, status_ready;
  logic descriptor_ready, status_valid;
  bit [511:0] descriptor_data;
  bit [15:0] descriptor_id;
  logic [15:0] status_id;
  logic [63:0] status_cookie;
  logic [7:0] status_code;
  logic [24:0] status_bytes;
  bit rx_valid, rx_sop, rx_eop, rx_prefix_valid, rx_err;
  logic rx_ready;
  bit [DATA_W-1:0] rx_data;
  bit [EmptyW-1:0] rx_empty;
  bit [127:0] rx_hdr;
  bit [31:0] rx_prefix;
  logic [59:0] rx_credit_limit;
  logic [5:0] rx_credit_infinite;
  logic tx_valid, tx_sop, tx_eop, tx_prefix_valid, tx_err;
  bit tx_ready;
  logic [DATA_W-1:0] tx_data;
  logic [EmptyW-1:0] tx_empty;
  logic [127:0] tx_hdr;
  logic [31:0] tx_prefix;
  bit [59:0] tx_credit_limit;
  bit [5:0] tx_credit_infinite;
  logic idle, unused_quiet;
  logic read_request, write_beat, completion_beat, unexpected_completion, timeout, tag_wait;

  dma_block #(
      .DATA_W(DATA_W), .TAGS(TAGS), .OPERATIONS(OPERATIONS), .LOCAL_MEMORY_BYTES(LOCAL_MEMORY_BYTES)
  ) dut (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up),
      .requester_id_i(16'h0300), .bus_master_enable_i(!(set_function && set_bus_master_disable)),
      .max_payload_i(set_function ? set_max_payload : MAX_PAYLOAD),
      .max_read_request_i(set_function ? set_max_read_request : MAX_READ_REQUEST),
      .extended_tag_enable_i(!(set_function && set_short_tags)), .enable_relaxed_ordering_i(1'b1), .enable_no_snoop_i(1'b1),
      .enable_id_ordering_i(1'b1), .pasid_enable_i(3'b111), .completion_timeout_i(set_function ? set_completion_timeout : 32'd0),
      .abort_i(set_function && set_abort), .idle_o(idle), .quiet_o(unused_quiet),
      .descriptor_valid_i(descriptor_valid), .descriptor_ready_o(descriptor_ready), .descriptor_data_i(descriptor_data),
      .descriptor_id_i(descriptor_id), .status_valid_o(status_valid), .status_ready_i(status_ready), .status_id_o(status_id),
      .status_cookie_o(status_cookie), .status_code_o(status_code), .status_bytes_o(status_bytes),
      .rx_valid_i(rx_valid), .rx_ready_o(rx_ready), .rx_sop_i(rx_sop), .rx_eop_i(rx_eop), .rx_data_i(rx_data), .rx_empty_i(rx_empty),
      .rx_hdr_i(rx_hdr), .rx_prefix_i(rx_prefix), .rx_prefix_valid_i(rx_prefix_valid), .rx_err_i(rx_err),
      .rx_credit_limit_o(rx_credit_limit), .rx_credit_infinite_o(rx_credit_infinite),
      .tx_valid_o(tx_valid), .tx_ready_i(tx_ready), .tx_sop_o(tx_sop), .tx_eop_o(tx_eop), .tx_data_o(tx_data), .tx_empty_o(tx_empty),
      .tx_hdr_o(tx_hdr), .tx_prefix_o(tx_prefix), .tx_prefix_valid_o(tx_prefix_valid), .tx_err_o(tx_err),
      .tx_credit_limit_i(tx_credit_limit), .tx_credit_infinite_i(tx_credit_infinite),
      .stat_read_request_o(read_request), .stat_write_beat_o(write_beat), .stat_completion_beat_o(completion_beat),
      .stat_unexpected_completion_o(unexpected_completion), .stat_timeout_o(timeout), .stat_tag_wait_o(tag_wait));

  descriptor_port_initiator port (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .descriptor_valid_o(descriptor_valid), .descriptor_ready_i(descriptor_ready),
      .descriptor_data_o(descriptor_data), .descriptor_id_o(descriptor_id), .status_valid_i(status_valid),
      .status_ready_o(status_ready), .status_id_i(status_id), .status_cookie_i(status_cookie), .status_code_i(status_code),
      .status_bytes_i(status_bytes));

  tlp_link_source #(.DATA_W(DATA_W), .LINK(1)) source (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle),
      .valid_o(rx_valid), .ready_i(rx_ready), .sop_o(rx_sop), .eop_o(rx_eop), .data_o(rx_data), .empty_o(rx_empty), .hdr_o(rx_hdr),
      .prefix_o(rx_prefix), .prefix_valid_o(rx_prefix_valid), .err_o(rx_err),
      .credit_limit_i(rx_credit_limit), .credit_infinite_i(rx_credit_infinite));

  tlp_link_monitor #(.DATA_W(DATA_W), .LINK(1)) in_monitor (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle),
      .valid_i(rx_valid), .ready_i(rx_ready), .sop_i(rx_sop), .eop_i(rx_eop), .data_i(rx_data), .empty_i(rx_empty), .hdr_i(rx_hdr),
      .prefix_i(rx_prefix), .prefix_valid_i(rx_prefix_valid), .err_i(rx_err),
      .credit_limit_i(rx_credit_limit), .credit_infinite_i(rx_credit_infinite));

  tlp_link_sink #(.LINK(0)) sink (
      .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .ready_o(tx_ready), .credit_limit_o(tx_credit_limit),
      .credit_infinite_o(tx_credit_infinite));

  tlp_link_monitor #(.DATA_W(DATA_W), .LINK(0)) out_monitor (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle),
      .valid_i(tx_valid), .ready_i(tx_ready), .sop_i(tx_sop), .eop_i(tx_eop), .data_i(tx_data), .empty_i(tx_empty), .hdr_i(tx_hdr),
      .prefix_i(tx_prefix), .prefix_valid_i(tx_prefix_valid), .err_i(tx_err),
      .credit_limit_i(tx_credit_limit), .credit_infinite_i(tx_credit_infinite));

  assign stat_idle = idle;

  always @(posedge clk) begin
    if (!rst) begin
      stat_read_requests <= stat_read_requests + 32'(read_request);
      stat_write_beats <= stat_write_beats + 32'(write_beat);
      stat_completion_beats <= stat_completion_beats + 32'(completion_beat);
      stat_unexpected_completions <= stat_unexpected_completions + 32'(unexpected_completion);
      stat_timeouts <= stat_timeouts + 32'(timeout);
      stat_tag_wait_cycles <= stat_tag_wait_cycles + 32'(tag_wait);
    end
  end
endmodule
