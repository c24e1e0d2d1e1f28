// What the test of the coverage reader counts on: ways taken a known number of times (tests/flow/test_code_coverage.py).
`default_nettype none
module covered (
    input  wire        clk_i,
    input  wire [7:0]  cycle_i,   // 0, 1, 2, ... stands still at 100
    output reg  [3:0]  taken_o,   // counts the cycles below 5
    output reg  [79:0] wide_o
);
  initial taken_o = 4'd0;
  always @(posedge clk_i) begin
    if (cycle_i < 8'd5) begin
      taken_o <= taken_o + 4'd1;
    end else if (cycle_i == 8'd200) begin
      taken_o <= 4'd15;
    end
    wide_o <= (cycle_i == 8'd7) ? 80'd1 : (cycle_i == 8'd201) ? 80'd2 : 80'd0;
  end
endmodule
`default_nettype wire
