// Counter that the example counts with; kept apart so that a planted fault has a file to change.
`default_nettype none
module counter #(
    parameter WIDTH = 32  // bits of the count
) (
    input  wire             clk_i,
    input  wire             rst_i,   // synchronous, active high
    output reg  [WIDTH-1:0] count_o  // cycles since reset, modulo 2**WIDTH
);
  always @(posedge clk_i) begin
    if (rst_i) count_o <= {WIDTH{1'b0}};
    else count_o <= count_o + 1'b1;
  end
endmodule
`default_nettype wire
