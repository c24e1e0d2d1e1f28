`default_nettype none
// Walks in flight: WALKS slots, each the record of one walk. One step per cycle through iommu_walk_step: a memory response
// first, then a slot that goes on without memory, then a new walk. Every slot has at most one access outstanding or queued, so
// memory responses are always accepted. The access of a step is presented to memory in the next cycle, a result likewise.
module iommu_walker #(
    // Walks in flight, 2 or more.
    parameter int WALKS = 8,
    // Bits of a request's identifier.
    parameter int ID_W = 8,
    // 1: entries of last-level first-stage tables are read by the line, for their neighbours (iommu_neighbour_fill.v).
    parameter int LINE_READS = 1,
    // Derived: bits of a slot number.
    parameter int SLOT_W = $clog2(WALKS)
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // Configuration: effective capabilities, fctl.BE, ddtp, iommu_qosid.
    input  wire [63:0]                                capabilities_i,
    input  wire                                       big_endian_i,
    input  wire [3:0]                                 ddtp_mode_i,
    input  wire [43:0]                                ddtp_ppn_i,
    input  wire [23:0]                                qos_i,

    // New walk. `start_merge_o`: the walks in flight whose result this request may share (then do not start it).
    input  wire                                       start_valid_i,
    output wire                                       start_ready_o,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       start_request_i,
    input  wire [ID_W-1:0]                            start_id_i,
    input  wire                                       start_epoch_i,
    output wire [WALKS-1:0]                           start_merge_o,

    // Result of the oldest finished walk; held until released (slot free) or restarted with another request.
    output wire                                       result_valid_o,
    output wire [SLOT_W-1:0]                          result_slot_o,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       result_request_o,
    output wire [ID_W-1:0]                            result_id_o,
    output wire                                       result_epoch_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       result_context_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]          result_walk_o,
    // An invalidation came while the walk was in flight: answer, but do not cache.
    output wire                                       result_squashed_o,
    input  wire                                       result_release_i,
    input  wire                                       result_restart_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       restart_request_i,
    input  wire [ID_W-1:0]                            restart_id_i,
    input  wire                                       restart_epoch_i,

    // Lookup and fill of the context cache and the walk caches (combinational lookup of `lookup_request_o`, and for the second
    // stage of `lookup_guest_o`).
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       lookup_request_o,
    input  wire                                       context_hit_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       context_i,
    input  wire                                       table_hit_i,
    input  wire [43:0]                                table_ppn_i,
    input  wire [1:0]                                 table_pbmt_i,
    input  wire                                       table_w_i,
    input  wire                                       table_g_i,
    output wire [63:0]                                lookup_guest_o,
    input  wire                                       second_used_i,
    input  wire                                       second_hit_i,
    input  wire [43:0]                                second_ppn_i,
    output wire                                       context_fill_o,
    output wire                                       table_fill_o,
    output wire                                       second_fill_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       fill_context_o,
    output wire [43:0]                                fill_ppn_o,
    output wire [1:0]                                 fill_pbmt_o,
    output wire                                       fill_w_o,
    output wire                                       fill_g_o,

    // The memory response is the line of a last-level first-stage entry, for the walk of this slot; G of the pointers above it.
    output wire                                       line_o,
    output wire [SLOT_W-1:0]                          line_slot_o,
    output wire                                       line_g_o,

    // 1 in a cycle with an invalidation: squashes the fills of every walk in flight.
    input  wire                                       invalidate_i,

    // Memory accesses (docs/interfaces.md section 4); the identifier is the slot.
    output wire                                       mem_req_valid_o,
    input  wire                                       mem_req_ready_i,
    output wire [SLOT_W-1:0]                          mem_req_slot_o,
    output wire [1:0]                                 mem_req_op_o,
    output wire [55:0]                                mem_req_addr_o,
    output wire [6:0]                                 mem_req_size_o,
    output wire [127:0]                               mem_req_wdata_o,
    output wire [23:0]                                mem_req_qos_o,
    output wire [1:0]                                 mem_req_pbmt_o,
    // Records of the walk that presents an access (request_t, context_t, walk_t), for observation.
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       mem_req_request_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       mem_req_context_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]          mem_req_walk_o,
    input  wire                                       mem_rsp_valid_i,
    input  wire [SLOT_W-1:0]                          mem_rsp_slot_i,
    input  wire [511:0]                               mem_rsp_data_i,
    input  wire [7:0]                                 mem_rsp_err_i,
    input  wire [7:0]                                 mem_rsp_poison_i
);
  `include "iommu_records.vh"

  // ---- Slots ----------------------------------------------------------------------------------------------------------------
  logic [WALKS-1:0] busy_d, busy_q;          // holds a walk
  logic [WALKS-1:0] again_d, again_q;        // takes a step without memory
  logic [WALKS-1:0] done_d, done_q;          // result waits
  logic [WALKS-1:0] squashed_d, squashed_q;  // an invalidation came

  logic [iommu_spec_pkg::REQUEST_W-1:0] request_q [0:WALKS-1];
  logic [iommu_spec_pkg::CONTEXT_W-1:0] context_q [0:WALKS-1];
  logic [iommu_spec_pkg::WALK_W-1:0]    walk_q [0:WALKS-1];
  logic [ID_W-1:0]                      id_q [0:WALKS-1];
  logic [WALKS-1:0]                     epoch_q;

  // ---- Choice of the event ----------------------------------------------------------------------------------------------------
  wire [WALKS-1:0]  unused_again_grant;
  wire [SLOT_W-1:0] again_slot;
  wire              take_again = !mem_rsp_valid_i && again_q != '0;
  wire              free = busy_q != '1;
  wire              take_start = start_valid_i && start_ready_o;
  logic [SLOT_W-1:0] free_slot;

  round_robin_arbiter #(
      .REQUESTS(WALKS)
  ) u_again (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .request_i    (again_q),
      .advance_i    (take_again),
      .grant_o      (unused_again_grant),
      .grant_index_o(again_slot)
  );

  always_comb begin
    free_slot = '0;
    for (int i = WALKS - 1; i >= 0; i--) if (!busy_q[i]) free_slot = SLOT_W'(i);
  end

  assign start_ready_o = !mem_rsp_valid_i && again_q == '0 && free;

  wire              starting = !mem_rsp_valid_i && again_q == '0;
  wire [SLOT_W-1:0] slot = mem_rsp_valid_i ? mem_rsp_slot_i : starting ? free_slot : again_slot;
  wire              step = mem_rsp_valid_i || take_again || take_start;
  wire [WALKS-1:0]  step_slot = step ? WALKS'(1) << slot : '0;

  // ---- The step -----------------------------------------------------------------------------------------------------------------
  wire [iommu_spec_pkg::REQUEST_W-1:0] step_request = starting ? start_request_i : request_q[slot];
  wire [iommu_spec_pkg::CONTEXT_W-1:0] step_context;
  wire [iommu_spec_pkg::WALK_W-1:0]    step_walk;
  wire                                 step_access, step_update, step_again, step_done, step_context_fill, step_table_fill;
  wire                                 step_second_fill;
  wire [6:0]                           step_size;
  wire [127:0]                         step_data;
  wire [1:0]                           step_pbmt;
  wire [23:0]                          step_qos;
  wire [iommu_spec_pkg::WALK_W-1:0]    present_walk = starting ? '0 : walk_q[slot];
  walk_t                               present, next;

  iommu_walk_step #(
      .LINE_READS(LINE_READS)
  ) u_step (
      .capabilities_i  (capabilities_i),
      .big_endian_i    (big_endian_i),
      .ddtp_mode_i     (ddtp_mode_i),
      .ddtp_ppn_i      (ddtp_ppn_i),
      .qos_i           (qos_i),
      .request_i       (step_request),
      .context_i       (context_q[slot]),
      .walk_i          (present_walk),
      .data_i          (mem_rsp_data_i),
      .err_i           (mem_rsp_err_i),
      .poison_i        (mem_rsp_poison_i),
      .context_hit_i   (context_hit_i),
      .context_cached_i(context_i),
      .table_hit_i     (table_hit_i),
      .table_ppn_i     (table_ppn_i),
      .table_pbmt_i    (table_pbmt_i),
      .table_w_i       (table_w_i),
      .table_g_i       (table_g_i),
      .second_used_i   (second_used_i),
      .second_hit_i    (second_hit_i),
      .second_ppn_i    (second_ppn_i),
      .context_o       (step_context),
      .walk_o          (step_walk),
      .access_o        (step_access),
      .access_update_o (step_update),
      .access_size_o   (step_size),
      .access_data_o   (step_data),
      .access_pbmt_o   (step_pbmt),
      .access_qos_o    (step_qos),
      .again_o         (step_again),
      .done_o          (step_done),
      .context_fill_o  (step_context_fill),
      .table_fill_o    (step_table_fill),
      .second_fill_o   (step_second_fill),
      .table_fill_ppn_o(fill_ppn_o),
      .table_fill_g_o  (fill_g_o)
  );

  assign present = present_walk;
  assign next = step_walk;

  assign line_o = mem_rsp_valid_i && present.state == iommu_spec_pkg::WALK_FIRST && present.level == 3'd0;
  assign line_slot_o = mem_rsp_slot_i;
  assign line_g_o = present.g;

  // ---- Caches --------------------------------------------------------------------------------------------------------------------
  // A walk that starts in the cycle of an invalidation may still see what that removes: it counts as in flight.
  wire fills = step && (starting || !squashed_q[slot]) && !invalidate_i;

  assign lookup_request_o = step_request;
  assign context_fill_o = fills && step_context_fill;
  assign table_fill_o = fills && step_table_fill;
  assign second_fill_o = fills && step_second_fill;
  assign lookup_guest_o = present.guest;
  assign fill_context_o = step_context;
  assign fill_pbmt_o = next.table_pbmt;
  assign fill_w_o = next.table_w;

  // ---- Merging ---------------------------------------------------------------------------------------------------------------
  request_t start;

  assign start = start_request_i;

  generate
    for (genvar i = 0; i < WALKS; i++) begin : g_merge
      request_t held;
      assign held = request_q[i];
      assign start_merge_o[i] = busy_q[i] && !done_q[i] && !squashed_q[i] && !invalidate_i &&
          start.at == iommu_spec_pkg::AT_UNTRANSLATED && held.at == iommu_spec_pkg::AT_UNTRANSLATED &&
          held.did == start.did && held.pv == start.pv && held.pid == start.pid && held.priv == start.priv &&
          held.iova[63:12] == start.iova[63:12];
    end
  endgenerate

  // ---- Accesses and results -----------------------------------------------------------------------------------------------------
  localparam int ACCESS_W = SLOT_W + 1 + 56 + 7 + 128 + 24 + 2;
  wire [$clog2(WALKS+1)-1:0] unused_access_count, unused_result_count;
  wire                       access_room, result_room;
  wire                       mem_req_update;

  fifo #(
      .WIDTH(ACCESS_W),
      .DEPTH(WALKS)
  ) u_accesses (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (step && step_access),
      .in_ready_o (access_room),
      .in_data_i  ({slot, step_update, next.address[55:6], step_size[6] ? 6'd0 : next.address[5:0], step_size, step_data, step_qos, step_pbmt}),
      .out_valid_o(mem_req_valid_o),
      .out_ready_i(mem_req_ready_i),
      .out_data_o ({mem_req_slot_o, mem_req_update, mem_req_addr_o, mem_req_size_o, mem_req_wdata_o, mem_req_qos_o,
                    mem_req_pbmt_o}),
      .count_o    (unused_access_count)
  );

  assign mem_req_request_o = request_q[mem_req_slot_o];
  assign mem_req_context_o = context_q[mem_req_slot_o];
  assign mem_req_walk_o = walk_q[mem_req_slot_o];
  assign mem_req_op_o = mem_req_update ? iommu_pkg::MEMORY_CAS64 : iommu_pkg::MEMORY_READ;

  wire [SLOT_W-1:0] result_slot;
  wire              result_end = result_release_i || result_restart_i;
  wire [WALKS-1:0]  result_select = WALKS'(1) << result_slot;

  fifo #(
      .WIDTH(SLOT_W),
      .DEPTH(WALKS)
  ) u_results (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (step && step_done),
      .in_ready_o (result_room),
      .in_data_i  (slot),
      .out_valid_o(result_valid_o),
      .out_ready_i(result_end),
      .out_data_o (result_slot),
      .count_o    (unused_result_count)
  );

  assign result_slot_o = result_slot;
  assign result_request_o = request_q[result_slot];
  assign result_id_o = id_q[result_slot];
  assign result_epoch_o = epoch_q[result_slot];
  assign result_context_o = context_q[result_slot];
  assign result_walk_o = walk_q[result_slot];
  assign result_squashed_o = squashed_q[result_slot];

  // ---- Next state ------------------------------------------------------------------------------------------------------------
  always_comb begin
    busy_d = busy_q | (take_start ? step_slot : '0);
    again_d = (again_q & ~step_slot) | (step_again ? step_slot : '0);
    done_d = done_q | (step_done ? step_slot : '0);
    squashed_d = squashed_q & ~(take_start ? step_slot : '0);
    if (invalidate_i) squashed_d = squashed_d | busy_q | (take_start ? step_slot : '0);
    if (result_end) begin
      done_d = done_d & ~result_select;
      if (result_release_i) busy_d = busy_d & ~result_select;
      else begin
        again_d = again_d | result_select;
        if (!invalidate_i) squashed_d = squashed_d & ~result_select;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    busy_q <= busy_d;
    again_q <= again_d;
    done_q <= done_d;
    squashed_q <= squashed_d;
    if (rst_i) begin
      busy_q <= '0;
      again_q <= '0;
      done_q <= '0;
      squashed_q <= '0;
    end
  end

  generate
    for (genvar i = 0; i < WALKS; i++) begin : g_slot
      wire restarted = result_restart_i && result_select[i];

      always_ff @(posedge clk_i) begin
        if (restarted) begin
          request_q[i] <= restart_request_i;
          id_q[i] <= restart_id_i;
          epoch_q[i] <= restart_epoch_i;
          walk_q[i] <= '0;
        end else if (step_slot[i]) begin
          if (starting) begin
            request_q[i] <= start_request_i;
            id_q[i] <= start_id_i;
            epoch_q[i] <= start_epoch_i;
          end
          context_q[i] <= step_context;
          walk_q[i] <= step_walk;
        end
      end
    end
  endgenerate

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!(step && step_access) || access_room) else $error("iommu_walker: access queue overflow");
      assert (!(step && step_done) || result_room) else $error("iommu_walker: result queue overflow");
      assert (!mem_rsp_valid_i || (busy_q[mem_rsp_slot_i] && !done_q[mem_rsp_slot_i] && !again_q[mem_rsp_slot_i]))
      else $error("iommu_walker: memory response for a slot that waits for none");
      assert (!step || $countones({step_access, step_again, step_done}) == 1)
      else $error("iommu_walker: a step must access memory, go on, or finish");
    end
  end
`endif

endmodule
`default_nettype wire
