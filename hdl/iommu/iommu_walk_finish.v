`default_nettype none
// The record of a walk that ends in success, combinational: rights of both stages, page size, memory type, address.
module iommu_walk_finish (
    // An ATS translation request asks; context_t and walk_t of the walk; the second stage's leaf is `walk_i.entry`, of size code
    // `page_i`, D with what an update set: `dirty_i`; or the entry of the MSI page table was read; else the second stage is Bare.
    input  wire                                  probe_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]  context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]     walk_i,
    input  wire                                  second_i,
    input  wire                                  msi_i,
    input  wire                                  mrif_i,
    input  wire [2:0]                            page_i,
    input  wire                                  dirty_i,
    // Supervisor physical address of `walk_i.guest`.
    input  wire [55:0]                           address_i,

    output wire [iommu_spec_pkg::WALK_W-1:0]     walk_o
);
  `include "iommu_records.vh"

  context_t device;
  walk_t    walk, done;

  assign device = context_i;
  assign walk = walk_i;

  wire       second_r = second_i ? walk.entry[1] : 1'b1;
  wire       second_w = second_i ? walk.entry[2] && dirty_i : 1'b1;
  wire       second_x = second_i ? walk.entry[3] : !msi_i;
  wire [1:0] second_pbmt = second_i ? walk.entry[62:61] : 2'd0;
  wire [2:0] second_page = second_i ? page_i : msi_i ? iommu_spec_pkg::PAGE_4K : iommu_spec_pkg::PAGE_NONE;

  always_comb begin
    done = walk;
    done.state = iommu_spec_pkg::WALK_DONE;
    done.status = iommu_pkg::RESPONSE_SUCCESS;
    done.record = 1'b0;
    done.cause = 9'd0;
    done.msi = msi_i;
    done.mrif = msi_i && mrif_i;
    done.second_r = second_r;
    done.second_w = second_w;
    done.second_x = second_x;
    done.second_pbmt = second_pbmt;
    done.second_page = second_page;
    done.r = walk.r && second_r;
    done.w = walk.w && walk.d && second_w;
    done.x = walk.x && second_x;
    done.final_page = device.msi ? iommu_spec_pkg::PAGE_4K : walk.page < second_page ? walk.page : second_page;
    if (walk.pbmt == 2'd0) done.pbmt = second_pbmt;
    // An ATS client of a T2GPA device is given the guest address.
    done.address = probe_i && device.t2gpa ? walk.guest[55:0] : address_i;
  end

  assign walk_o = done;

endmodule
`default_nettype wire
