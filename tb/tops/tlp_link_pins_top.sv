// Block testbench of hdl/tlp at its pins: one direction, link 0 in and 1 out. The sender and the receiver are bus functional models in
// Python (tb/link) on the ports of this module; the monitors are the native ones, so its log compares with that of tlp_link_top.
module tlp_link_pins_top #(
    parameter int DATA_W  = 256,   // 128, 256 or 512
    parameter int EMPTY_W = $clog2(DATA_W / 32)   // derived: bits of `empty`
) (
    input  bit                 clk,
    output bit                 doorbell,
    output bit                 rst,
    output bit                 link_up,
    // link in, driven by PinTlpSource
    input  bit                 in_valid,
    output bit                 in_ready,
    input  bit                 in_sop,
    input  bit                 in_eop,
    input  bit [DATA_W-1:0]    in_data,
    input  bit [EMPTY_W-1:0]   in_empty,
    input  bit [127:0]         in_hdr,
    input  bit [31:0]          in_prefix,
    input  bit                 in_prefix_valid,
    input  bit                 in_err,
    output bit [59:0]          in_credit_limit,
    output bit [5:0]           in_credit_infinite,
    // link out, driven by PinTlpSink
    output bit                 out_valid,
    input  bit                 out_ready,
    output bit                 out_sop,
    output bit                 out_eop,
    output bit [DATA_W-1:0]    out_data,
    output bit [EMPTY_W-1:0]   out_empty,
    output bit [127:0]         out_hdr,
    output bit [31:0]          out_prefix,
    output bit                 out_prefix_valid,
    output bit                 out_err,
    input  bit [59:0]          out_credit_limit,
    input  bit [5:0]           out_credit_infinite
);
  bit [63:0] cycle;

  simulation_control control (.clk_i(clk), .rst_o(rst), .link_up_o(link_up), .cycle_o(cycle), .doorbell_o(doorbell));

  tlp_link_way #(.DATA_W(DATA_W)) dut (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle),
      .in_valid(in_valid), .in_ready(in_ready), .in_sop(in_sop), .in_eop(in_eop), .in_data(in_data), .in_empty(in_empty), .in_hdr(in_hdr),
      .in_prefix(in_prefix), .in_prefix_valid(in_prefix_valid), .in_err(in_err), .in_limit(in_credit_limit), .in_infinite(in_credit_infinite),
      .out_valid(out_valid), .out_ready(out_ready), .out_sop(out_sop), .out_eop(out_eop), .out_data(out_data), .out_empty(out_empty), .out_hdr(out_hdr),
      .out_prefix(out_prefix), .out_prefix_valid(out_prefix_valid), .out_err(out_err), .out_limit(out_credit_limit), .out_infinite(out_credit_infinite));
endmodule
