`default_nettype none
// The two cycles of a step, one in each at a time: iommu_walk_find finds out about a memory response, or about a request and the caches;
// iommu_walk_advance says where the walk goes. What the step has read goes into the caches in the third.
module iommu_walk_step #(
    // 1: an entry of a last-level first-stage table is read with its line of 64 bytes.
    parameter int LINE_READS = 1,
    // Entries of the caches (iommu_walk_caches.v).
    parameter int CONTEXTS = 8,
    parameter int TABLES = 16,
    parameter int SECOND_TABLES = 16,
    parameter int SECOND_LEAVES = 8
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // Configuration: effective capabilities, fctl.BE, ddtp, iommu_qosid.
    input  wire [63:0]                                capabilities_i,
    input  wire                                       big_endian_i,
    input  wire [3:0]                                 ddtp_mode_i,
    input  wire [43:0]                                ddtp_ppn_i,
    input  wire [23:0]                                qos_i,

    // First cycle (iommu_walk_find.v): memory response, the slot that is fetched next, the request that may start (it is `start_next_i`
    // from the cycle after `start_load_i` on, and is presented if `start_i`), and whether the step that is in its second cycle looks on
    // instead, with the number of its interrupt file.
    input  wire                                       response_i,
    input  wire [511:0]                               response_data_i,
    input  wire [7:0]                                 response_err_i,
    input  wire [7:0]                                 response_poison_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       kept_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       kept_context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]          kept_walk_i,
    output wire                                       response_looks_o,
    output wire                                       line_o,
    output wire                                       line_g_o,
    input  wire                                       pick_load_i,
    input  wire                                       pick_fresh_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       pick_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       pick_context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]          pick_walk_i,
    input  wire                                       pick_i,
    input  wire                                       pick_index_i,
    input  wire                                       start_load_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       start_next_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       start_request_i,
    input  wire                                       start_i,
    input  wire                                       look_i,
    input  wire                                       outside_i,
    input  wire [51:0]                                msi_index_i,
    output wire [3:0]                                 look_kind_o,

    // Second cycle: request (request_t), context (context_t) and findings (finding_t).
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       request_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       context_o,
    output wire [iommu_spec_pkg::FINDING_W-1:0]       finding_o,
    // What iommu_walk_advance makes of it: context and record after the step, the access, the end with its record.
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       context_after_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]          walk_after_o,
    output wire                                       access_o,
    output wire                                       access_update_o,
    output wire [55:0]                                access_address_o,
    output wire [6:0]                                 access_size_o,
    output wire [127:0]                               access_data_o,
    output wire [1:0]                                 access_pbmt_o,
    output wire [23:0]                                access_qos_o,
    output wire                                       again_o,
    output wire                                       index_o,
    output wire [4:0]                                 end_o,
    output wire                                       ends_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]          ended_walk_o,

    // The step counts, and its walk may fill the caches; an invalidation (invalidation_t) stops the fills of the cycle before as well.
    input  wire                                       fills_i,
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i,
    // Third cycle: request and context of the step as it left them.
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       last_request_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       last_context_o
);
  `include "iommu_records.vh"

  wire [iommu_spec_pkg::WALK_W-1:0] walk_read;
  walk_t    walk;
  finding_t found;

  assign walk = walk_read;
  assign found = finding_o;

  // ---- First cycle ------------------------------------------------------------------------------------------------------------
  wire [iommu_spec_pkg::REQUEST_W-1:0]      next_again;
  wire [15:0]                               next_gscid;
  wire [iommu_spec_pkg::CONTEXT_W-1:0]      lookup_context, cached_context;
  wire                                      context_hit, table_hit, table_w, table_g, second_used, second_hit, leaf_hit;
  wire [9:0]                                table_other;
  wire [43:0]                               table_ppn, second_ppn, cached_leaf_ppn;
  wire [1:0]                                table_pbmt;
  wire [3:0]                                leaf_rights;
  wire [iommu_spec_pkg::SECOND_LEAF_W-1:0]  cached_leaf;

  iommu_walk_find u_find (
      .clk_i            (clk_i),
      .capabilities_i   (capabilities_i),
      .big_endian_i     (big_endian_i),
      .ddtp_mode_i      (ddtp_mode_i),
      .ddtp_ppn_i       (ddtp_ppn_i),
      .response_i       (response_i),
      .response_data_i  (response_data_i),
      .response_err_i   (response_err_i),
      .response_poison_i(response_poison_i),
      .kept_request_i   (kept_request_i),
      .kept_context_i   (kept_context_i),
      .kept_walk_i      (kept_walk_i),
      .response_looks_o (response_looks_o),
      .line_o           (line_o),
      .line_g_o         (line_g_o),
      .pick_load_i      (pick_load_i),
      .pick_fresh_i     (pick_fresh_i),
      .pick_request_i   (pick_request_i),
      .pick_context_i   (pick_context_i),
      .pick_walk_i      (pick_walk_i),
      .pick_i           (pick_i),
      .pick_index_i     (pick_index_i),
      .start_request_i  (start_request_i),
      .look_i           (look_i),
      .outside_i        (outside_i),
      .step_context_i   (context_after_o),
      .step_walk_i      (walk_after_o),
      .msi_index_i      (msi_index_i),
      .look_kind_o      (look_kind_o),
      .next_again_o     (next_again),
      .next_gscid_o     (next_gscid),
      .lookup_context_o (lookup_context),
      .context_hit_i    (context_hit),
      .context_i        (cached_context),
      .leaf_rights_o    (leaf_rights),
      .leaf_hit_i       (leaf_hit),
      .leaf_i           (cached_leaf),
      .leaf_ppn_i       (cached_leaf_ppn),
      .request_o        (request_o),
      .context_o        (context_o),
      .walk_o           (walk_read),
      .finding_o        (finding_o)
  );

  // What goes into them: of the step in its second cycle, and of the one in its third.
  wire         context_fill, table_fill, second_fill, leaf_fill;
  logic        context_fill_q, table_fill_q, second_fill_q, leaf_fill_q, fill_g_q, fill_w_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0] fill_request_q;
  logic [iommu_spec_pkg::CONTEXT_W-1:0] fill_context_q;
  logic [63:0] fill_guest_q;
  logic [43:0] fill_ppn_q;
  logic [1:0]  fill_pbmt_q;
  wire  [iommu_spec_pkg::SECOND_LEAF_W-1:0] leaf;
  logic [iommu_spec_pkg::SECOND_LEAF_W-1:0] fill_leaf_q;
  // {a leaf, a table of the second stage, one of the first stage, a context} is filled in this cycle.
  wire  [3:0]  fill = {leaf_fill_q, second_fill_q, table_fill_q, context_fill_q} & {4{!invalidate_i}};

  iommu_walk_caches #(
      .CONTEXTS     (CONTEXTS),
      .TABLES       (TABLES),
      .SECOND_TABLES(SECOND_TABLES),
      .SECOND_LEAVES(SECOND_LEAVES)
  ) u_caches (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .start_load_i    (start_load_i),
      .start_next_i    (start_next_i),
      .start_request_i (start_request_i),
      .start_i         (start_i),
      .next_again_i    (next_again),
      .next_gscid_i    (next_gscid),
      .lookup_start_i  (outside_i),
      .context_hit_o   (context_hit),
      .context_o       (cached_context),
      .lookup_context_i(lookup_context),
      .table_hit_o     (table_hit),
      .table_other_o   (table_other),
      .table_ppn_o     (table_ppn),
      .table_pbmt_o    (table_pbmt),
      .table_w_o       (table_w),
      .table_g_o       (table_g),
      .lookup_guest_i  (found.target),
      .second_used_o   (second_used),
      .second_hit_o    (second_hit),
      .second_ppn_o    (second_ppn),
      .leaf_rights_i   (leaf_rights),
      .leaf_hit_o      (leaf_hit),
      .leaf_o          (cached_leaf),
      .leaf_ppn_o      (cached_leaf_ppn),
      .coming_request_i(request_o),
      .coming_context_i(context_o),
      .coming_guest_i  (walk.guest),
      .coming_page_i   (found.page),
      .context_fill_i  (fill[0]),
      .table_fill_i    (fill[1]),
      .second_fill_i   (fill[2]),
      .leaf_fill_i     (fill[3]),
      .fill_request_i  (fill_request_q),
      .fill_guest_i    (fill_guest_q),
      .fill_context_i  (fill_context_q),
      .fill_ppn_i      (fill_ppn_q),
      .fill_pbmt_i     (fill_pbmt_q),
      .fill_w_i        (fill_w_q),
      .fill_g_i        (fill_g_q),
      .fill_leaf_i     (fill_leaf_q),
      .invalidate_i    (invalidate_i),
      .invalidation_i  (invalidation_i)
  );

  // ---- Second cycle -----------------------------------------------------------------------------------------------------------
  // What the caches of tables answered in the first one; page number bits beyond the physical address size (capabilities_i is static).
  logic        table_hit_q, table_w_q, table_g_q, second_used_q, second_hit_q;
  logic [9:0]  table_other_q;
  logic [43:0] table_ppn_q, second_ppn_q;
  logic [1:0]  table_pbmt_q;
  logic [43:0] beyond_q;

  iommu_walk_advance #(
      .LINE_READS(LINE_READS)
  ) u_advance (
      .capabilities_i  (capabilities_i),
      .big_endian_i    (big_endian_i),
      .qos_i           (qos_i),
      .beyond_i        (beyond_q),
      .request_i       (request_o),
      .context_i       (context_o),
      .walk_i          (walk_read),
      .finding_i       (finding_o),
      .table_hit_i     (table_hit_q && table_other_q == '0),
      .table_ppn_i     (table_ppn_q),
      .table_pbmt_i    (table_pbmt_q),
      .table_w_i       (table_w_q),
      .table_g_i       (table_g_q),
      .second_used_i   (second_used_q),
      .second_hit_i    (second_hit_q),
      .second_ppn_i    (second_ppn_q),
      .context_o       (context_after_o),
      .walk_o          (walk_after_o),
      .access_o        (access_o),
      .access_update_o (access_update_o),
      .access_address_o(access_address_o),
      .access_size_o   (access_size_o),
      .access_data_o   (access_data_o),
      .access_pbmt_o   (access_pbmt_o),
      .access_qos_o    (access_qos_o),
      .again_o         (again_o),
      .index_o         (index_o),
      .end_o           (end_o),
      .ends_o          (ends_o),
      .ended_walk_o    (ended_walk_o),
      .context_fill_o  (context_fill),
      .table_fill_o    (table_fill),
      .second_fill_o   (second_fill),
      .leaf_fill_o     (leaf_fill),
      .leaf_o          (leaf)
  );

  always_ff @(posedge clk_i) begin
    beyond_q <= iommu_spec_pkg::page_bits_beyond(capabilities_i);
    table_hit_q <= table_hit;
    table_other_q <= table_other;
    table_ppn_q <= table_ppn;
    table_pbmt_q <= table_pbmt;
    table_w_q <= table_w;
    table_g_q <= table_g;
    second_used_q <= second_used;
    second_hit_q <= second_hit;
    second_ppn_q <= second_ppn;
    context_fill_q <= fills_i && context_fill;
    table_fill_q <= fills_i && table_fill;
    second_fill_q <= fills_i && second_fill;
    leaf_fill_q <= fills_i && leaf_fill;
    fill_leaf_q <= leaf;
    fill_request_q <= request_o;
    fill_context_q <= context_after_o;
    fill_guest_q <= walk.guest;
    // The table that was read, and G of the pointers above it; the leaf's own G is no part of it.
    fill_ppn_q <= walk.address[55:12];
    fill_g_q <= walk.g;
    fill_pbmt_q <= walk.table_pbmt;
    fill_w_q <= walk.table_w;
    if (rst_i) begin
      context_fill_q <= 1'b0;
      table_fill_q <= 1'b0;
      second_fill_q <= 1'b0;
      leaf_fill_q <= 1'b0;
    end
  end

  assign last_request_o = fill_request_q;
  assign last_context_o = fill_context_q;

endmodule
`default_nettype wire
