// Drives the module whose coverage is known.
`timescale 1ns / 1ps
module covered_top (
    input  bit          clk,
    output logic [3:0]  taken
);
  logic [7:0]  cycle = 8'd0;
  logic [79:0] wide;
  always @(posedge clk) if (cycle != 8'd100) cycle <= cycle + 8'd1;
  covered u_covered (.clk_i(clk), .cycle_i(cycle), .taken_o(taken), .wide_o(wide));
  covered u_again (.clk_i(clk), .cycle_i(cycle), .taken_o(), .wide_o());
endmodule
