// A DUT small enough to build in seconds: a counter and two ways to go wrong, the example of the flow's own tests.
// clk comes from outside: from the fast main, or from a cocotb Clock under the other mains.
`timescale 1ns / 1ps
module counter_top #(
    parameter int WIDTH = 32
) (
    input  bit               clk,
    input  bit               rst,
    input  bit               trip,   // the assertion below fails while this is high
    input  bit               halt,   // $stop is called while this is high
    output logic [WIDTH-1:0] count,
    output logic [WIDTH-1:0] unset   // never reset: follows the seed of X-initialisation
);
  counter #(.WIDTH(WIDTH)) u_counter (.clk_i(clk), .rst_i(rst), .count_o(count));
  always @(posedge clk) begin
    if (rst) unset <= unset;
    if (halt) $stop;
  end
  a_trip : assert property (@(posedge clk) !trip) else $error("trip is high");
endmodule
