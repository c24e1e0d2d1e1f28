// Receiver side of a TLP link: grants the credits of the native sink `LINK` and stalls at random. The monitor of the same link
// delivers what arrives.
module tlp_link_sink #(
    parameter int LINK = 0   // link number in the event log
) (
    input  bit         clk_i,
    input  bit         rst_i,
    input  bit [63:0]  cycle_i,
    output bit         ready_o,
    output bit [59:0]  credit_limit_o,
    output bit [5:0]   credit_infinite_o
);
  import "DPI-C" context function int sluicegate_sink(input longint cycle, input int link, output bit [59:0] credit_limit, output int credit_infinite);

  bit [59:0] limit;
  int infinite;
  int ready;

  always @(posedge clk_i) begin
    ready = sluicegate_sink(cycle_i, LINK, limit, infinite);
    ready_o <= !rst_i && ready != 0;
    credit_limit_o <= limit;
    credit_infinite_o <= infinite[5:0];
  end
endmodule
