// Logs where each translation request was found, by the statistics strobes of the IOMMU (docs/interfaces.md section 6): requests
// leave the IOTLBs in the order in which they came, so the n-th strobe belongs to the n-th request.
module translation_lookup_monitor (
    input bit        clk_i,
    input logic      rst_i,
    input bit [63:0] cycle_i,
    input logic      l1_hit_i,
    input logic      l2_hit_i,
    input logic      miss_i
);
  import "DPI-C" context function void sluicegate_lookup(input longint cycle, input int outcome);

  always @(posedge clk_i) begin
    if (!rst_i && (l1_hit_i || l2_hit_i || miss_i)) sluicegate_lookup(cycle_i, l1_hit_i ? 1 : l2_hit_i ? 2 : 3);
  end
endmodule
