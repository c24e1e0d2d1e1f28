// Block testbench of the endpoint at its pins: sender and receiver are bus functional models in Python (tb/link) on the ports of this
// module, so that any host model in Python can be put behind them. Link 0 out (up), link 1 in (down), as in endpoint_top.
module endpoint_pins_top #(
    parameter int         DATA_W             = 256,       // 128, 256 or 512
    parameter int         TAGS               = 64,        // read requests of the engine in flight
    parameter int         LOCAL_MEMORY_BYTES = 2097152,
    parameter logic [4:0] STRAPS             = 5'b11111,  // features (pcie_endpoint)
    parameter int         EMPTY_W            = $clog2(DATA_W / 32)   // derived: bits of `empty`
) (
    input  bit                 clk,
    output bit                 doorbell,
    output bit                 rst,
    output bit                 link_up,
    // link into the endpoint, driven by PinTlpSource
    input  bit                 down_valid,
    output bit                 down_ready,
    input  bit                 down_sop,
    input  bit                 down_eop,
    input  bit [DATA_W-1:0]    down_data,
    input  bit [EMPTY_W-1:0]   down_empty,
    input  bit [127:0]         down_hdr,
    input  bit [31:0]          down_prefix,
    input  bit                 down_prefix_valid,
    input  bit                 down_err,
    output bit [59:0]          down_credit_limit,
    output bit [5:0]           down_credit_infinite,
    // link out of the endpoint, driven by PinTlpSink
    output bit                 up_valid,
    input  bit                 up_ready,
    output bit                 up_sop,
    output bit                 up_eop,
    output bit [DATA_W-1:0]    up_data,
    output bit [EMPTY_W-1:0]   up_empty,
    output bit [127:0]         up_hdr,
    output bit [31:0]          up_prefix,
    output bit                 up_prefix_valid,
    output bit                 up_err,
    input  bit [59:0]          up_credit_limit,
    input  bit [5:0]           up_credit_infinite
);
  bit [63:0] cycle;

  simulation_control control (.clk_i(clk), .rst_o(rst), .link_up_o(link_up), .cycle_o(cycle), .doorbell_o(doorbell));

  pcie_endpoint #(
      .DATA_W(DATA_W), .TAGS(TAGS), .LOCAL_MEMORY_BYTES(LOCAL_MEMORY_BYTES)
  ) dut (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .straps_i(STRAPS),
      .rx_valid_i(down_valid), .rx_ready_o(down_ready), .rx_sop_i(down_sop), .rx_eop_i(down_eop), .rx_data_i(down_data), .rx_empty_i(down_empty),
      .rx_hdr_i(down_hdr), .rx_prefix_i(down_prefix), .rx_prefix_valid_i(down_prefix_valid), .rx_err_i(down_err),
      .rx_credit_limit_o(down_credit_limit), .rx_credit_infinite_o(down_credit_infinite),
      .tx_valid_o(up_valid), .tx_ready_i(up_ready), .tx_sop_o(up_sop), .tx_eop_o(up_eop), .tx_data_o(up_data), .tx_empty_o(up_empty),
      .tx_hdr_o(up_hdr), .tx_prefix_o(up_prefix), .tx_prefix_valid_o(up_prefix_valid), .tx_err_o(up_err),
      .tx_credit_limit_i(up_credit_limit), .tx_credit_infinite_i(up_credit_infinite));

  tlp_link_monitor #(.DATA_W(DATA_W), .LINK(1)) in_monitor (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle),
      .valid_i(down_valid), .ready_i(down_ready), .sop_i(down_sop), .eop_i(down_eop), .data_i(down_data), .empty_i(down_empty), .hdr_i(down_hdr),
      .prefix_i(down_prefix), .prefix_valid_i(down_prefix_valid), .err_i(down_err),
      .credit_limit_i(down_credit_limit), .credit_infinite_i(down_credit_infinite));

  tlp_link_monitor #(.DATA_W(DATA_W), .LINK(0)) out_monitor (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle),
      .valid_i(up_valid), .ready_i(up_ready), .sop_i(up_sop), .eop_i(up_eop), .data_i(up_data), .empty_i(up_empty), .hdr_i(up_hdr),
      .prefix_i(up_prefix), .prefix_valid_i(up_prefix_valid), .err_i(up_err),
      .credit_limit_i(up_credit_limit), .credit_infinite_i(up_credit_infinite));
endmodule
