`default_nettype none
// One step of a walk: given the record of a walk and the memory response it waited for (or none), the next record and the next
// memory access. Pure and combinational; the order of all checks, and with it the cause that wins, is decided here.
// Source: Process to translate an IOVA (steps 1..15), Process to locate the DC / PC, Sv39..Sv57 and Sv39x4..Sv57x4.
// iommu_walk_event says what the response means, iommu_walk_advance where the walk goes from there.
module iommu_walk_step #(
    // 1: an entry of a last-level first-stage table is read with its line of 64 bytes, whose start is the address of the access.
    parameter int LINE_READS = 1
) (
    // Effective capabilities; fctl.BE; ddtp.iommu_mode and PPN; iommu_qosid as {MCID, RCID}.
    input  wire [63:0]                          capabilities_i,
    input  wire                                 big_endian_i,
    input  wire [3:0]                           ddtp_mode_i,
    input  wire [43:0]                          ddtp_ppn_i,
    input  wire [23:0]                          qos_i,

    // request_t, context_t and walk_t of the walk.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0] request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0] context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]    walk_i,

    // Memory response (states that wait for one).
    input  wire [511:0]                         data_i,
    input  wire [7:0]                           err_i,
    input  wire [7:0]                           poison_i,

    // Context cache: resolved context of the requester.
    input  wire                                 context_hit_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0] context_cached_i,
    // Walk cache: last-level first-stage table of the address (supervisor page number), its second-stage attributes, G so far.
    input  wire                                 table_hit_i,
    input  wire [43:0]                          table_ppn_i,
    input  wire [1:0]                           table_pbmt_i,
    input  wire                                 table_w_i,
    input  wire                                 table_g_i,
    // Second-stage walk cache: it holds something; last-level second-stage table of `walk_i.guest`.
    input  wire                                 second_used_i,
    input  wire                                 second_hit_i,
    input  wire [43:0]                          second_ppn_i,

    output wire [iommu_spec_pkg::CONTEXT_W-1:0] context_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]    walk_o,

    // Memory access of the step: at `walk_o.address`, with a size of 64 at its line.
    output wire                                 access_o,
    output wire                                 access_update_o,   // CAS64 instead of read
    output wire [6:0]                           access_size_o,
    output wire [127:0]                         access_data_o,     // {expected, new}, in memory order
    output wire [1:0]                           access_pbmt_o,
    output wire [23:0]                          access_qos_o,

    // The step takes another one without a memory response; the walk is finished.
    output wire                                 again_o,
    output wire                                 done_o,

    // A resolved context was computed (context_o), to be cached under the requester.
    output wire                                 context_fill_o,
    // A leaf was read in a last-level table at this supervisor page, of the first or of the second stage: to be cached for its
    // neighbours.
    output wire                                 table_fill_o,
    output wire                                 second_fill_o,
    output wire [43:0]                          table_fill_ppn_o,
    // G of the pointers above that table; the leaf's own G is no part of it.
    output wire                                 table_fill_g_o
);
  `include "iommu_records.vh"

  walk_t walk;

  assign walk = walk_i;

  wire [iommu_spec_pkg::CONTEXT_W-1:0]  event_context;
  wire [iommu_spec_pkg::WALK_W-1:0]     event_walk;
  wire [iommu_spec_pkg::DECISION_W-1:0] event_decision;

  iommu_walk_event #(
      .LINE_READS(LINE_READS)
  ) u_event (
      .capabilities_i  (capabilities_i),
      .big_endian_i    (big_endian_i),
      .ddtp_mode_i     (ddtp_mode_i),
      .ddtp_ppn_i      (ddtp_ppn_i),
      .request_i       (request_i),
      .context_i       (context_i),
      .walk_i          (walk_i),
      .data_i          (data_i),
      .err_i           (err_i),
      .poison_i        (poison_i),
      .context_hit_i   (context_hit_i),
      .context_cached_i(context_cached_i),
      .context_o       (event_context),
      .walk_o          (event_walk),
      .decision_o      (event_decision),
      .update_data_o   (access_data_o),
      .table_fill_o    (table_fill_o),
      .second_fill_o   (second_fill_o)
  );

  iommu_walk_advance #(
      .LINE_READS(LINE_READS)
  ) u_advance (
      .capabilities_i (capabilities_i),
      .qos_i          (qos_i),
      .request_i      (request_i),
      .context_i      (event_context),
      .walk_i         (event_walk),
      .decision_i     (event_decision),
      .state_i        (walk.state),
      .table_hit_i    (table_hit_i),
      .table_ppn_i    (table_ppn_i),
      .table_pbmt_i   (table_pbmt_i),
      .table_w_i      (table_w_i),
      .table_g_i      (table_g_i),
      .second_used_i  (second_used_i),
      .second_hit_i   (second_hit_i),
      .second_ppn_i   (second_ppn_i),
      .context_o      (context_o),
      .walk_o         (walk_o),
      .access_o       (access_o),
      .access_update_o(access_update_o),
      .access_size_o  (access_size_o),
      .access_pbmt_o  (access_pbmt_o),
      .access_qos_o   (access_qos_o),
      .again_o        (again_o),
      .done_o         (done_o),
      .context_fill_o (context_fill_o)
  );

  assign table_fill_ppn_o = walk.address[55:12];
  assign table_fill_g_o = walk.g;

endmodule
`default_nettype wire
