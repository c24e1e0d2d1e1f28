// A DUT small enough to build in seconds: a free-running counter with a doorbell, the example of the flow's own tests.
// clk is driven from outside (a cocotb Clock). `limit` is written by Python; the planted-fault and assertion tests use the outputs.
`timescale 1ns / 1ps
module counter_top #(
    parameter int WIDTH = 32
) (
    input  bit             clk,
    input  bit             rst,
    input  bit             trip,   // an SVA fires while this is high
    input  bit             halt,   // $stop is called while this is high
    output bit [WIDTH-1:0] count,
    output bit [WIDTH-1:0] unset   // never reset: shows the seed of X-initialisation
);
  bit [WIDTH-1:0] step;
  counter #(.WIDTH(WIDTH)) u_counter (.clk_i(clk), .rst_i(rst), .count_o(count));
  always @(posedge clk) begin
    step <= step + 1;
    if (rst) unset <= unset;
    if (halt) $stop;
  end
  a_trip : assert property (@(posedge clk) !trip) else $error("trip is high");
endmodule
