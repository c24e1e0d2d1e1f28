// Block testbench of hdl/tlp: both directions of a link, native agents outside.
// Links: 0 in and 1 out carry requests, 2 in and 3 out completions.
module tlp_link_top #(
    parameter int DATA_W = 256   // 128, 256 or 512
) (
    input  bit clk,
    output bit doorbell
);
  localparam int EmptyW = $clog2(DATA_W / 32);

  bit rst;
  bit link_up;
  bit [63:0] cycle;

  simulation_control control (.clk_i(clk), .rst_o(rst), .link_up_o(link_up), .cycle_o(cycle), .doorbell_o(doorbell));

  for (genvar way = 0; way < 2; way++) begin : g_way
    bit in_valid, in_sop, in_eop, in_prefix_valid, in_err;
    logic in_ready;
    bit [DATA_W-1:0] in_data;
    bit [EmptyW-1:0] in_empty;
    bit [127:0] in_hdr;
    bit [31:0] in_prefix;
    logic [59:0] in_credit_limit;
    logic [5:0] in_credit_infinite;
    logic out_valid, out_sop, out_eop, out_prefix_valid, out_err;
    bit out_ready;
    logic [DATA_W-1:0] out_data;
    logic [EmptyW-1:0] out_empty;
    logic [127:0] out_hdr;
    logic [31:0] out_prefix;
    bit [59:0] out_credit_limit;
    bit [5:0] out_credit_infinite;

    tlp_link_source #(.DATA_W(DATA_W), .LINK(2 * way)) source (
        .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle),
        .valid_o(in_valid), .ready_i(in_ready), .sop_o(in_sop), .eop_o(in_eop), .data_o(in_data), .empty_o(in_empty), .hdr_o(in_hdr),
        .prefix_o(in_prefix), .prefix_valid_o(in_prefix_valid), .err_o(in_err),
        .credit_limit_i(in_credit_limit), .credit_infinite_i(in_credit_infinite));

    tlp_link_way #(.DATA_W(DATA_W), .IN_LINK(2 * way), .OUT_LINK(2 * way + 1)) dut (
        .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle),
        .in_valid(in_valid), .in_ready(in_ready), .in_sop(in_sop), .in_eop(in_eop), .in_data(in_data), .in_empty(in_empty), .in_hdr(in_hdr),
        .in_prefix(in_prefix), .in_prefix_valid(in_prefix_valid), .in_err(in_err), .in_limit(in_credit_limit), .in_infinite(in_credit_infinite),
        .out_valid(out_valid), .out_ready(out_ready), .out_sop(out_sop), .out_eop(out_eop), .out_data(out_data), .out_empty(out_empty), .out_hdr(out_hdr),
        .out_prefix(out_prefix), .out_prefix_valid(out_prefix_valid), .out_err(out_err), .out_limit(out_credit_limit), .out_infinite(out_credit_infinite));

    tlp_link_sink #(.LINK(2 * way + 1)) sink (
        .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .ready_o(out_ready), .credit_limit_o(out_credit_limit),
        .credit_infinite_o(out_credit_infinite));
  end
endmodule
