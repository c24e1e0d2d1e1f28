// Cycle counter, reset and doorbell of a testbench top; one per top.
module simulation_control #(
    parameter int RESET_CYCLES = 8   // cycles of reset from time zero
) (
    input  bit             clk_i,
    output bit             rst_o,       // active high
    output bit             link_up_o,   // 1 from the second cycle after reset
    output bit [63:0]      cycle_o,     // clock edges seen
    output bit             doorbell_o   // toggles when Python has something to do
);
  import "DPI-C" context function int sluicegate_tick(input longint cycle);

  initial begin
    rst_o = 1'b1;
    link_up_o = 1'b0;
    cycle_o = 64'd1;
    doorbell_o = 1'b0;
  end

  always @(posedge clk_i) begin
    cycle_o <= cycle_o + 64'd1;
    rst_o <= cycle_o < 64'(RESET_CYCLES);
    link_up_o <= cycle_o > 64'(RESET_CYCLES);
    if (sluicegate_tick(cycle_o) != 0) doorbell_o <= ~doorbell_o;
  end
endmodule
