`default_nettype none
// The record of a walk that ends in success, combinational: rights of both stages, page size, memory type, address.
module iommu_walk_finish (
    // An ATS translation request asks; context_t, walk_t and decision_t (second-stage attributes) of the walk.
    input  wire                                  probe_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]  context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]     walk_i,
    input  wire [iommu_spec_pkg::DECISION_W-1:0] decision_i,
    // Supervisor physical address of `walk_i.guest`.
    input  wire [55:0]                           address_i,

    output wire [iommu_spec_pkg::WALK_W-1:0]     walk_o
);
  `include "iommu_records.vh"

  context_t  device;
  walk_t     walk, done;
  decision_t decision;

  assign device = context_i;
  assign walk = walk_i;
  assign decision = decision_i;

  always_comb begin
    done = walk;
    done.state = iommu_spec_pkg::WALK_DONE;
    done.status = iommu_pkg::RESPONSE_SUCCESS;
    done.record = 1'b0;
    done.cause = 9'd0;
    done.second_r = decision.s_r;
    done.second_w = decision.s_w && decision.s_d;
    done.second_x = decision.s_x;
    done.second_pbmt = decision.s_pbmt;
    done.second_page = decision.s_page;
    done.r = walk.r && decision.s_r;
    done.w = walk.w && walk.d && decision.s_w && decision.s_d;
    done.x = walk.x && decision.s_x;
    done.final_page = device.msi ? iommu_spec_pkg::PAGE_4K : walk.page < decision.s_page ? walk.page : decision.s_page;
    if (walk.pbmt == 2'd0) done.pbmt = decision.s_pbmt;
    // An ATS client of a T2GPA device is given the guest address.
    done.address = probe_i && device.t2gpa ? walk.guest[55:0] : address_i;
  end

  assign walk_o = done;

endmodule
`default_nettype wire
