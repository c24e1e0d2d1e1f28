// Block testbench of the endpoint: native host memory and CPU on its link. Link 0 out (endpoint0_up), link 1 in (endpoint0_down).
module endpoint_top #(
    parameter int         DATA_W             = 256,       // 128, 256 or 512
    parameter int         TAGS               = 64,        // read requests of the engine in flight
    parameter int         LOCAL_MEMORY_BYTES = 2097152,
    parameter logic [4:0] STRAPS             = 5'b11111   // features (pcie_endpoint)
) (
    input  bit clk,
    output bit doorbell
);
  localparam int EmptyW = $clog2(DATA_W / 32);

  bit rst;
  bit link_up;
  bit [63:0] cycle;

  simulation_control control (.clk_i(clk), .rst_o(rst), .link_up_o(link_up), .cycle_o(cycle), .doorbell_o(doorbell));

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

  pcie_endpoint #(
      .DATA_W(DATA_W), .TAGS(TAGS), .LOCAL_MEMORY_BYTES(LOCAL_MEMORY_BYTES)
  ) dut (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .straps_i(STRAPS),
      .rx_valid_i(rx_valid), .rx_ready_o(rx_ready), .rx_sop_i(rx_sop), .rx_eop_i(rx_eop), .rx_data_i(rx_data), .rx_empty_i(rx_empty),
      .rx_hdr_i(rx_hdr), .rx_prefix_i(rx_prefix), .rx_prefix_valid_i(rx_prefix_valid), .rx_err_i(rx_err),
      .rx_credit_limit_o(rx_credit_limit), .rx_credit_infinite_o(rx_credit_infinite),
      .tx_valid_o(tx_valid), .tx_ready_i(tx_ready), .tx_sop_o(tx_sop), .tx_eop_o(tx_eop), .tx_data_o(tx_data), .tx_empty_o(tx_empty),
      .tx_hdr_o(tx_hdr), .tx_prefix_o(tx_prefix), .tx_prefix_valid_o(tx_prefix_valid), .tx_err_o(tx_err),
      .tx_credit_limit_i(tx_credit_limit), .tx_credit_infinite_i(tx_credit_infinite));

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
endmodule
