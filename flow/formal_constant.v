`default_nettype none
// An arbitrary constant for the formal section of a module: what is shown for it is shown for every value.
module formal_constant #(
    // Bits of the value.
    parameter int WIDTH = 1
) (
    input  wire             clk_i,
    // Any value, the same in every cycle.
    output wire [WIDTH-1:0] value_o
);

  logic [WIDTH-1:0] value_q;
  logic [WIDTH-1:0] next;  // driven by nothing: free in every cycle

  assign value_o = value_q;
  always_ff @(posedge clk_i) value_q <= next;
  always_comb assume (next == value_q);

endmodule
`default_nettype wire
