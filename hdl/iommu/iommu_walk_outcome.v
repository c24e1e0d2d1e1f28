`default_nettype none
// The second cycle after the last step of a walk: what a fault is answered with, and whether it is recorded, by its cause. Combinational.
// Source: Fault/Event-Queue (DTF), PCIe ATS translation request handling.
module iommu_walk_outcome (
    // Record of the result (walk_t), of a success, or of a fault with its cause (iommu_walk_conclude.v); for an ATS translation request;
    // faults of the device are not reported (DC.tc.DTF).
    input  wire [iommu_spec_pkg::WALK_W-1:0]  walk_i,
    input  wire                               fault_i,
    input  wire                               probe_i,
    input  wire                               dtf_i,

    output wire [iommu_spec_pkg::WALK_W-1:0]  walk_o
);
  `include "iommu_records.vh"

  walk_t concluded, answered;

  assign concluded = walk_i;

  always_comb begin
    answered = concluded;
    if (fault_i) begin
      answered.status = probe_i && !iommu_spec_pkg::unsupported_request(concluded.cause) ? iommu_pkg::RESPONSE_CA : iommu_pkg::RESPONSE_UR;
      answered.record = !dtf_i || iommu_spec_pkg::reported_despite_dtf(concluded.cause);
      if (probe_i && iommu_spec_pkg::untranslatable(concluded.cause)) begin
        answered.status = iommu_pkg::RESPONSE_SUCCESS;
        answered.record = 1'b0;
      end
    end
  end

  assign walk_o = answered;

endmodule
`default_nettype wire
