// One direction of the hdl/tlp block testbench: a receive buffer and a transmit arbiter back to back, watched at both ends.
module tlp_link_way #(
    parameter int DATA_W   = 256,   // 128, 256 or 512
    parameter int IN_LINK  = 0,     // link numbers in the event log
    parameter int OUT_LINK = 1,
    parameter int EMPTY_W  = $clog2(DATA_W / 32)   // derived: bits of `empty`
) (
    input  bit                 clk_i,
    input  bit                 rst_i,
    input  bit                 link_up_i,
    input  bit [63:0]          cycle_i,
    // link in
    input  logic               in_valid,
    output logic               in_ready,
    input  logic               in_sop,
    input  logic               in_eop,
    input  logic [DATA_W-1:0]  in_data,
    input  logic [EMPTY_W-1:0] in_empty,
    input  logic [127:0]       in_hdr,
    input  logic [31:0]        in_prefix,
    input  logic               in_prefix_valid,
    input  logic               in_err,
    output logic [59:0]        in_limit,
    output logic [5:0]         in_infinite,
    // link out
    output logic               out_valid,
    input  logic               out_ready,
    output logic               out_sop,
    output logic               out_eop,
    output logic [DATA_W-1:0]  out_data,
    output logic [EMPTY_W-1:0] out_empty,
    output logic [127:0]       out_hdr,
    output logic [31:0]        out_prefix,
    output logic               out_prefix_valid,
    output logic               out_err,
    input  logic [59:0]        out_limit,
    input  logic [5:0]         out_infinite
);
  logic [2:0] valid, ready, sop, eop, prefix_valid, err;
  logic [3*DATA_W-1:0] data;
  logic [3*EMPTY_W-1:0] empty;
  logic [3*128-1:0] hdr;
  logic [3*32-1:0] prefix;

  tlp_link_monitor #(.DATA_W(DATA_W), .LINK(IN_LINK)) in_monitor (
      .clk_i(clk_i), .rst_i(rst_i), .link_up_i(link_up_i), .cycle_i(cycle_i),
      .valid_i(in_valid), .ready_i(in_ready), .sop_i(in_sop), .eop_i(in_eop), .data_i(in_data), .empty_i(in_empty), .hdr_i(in_hdr),
      .prefix_i(in_prefix), .prefix_valid_i(in_prefix_valid), .err_i(in_err),
      .credit_limit_i(in_limit), .credit_infinite_i(in_infinite));

  tlp_receive_buffer #(.DATA_W(DATA_W)) receive_buffer (
      .clk_i(clk_i), .rst_i(rst_i), .link_up_i(link_up_i),
      .rx_valid_i(in_valid), .rx_ready_o(in_ready), .rx_sop_i(in_sop), .rx_eop_i(in_eop), .rx_data_i(in_data), .rx_empty_i(in_empty),
      .rx_hdr_i(in_hdr), .rx_prefix_i(in_prefix), .rx_prefix_valid_i(in_prefix_valid), .rx_err_i(in_err),
      .rx_credit_limit_o(in_limit), .rx_credit_infinite_o(in_infinite),
      .posted_valid_o(valid[0]), .posted_ready_i(ready[0]), .posted_sop_o(sop[0]), .posted_eop_o(eop[0]),
      .posted_data_o(data[0+:DATA_W]), .posted_empty_o(empty[0+:EMPTY_W]), .posted_hdr_o(hdr[0+:128]),
      .posted_prefix_o(prefix[0+:32]), .posted_prefix_valid_o(prefix_valid[0]), .posted_err_o(err[0]),
      .nonposted_valid_o(valid[1]), .nonposted_ready_i(ready[1]), .nonposted_sop_o(sop[1]), .nonposted_eop_o(eop[1]),
      .nonposted_data_o(data[DATA_W+:DATA_W]), .nonposted_empty_o(empty[EMPTY_W+:EMPTY_W]), .nonposted_hdr_o(hdr[128+:128]),
      .nonposted_prefix_o(prefix[32+:32]), .nonposted_prefix_valid_o(prefix_valid[1]), .nonposted_err_o(err[1]),
      .completion_valid_o(valid[2]), .completion_ready_i(ready[2]), .completion_sop_o(sop[2]), .completion_eop_o(eop[2]),
      .completion_data_o(data[2*DATA_W+:DATA_W]), .completion_empty_o(empty[2*EMPTY_W+:EMPTY_W]), .completion_hdr_o(hdr[2*128+:128]),
      .completion_prefix_o(prefix[2*32+:32]), .completion_prefix_valid_o(prefix_valid[2]), .completion_err_o(err[2]));

  tlp_transmit_arbiter #(.DATA_W(DATA_W), .SOURCES(1)) transmit_arbiter (
      .clk_i(clk_i), .rst_i(rst_i), .link_up_i(link_up_i),
      .in_valid_i(valid), .in_ready_o(ready), .in_sop_i(sop), .in_eop_i(eop), .in_data_i(data), .in_empty_i(empty), .in_hdr_i(hdr),
      .in_prefix_i(prefix), .in_prefix_valid_i(prefix_valid), .in_err_i(err),
      .tx_valid_o(out_valid), .tx_ready_i(out_ready), .tx_sop_o(out_sop), .tx_eop_o(out_eop), .tx_data_o(out_data),
      .tx_empty_o(out_empty), .tx_hdr_o(out_hdr), .tx_prefix_o(out_prefix), .tx_prefix_valid_o(out_prefix_valid), .tx_err_o(out_err),
      .tx_credit_limit_i(out_limit), .tx_credit_infinite_i(out_infinite));

  tlp_link_monitor #(.DATA_W(DATA_W), .LINK(OUT_LINK)) out_monitor (
      .clk_i(clk_i), .rst_i(rst_i), .link_up_i(link_up_i), .cycle_i(cycle_i),
      .valid_i(out_valid), .ready_i(out_ready), .sop_i(out_sop), .eop_i(out_eop), .data_i(out_data), .empty_i(out_empty), .hdr_i(out_hdr),
      .prefix_i(out_prefix), .prefix_valid_i(out_prefix_valid), .err_i(out_err),
      .credit_limit_i(out_limit), .credit_infinite_i(out_infinite));
endmodule
