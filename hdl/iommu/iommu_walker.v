`default_nettype none
// Walks in flight: WALKS slots, each the record of one walk. One step begins per cycle: for a memory response first, then for a
// slot that goes on without memory, then for a new walk. Every slot has at most one access outstanding or queued, so memory
// responses are always accepted. A step takes two cycles: in the first, iommu_walk_event says what the response means while the
// caches are looked up; in the second, iommu_walk_advance says where the walk goes, and its access or result is presented.
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
    // One of them may end in this cycle: neither start nor share.
    output wire                                       start_hold_o,

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

    // Lookup and fill of the context cache and the walk caches (combinational lookup of `lookup_request_o`, for the walk caches under
    // `lookup_context_o`, and for the second stage of `lookup_guest_o`; fill one cycle later under `fill_request_o` and `fill_guest_o`).
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       lookup_request_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       lookup_context_o,
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
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_o,
    output wire [63:0]                                fill_guest_o,
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
    // A walk asked for an access in the cycle before: its slot and records (request_t, context_t, walk_t), for observation.
    output wire                                       access_valid_o,
    output wire [SLOT_W-1:0]                          access_slot_o,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       access_request_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       access_context_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]          access_walk_o,
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
  logic [WALKS-1:0] fresh_d, fresh_q;        // restarted: its walk_q is not of this request
  logic [WALKS-1:0] done_d, done_q;          // result waits
  logic [WALKS-1:0] squashed_d, squashed_q;  // an invalidation came

  logic [iommu_spec_pkg::REQUEST_W-1:0] request_q [0:WALKS-1];
  logic [iommu_spec_pkg::CONTEXT_W-1:0] context_q [0:WALKS-1];
  logic [iommu_spec_pkg::WALK_W-1:0]    walk_q [0:WALKS-1];
  logic [ID_W-1:0]                      id_q [0:WALKS-1];
  logic [WALKS-1:0]                     epoch_q;

  // The step in its second stage: what the first one found, and what the caches answered it.
  logic                                  advance_d, advance_q;
  logic [SLOT_W-1:0]                     advance_slot_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0]  advance_request_q;
  logic [iommu_spec_pkg::CONTEXT_W-1:0]  advance_context_q;
  logic [iommu_spec_pkg::WALK_W-1:0]     advance_walk_q;
  logic [iommu_spec_pkg::DECISION_W-1:0] advance_decision_q;
  logic [3:0]                            advance_state_q;
  logic [127:0]                          advance_update_q;
  logic                                  table_fill_q, second_fill_q, fill_g_q;
  logic [43:0]                           fill_ppn_q;
  logic                                  table_hit_q, table_w_q, table_g_q, second_used_q, second_hit_q;
  logic [43:0]                           table_ppn_q, second_ppn_q;
  logic [1:0]                            table_pbmt_q;
  // It ends in success, whatever the caches say: the result is known early.
  logic                                  ends_q;
  // Address bits beyond the physical address size (capabilities_i is static).
  logic [55:0]                           beyond_d, beyond_q;
  // It will step again, or may have to (then `step_again` says so): the next first stage takes it if nothing else is there.
  logic                                  look_q;

  // ---- Choice of the event ----------------------------------------------------------------------------------------------------
  wire [WALKS-1:0]  unused_again_grant;
  wire [SLOT_W-1:0] again_slot;
  wire              looking = advance_q && look_q;
  wire              take_again = !mem_rsp_valid_i && again_q != '0;
  wire              take_look = !mem_rsp_valid_i && again_q == '0 && looking;
  wire              free = busy_q != '1;
  wire              starting = !mem_rsp_valid_i && again_q == '0 && !looking;
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

  assign start_ready_o = starting && free;

  wire [SLOT_W-1:0] kept_slot = mem_rsp_valid_i ? mem_rsp_slot_i : again_slot;
  wire [SLOT_W-1:0] slot = starting ? free_slot : take_look ? advance_slot_q : kept_slot;
  wire [WALKS-1:0]  start_slot = take_start ? WALKS'(1) << free_slot : '0;

  // ---- First stage: the event -------------------------------------------------------------------------------------------------
  wire [51:0]                          msi_index;
  walk_t                               kept, look, present;
  context_t                            event_known;
  decision_t                           event_decision, advance_decision;
  wire [iommu_spec_pkg::REQUEST_W-1:0]  step_request = starting ? start_request_i : take_look ? advance_request_q : request_q[kept_slot];
  wire [iommu_spec_pkg::CONTEXT_W-1:0]  present_context = take_look ? advance_context_q : context_q[kept_slot];
  wire [iommu_spec_pkg::WALK_W-1:0]     present_walk = present;
  wire [iommu_spec_pkg::CONTEXT_W-1:0]  event_context;
  wire [iommu_spec_pkg::WALK_W-1:0]     event_walk;
  wire [iommu_spec_pkg::DECISION_W-1:0] event_meaning;
  wire [127:0]                          event_update;
  wire                                  event_table_fill, event_second_fill;

  assign advance_decision = advance_decision_q;
  assign kept = walk_q[kept_slot];

  always_comb begin
    // What the second stage makes of the walk when it steps again: a look at the guest address, unless the event says more.
    look = advance_walk_q;
    if (!advance_decision.again) begin
      look.state = iommu_spec_pkg::WALK_GUEST;
      if (advance_decision.guest) look.purpose = iommu_spec_pkg::PURPOSE_REQUEST;
    end
    if (starting) present = '0;
    else if (take_look) present = look;
    else if (!mem_rsp_valid_i && fresh_q[again_slot]) present = '0;
    else present = kept;
  end

  iommu_walk_event #(
      .LINE_READS(LINE_READS)
  ) u_event (
      .capabilities_i  (capabilities_i),
      .big_endian_i    (big_endian_i),
      .ddtp_mode_i     (ddtp_mode_i),
      .ddtp_ppn_i      (ddtp_ppn_i),
      .request_i       (step_request),
      .context_i       (present_context),
      .walk_i          (present_walk),
      .data_i          (mem_rsp_data_i),
      .err_i           (mem_rsp_err_i),
      .poison_i        (mem_rsp_poison_i),
      .msi_index_i     (msi_index),
      .context_hit_i   (context_hit_i),
      .context_cached_i(context_i),
      .context_o       (event_context),
      .walk_o          (event_walk),
      .decision_o      (event_meaning),
      .update_data_o   (event_update),
      .table_fill_o    (event_table_fill),
      .second_fill_o   (event_second_fill)
  );

  assign event_known = event_context;
  assign event_decision = event_meaning;
  assign lookup_request_o = step_request;
  assign lookup_context_o = present.state == iommu_spec_pkg::WALK_START ? context_i : present_context;
  assign lookup_guest_o = present.guest;

  wire event_look = event_decision.again ||
      ((event_decision.guest || event_decision.second) && present.state != iommu_spec_pkg::WALK_GUEST &&
       (event_known.msi || event_known.second_mode != 4'd0));

  wire event_ends = (event_decision.arrive && present.purpose == iommu_spec_pkg::PURPOSE_REQUEST) ||
      (event_decision.guest && !event_known.msi && event_known.second_mode == 4'd0);

  // ---- Second stage: the advance ----------------------------------------------------------------------------------------------
  wire [iommu_spec_pkg::CONTEXT_W-1:0] step_context;
  wire [iommu_spec_pkg::WALK_W-1:0]    step_walk;
  wire                                 advance_access, step_update, advance_again, advance_index, advance_done, step_context_fill;
  wire [6:0]                           step_size;
  wire [1:0]                           step_pbmt;
  wire [23:0]                          step_qos;
  walk_t                               advanced, next, kept_next;

  iommu_walk_advance #(
      .LINE_READS(LINE_READS)
  ) u_advance (
      .capabilities_i (capabilities_i),
      .qos_i          (qos_i),
      .request_i      (advance_request_q),
      .context_i      (advance_context_q),
      .walk_i         (advance_walk_q),
      .decision_i     (advance_decision_q),
      .state_i        (advance_state_q),
      .beyond_i       (beyond_q),
      .table_hit_i    (table_hit_q),
      .table_ppn_i    (table_ppn_q),
      .table_pbmt_i   (table_pbmt_q),
      .table_w_i      (table_w_q),
      .table_g_i      (table_g_q),
      .second_used_i  (second_used_q),
      .second_hit_i   (second_hit_q),
      .second_ppn_i   (second_ppn_q),
      .context_o      (step_context),
      .walk_o         (step_walk),
      .access_o       (advance_access),
      .access_update_o(step_update),
      .access_size_o  (step_size),
      .access_pbmt_o  (step_pbmt),
      .access_qos_o   (step_qos),
      .again_o        (advance_again),
      .index_o        (advance_index),
      .done_o         (advance_done),
      .context_fill_o (step_context_fill)
  );

  assign advanced = advance_walk_q;
  assign next = step_walk;

  assign line_o = mem_rsp_valid_i && present.state == iommu_spec_pkg::WALK_FIRST && present.level == 3'd0;
  assign line_slot_o = mem_rsp_slot_i;
  assign line_g_o = present.g;

  wire             step_access = advance_q && advance_access;
  wire             step_again = advance_q && advance_again;
  wire             step_index = advance_q && advance_index;
  wire             step_done = advance_q && advance_done;
  wire [WALKS-1:0] step_slot = WALKS'(1) << advance_slot_q;

  assign advance_d = mem_rsp_valid_i || take_again || (take_look && step_again) || take_start;

  // ---- Interrupt file numbers: one at a time; who finds the unit busy looks again when it is free --------------------------------
  logic [WALKS-1:0]  refused_d, refused_q;
  logic [SLOT_W-1:0] index_slot_q;
  wire               index_busy, index_done;
  wire               index_taken = take_again && index_done && again_slot == index_slot_q;
  // 1 from the cycle after the number is known until its walk goes on with it.
  logic              index_called_d, index_called_q;
  wire [WALKS-1:0]   index_call = index_done && !index_called_q ? WALKS'(1) << index_slot_q : '0;
  wire [WALKS-1:0]   recalled = !index_busy ? refused_q : '0;
  context_t          advance_context;

  assign advance_context = advance_context_q;

  iommu_msi_index u_msi_index (
      .clk_i    (clk_i),
      .rst_i    (rst_i),
      .start_i  (step_index),
      .page_i   (advanced.guest[63:12]),
      .mask_i   (advance_context.msi_mask & iommu_spec_pkg::guest_page_bits(capabilities_i)),
      .busy_o   (index_busy),
      .done_o   (index_done),
      .index_o  (msi_index),
      .release_i(index_taken)
  );

  // ---- Fills of the caches ------------------------------------------------------------------------------------------------------
  // A walk that starts in the cycle of an invalidation may still see what that removes: it counts as in flight.
  wire fills = advance_q && !squashed_q[advance_slot_q] && !invalidate_i;

  assign context_fill_o = fills && step_context_fill;
  assign table_fill_o = fills && table_fill_q;
  assign second_fill_o = fills && second_fill_q;
  assign fill_request_o = advance_request_q;
  assign fill_guest_o = advanced.guest;
  assign fill_context_o = step_context;
  assign fill_ppn_o = fill_ppn_q;
  assign fill_g_o = fill_g_q;
  assign fill_pbmt_o = advanced.table_pbmt;
  assign fill_w_o = advanced.table_w;

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

  assign start_hold_o = advance_q && start_merge_o[advance_slot_q];

  // ---- Accesses and results: presented at once where none waits ------------------------------------------------------------------
  localparam int ACCESS_W = SLOT_W + 1 + 56 + 7 + 128 + 24 + 2;
  wire [$clog2(WALKS+1)-1:0] unused_access_count, unused_result_count;
  wire                       access_room, result_room, access_waits, result_waits;
  wire                       mem_req_update;
  wire [ACCESS_W-1:0]        access_head;
  // A line is read from its start.
  wire [55:0]                access_address = {next.address[55:6], step_size[6] ? 6'd0 : next.address[5:0]};
  wire [ACCESS_W-1:0]        access = {advance_slot_q, step_update, access_address, step_size, advance_update_q, step_qos, step_pbmt};

  fifo #(
      .WIDTH(ACCESS_W),
      .DEPTH(WALKS)
  ) u_accesses (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (step_access && (access_waits || !mem_req_ready_i)),
      .in_ready_o (access_room),
      .in_data_i  (access),
      .out_valid_o(access_waits),
      .out_ready_i(mem_req_ready_i),
      .out_data_o (access_head),
      .count_o    (unused_access_count)
  );

  assign mem_req_valid_o = access_waits || step_access;
  assign {mem_req_slot_o, mem_req_update, mem_req_addr_o, mem_req_size_o, mem_req_wdata_o, mem_req_qos_o, mem_req_pbmt_o} =
      access_waits ? access_head : access;
  assign mem_req_op_o = mem_req_update ? iommu_pkg::MEMORY_CAS64 : iommu_pkg::MEMORY_READ;

  logic                                 observed_q;
  logic [SLOT_W-1:0]                    observed_slot_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0] observed_request_q;
  logic [iommu_spec_pkg::CONTEXT_W-1:0] observed_context_q;
  logic [iommu_spec_pkg::WALK_W-1:0]    observed_walk_q;

  assign access_valid_o = observed_q;
  assign access_slot_o = observed_slot_q;
  assign access_request_o = observed_request_q;
  assign access_context_o = observed_context_q;
  assign access_walk_o = observed_walk_q;

  // A result that waits is answered from its slot; one that is known early at once; any other one in the next cycle.
  wire [iommu_spec_pkg::WALK_W-1:0] ended_walk;
  wire                              step_ends = advance_q && ends_q;
  wire                              unused_exec, unused_read, unused_write, advance_probe;
  wire [8:0]                        unused_access_cause, unused_page_cause, unused_guest_cause;

  iommu_access_kind u_access_kind (
      .request_i     (advance_request_q),
      .exec_o        (unused_exec),
      .read_o        (unused_read),
      .write_o       (unused_write),
      .probe_o       (advance_probe),
      .access_cause_o(unused_access_cause),
      .page_cause_o  (unused_page_cause),
      .guest_cause_o (unused_guest_cause)
  );

  iommu_walk_finish u_finish (
      .probe_i   (advance_probe),
      .context_i (advance_context_q),
      .walk_i    (advance_walk_q),
      .decision_i(advance_decision_q),
      .address_i (advance_decision.arrive ? advance_decision.s_address : advanced.guest[55:0]),
      .walk_o    (ended_walk)
  );

  wire [SLOT_W-1:0] result_head;
  wire [SLOT_W-1:0] result_slot = result_waits ? result_head : advance_slot_q;
  wire              result_end = result_release_i || result_restart_i;
  wire [WALKS-1:0]  result_select = WALKS'(1) << result_slot;

  fifo #(
      .WIDTH(SLOT_W),
      .DEPTH(WALKS)
  ) u_results (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (step_done && !(step_ends && !result_waits && result_end)),
      .in_ready_o (result_room),
      .in_data_i  (advance_slot_q),
      .out_valid_o(result_waits),
      .out_ready_i(result_end),
      .out_data_o (result_head),
      .count_o    (unused_result_count)
  );

  assign result_valid_o = result_waits || step_ends;
  assign result_slot_o = result_slot;
  assign result_request_o = result_waits ? request_q[result_head] : advance_request_q;
  assign result_id_o = id_q[result_slot];
  assign result_epoch_o = epoch_q[result_slot];
  assign result_context_o = result_waits ? context_q[result_head] : advance_context_q;
  assign result_walk_o = result_waits ? walk_q[result_head] : ended_walk;
  assign result_squashed_o = squashed_q[result_slot];

  // ---- Next state ------------------------------------------------------------------------------------------------------------
  always_comb begin
    for (int i = 0; i < 56; i++) beyond_d[i] = 32'(capabilities_i[37:32]) <= 32'(i);
    refused_d = refused_q & ~recalled;
    if (step_index && index_busy) refused_d = refused_d | step_slot;
    index_called_d = index_done && !index_taken;
    kept_next = next;
    if (step_index && index_busy) kept_next.state = iommu_spec_pkg::WALK_GUEST;
    busy_d = busy_q | start_slot;
    again_d = (take_again ? again_q & ~(WALKS'(1) << again_slot) : again_q) | (step_again && !take_look ? step_slot : '0) |
        recalled | index_call;
    fresh_d = take_again ? fresh_q & ~(WALKS'(1) << again_slot) : fresh_q;
    done_d = done_q | (step_done ? step_slot : '0);
    squashed_d = squashed_q & ~start_slot;
    if (invalidate_i) squashed_d = squashed_d | busy_q | start_slot;
    if (result_end) begin
      done_d = done_d & ~result_select;
      if (result_release_i) busy_d = busy_d & ~result_select;
      else begin
        again_d = again_d | result_select;
        fresh_d = fresh_d | result_select;
        if (!invalidate_i) squashed_d = squashed_d & ~result_select;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    busy_q <= busy_d;
    again_q <= again_d;
    fresh_q <= fresh_d;
    done_q <= done_d;
    squashed_q <= squashed_d;
    advance_q <= advance_d;
    advance_slot_q <= slot;
    advance_request_q <= step_request;
    advance_context_q <= event_context;
    advance_walk_q <= event_walk;
    advance_decision_q <= event_meaning;
    advance_state_q <= present.state;
    advance_update_q <= event_update;
    look_q <= event_look;
    ends_q <= event_ends;
    beyond_q <= beyond_d;
    refused_q <= refused_d;
    index_called_q <= index_called_d;
    if (step_index && !index_busy) index_slot_q <= advance_slot_q;
    table_fill_q <= event_table_fill;
    second_fill_q <= event_second_fill;
    // The table that was read, and G of the pointers above it; the leaf's own G is no part of it.
    fill_ppn_q <= present.address[55:12];
    fill_g_q <= present.g;
    table_hit_q <= table_hit_i;
    table_ppn_q <= table_ppn_i;
    table_pbmt_q <= table_pbmt_i;
    table_w_q <= table_w_i;
    table_g_q <= table_g_i;
    second_used_q <= second_used_i;
    second_hit_q <= second_hit_i;
    second_ppn_q <= second_ppn_i;
    observed_q <= step_access;
    observed_slot_q <= advance_slot_q;
    observed_request_q <= advance_request_q;
    observed_context_q <= step_context;
    observed_walk_q <= step_walk;
    // Memories with one write port each: distributed RAM.
    if (advance_q) begin
      context_q[advance_slot_q] <= step_context;
      walk_q[advance_slot_q] <= kept_next;
    end
    if (rst_i) begin
      busy_q <= '0;
      again_q <= '0;
      fresh_q <= '0;
      done_q <= '0;
      squashed_q <= '0;
      advance_q <= 1'b0;
      observed_q <= 1'b0;
      refused_q <= '0;
      index_called_q <= 1'b0;
    end
  end

  generate
    for (genvar i = 0; i < WALKS; i++) begin : g_slot
      wire restarted = result_restart_i && result_select[i];
      wire started = starting && free_slot == SLOT_W'(i) && !busy_q[i];

      always_ff @(posedge clk_i) begin
        if (restarted) begin
          request_q[i] <= restart_request_i;
          id_q[i] <= restart_id_i;
          epoch_q[i] <= restart_epoch_i;
        end else if (started) begin
          // Also where none starts: what a free slot holds does not matter.
          request_q[i] <= start_request_i;
          id_q[i] <= start_id_i;
          epoch_q[i] <= start_epoch_i;
        end
      end
    end
  endgenerate

`ifndef SYNTHESIS
  // Its purpose was another one where the guest address has only now been found.
  walk_t walk_now;

  always_comb begin
    walk_now = ended_walk;
    walk_now.purpose = next.purpose;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!step_access || access_room) else $error("iommu_walker: access queue overflow");
      assert (!step_done || result_room) else $error("iommu_walker: result queue overflow");
      assert (!mem_rsp_valid_i || (busy_q[mem_rsp_slot_i] && !done_q[mem_rsp_slot_i] && !again_q[mem_rsp_slot_i]))
      else $error("iommu_walker: memory response for a slot that waits for none");
      assert (!(mem_rsp_valid_i && advance_q && mem_rsp_slot_i == advance_slot_q))
      else $error("iommu_walker: memory response in the cycle of its request");
      assert (!advance_q || $countones({step_access, step_again, step_index, step_done}) == 1)
      else $error("iommu_walker: a step must access memory, go on, wait, or finish");
      assert (!(take_look && step_again) || (step_walk == look && step_context == advance_context_q))
      else $error("iommu_walker: a walk goes on otherwise than it was looked at");
      assert (!step_ends || (step_done && step_context == advance_context_q && step_walk == walk_now))
      else $error("iommu_walker: a walk ends otherwise than was said");
      assert (!(result_restart_i && !result_waits)) else $error("iommu_walker: a result is restarted before it was held");
    end
  end
`endif

endmodule
`default_nettype wire
