`default_nettype none
// Walks in flight and their caches: WALKS slots, each the record of one walk. One step begins per cycle (iommu_walk_schedule.v): for a
// memory response first, then for a slot that goes on without memory, then for a new walk. A step takes two cycles (iommu_walk_step.v); in
// the second its access is presented (iommu_walk_accesses.v). What a walk ends with becomes a result from the third on
// (iommu_walk_results.v). A slot that goes on without memory is fetched by a step of its own, so only responses read the records they work
// on.
// A request that may turn out to be a miss begins early, when nothing else does: it takes the first cycle of its step, and the second
// only if it is one.
module iommu_walker #(
    // Walks in flight, 2 or more.
    parameter int WALKS = 8,
    // Bits of a request's identifier.
    parameter int ID_W = 8,
    // 1: entries of last-level first-stage tables are read by the line, for their neighbours (iommu_neighbour_fill.v).
    parameter int LINE_READS = 1,
    // Entries of the caches (iommu_walk_caches.v): contexts; last-level tables of the first and of the second stage; leaves of the second
    // stage.
    parameter int CONTEXTS = 8,
    parameter int TABLES = 16,
    parameter int SECOND_TABLES = 16,
    parameter int SECOND_LEAVES = 8,
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

    // New walk, its hash that of the requester and the page (iommu_spec_pkg). Both come with `start_load_i` in the cycle before as
    // `start_next_*`, and stay until others do.
    input  wire                                       start_load_i,
    // `start_merge_o`: the walks in flight whose hash is the same, so that this request may share their result (then do not start it).
    // `start_early_i` instead of `start_valid_i`: it is not known yet whether it is one; if it was ready, `start_commit_i` says so in the
    // next cycle. Each has its ready; not both are presented.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       start_next_request_i,
    input  wire [iommu_spec_pkg::HASH_W-1:0]          start_next_hash_i,
    input  wire                                       start_valid_i,
    input  wire                                       start_early_i,
    input  wire                                       start_commit_i,
    output wire                                       start_ready_o,
    output wire                                       early_ready_o,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       start_request_i,
    input  wire [iommu_spec_pkg::HASH_W-1:0]          start_hash_i,
    input  wire [ID_W-1:0]                            start_id_i,
    input  wire                                       start_epoch_i,
    output wire [WALKS-1:0]                           start_merge_o,
    // One of them may end in this cycle: neither start nor share.
    output wire                                       start_hold_o,

    // Result of the oldest finished walk, registered; held until released (slot free) or restarted with another request. Two results are
    // at least a cycle apart.
    output wire                                       result_valid_o,
    // Slot of the result that comes into the register in this cycle, if one does.
    output wire [SLOT_W-1:0]                          result_next_o,
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
    input  wire [iommu_spec_pkg::HASH_W-1:0]          restart_hash_i,
    input  wire [ID_W-1:0]                            restart_id_i,
    input  wire                                       restart_epoch_i,

    // The memory response is the line of a last-level first-stage entry, for the walk of this slot; G of the pointers above it.
    output wire                                       line_o,
    output wire [SLOT_W-1:0]                          line_slot_o,
    output wire                                       line_g_o,

    // Invalidation (invalidation_t) of the caches. It squashes the fills of every walk in flight, and of those that start in the next
    // cycle, in which the caches may still answer with what it removes.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i,

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
    // A walk asked for an access in the cycle before, for observation: its slot, the state that it waits in, and whose it is
    // (event_source_t).
    output wire                                       access_valid_o,
    output wire [SLOT_W-1:0]                          access_slot_o,
    output wire [3:0]                                 access_state_o,
    output wire [iommu_spec_pkg::EVENT_SOURCE_W-1:0]  access_source_o,
    // The walk of this slot takes a leaf from the second-stage leaf cache.
    output wire                                       reused_o,
    output wire [SLOT_W-1:0]                          reused_slot_o,
    input  wire                                       mem_rsp_valid_i,
    input  wire [SLOT_W-1:0]                          mem_rsp_slot_i,
    input  wire [511:0]                               mem_rsp_data_i,
    input  wire [7:0]                                 mem_rsp_err_i,
    input  wire [7:0]                                 mem_rsp_poison_i
);
  `include "iommu_records.vh"

  // ---- Slots ----------------------------------------------------------------------------------------------------------------
  logic [WALKS-1:0] busy_d, busy_q;          // holds a walk
  logic [WALKS-1:0] fresh_d, fresh_q;        // restarted: its walk_q is not of this request
  logic [WALKS-1:0] done_d, done_q;          // result waits
  logic [WALKS-1:0] squashed_d, squashed_q;  // an invalidation came
  // In the cycle before: a walk that starts now may still see what it removes, so it counts as in flight.
  logic             invalidate_q;
  wire              invalidating = invalidate_i || invalidate_q;

  // Requests that take the place of another one, and, from the first step on, all of them as the steps read them.
  logic [iommu_spec_pkg::REQUEST_W-1:0] restarted_q [0:WALKS-1];
  logic [iommu_spec_pkg::REQUEST_W-1:0] walked_q [0:WALKS-1];
  logic [iommu_spec_pkg::CONTEXT_W-1:0] context_q [0:WALKS-1];
  // Progress of the walks.
  localparam int PROGRESS_W = iommu_spec_pkg::WALK_W - iommu_spec_pkg::OUTCOME_W;
  logic [PROGRESS_W-1:0]                walk_q [0:WALKS-1];
  logic [ID_W-1:0]                      id_q [0:WALKS-1];
  logic [WALKS-1:0]                     epoch_q;

  // ---- The step in each of its cycles: whose it is, and what the first one has found ------------------------------------------
  wire                                  advance, early, look, take_look, goes_on, outside, take_start;
  wire  [SLOT_W-1:0]                    advance_slot;
  wire  [WALKS-1:0]                     occupied, early_slot, free_select, start_slot, call;
  wire                                  pick, pick_load, fetch;
  wire  [SLOT_W-1:0]                    pick_slot, pick_next;
  wire                                  response_looks;
  wire  [3:0]                           look_kind;
  wire  [iommu_spec_pkg::REQUEST_W-1:0] advance_request;
  wire  [iommu_spec_pkg::CONTEXT_W-1:0] advance_context;
  wire  [iommu_spec_pkg::FINDING_W-1:0] advance_finding;
  context_t                             device;
  finding_t                             found;

  assign device = advance_context;
  assign found = advance_finding;

  // Interrupt file numbers: who looks at the one that is there.
  wire                                  index_called, index_taken;
  wire  [SLOT_W-1:0]                    index_slot;
  wire  [WALKS-1:0]                     index_call;
  wire  [51:0]                          msi_index;

  // Where the walk goes. Whether a miss commits its step comes late.
  wire  [iommu_spec_pkg::CONTEXT_W-1:0] step_context;
  wire  [iommu_spec_pkg::WALK_W-1:0]    walk_after, ended_walk;
  wire  [4:0]                           step_end;
  wire                                  advance_access, step_update, advance_again, advance_index, advance_ends;
  wire  [55:0]                          step_address;
  wire  [6:0]                           step_size;
  wire  [127:0]                         step_data;
  wire  [1:0]                           step_pbmt;
  wire  [23:0]                          step_qos;
  walk_t                                step_walk, kept_next;
  wire                                  step = advance && (!early || start_commit_i);
  wire                                  step_access = advance_access && step;
  wire                                  step_again = advance_again && step;
  wire                                  step_index = advance_index && step;
  wire                                  step_done = !advance_access && !advance_again && !advance_index && step;
  wire                                  step_ends = advance_ends && advance && !early;
  wire  [WALKS-1:0]                     step_slot = WALKS'(1) << advance_slot;

  assign step_walk = walk_after;

  // Results.
  wire  [iommu_spec_pkg::REQUEST_W-1:0] last_request;
  wire  [iommu_spec_pkg::CONTEXT_W-1:0] last_context;
  wire                                  result_end = result_release_i || result_restart_i;
  wire  [WALKS-1:0]                     result_select = WALKS'(1) << result_slot_o;
  wire  [WALKS-1:0]                     restart_select = result_restart_i ? result_select : '0;
  wire  [SLOT_W-1:0]                    result_head;
  request_t                             start, restart;

  assign start = start_request_i;
  assign restart = restart_request_i;

  // ---- Steps ------------------------------------------------------------------------------------------------------------------
  // Who was refused the interrupt file unit looks at the guest address again, or at the number if the unit works for it then.
  assign call = (step_again && !goes_on ? step_slot : '0) | index_call | restart_select;

  iommu_walk_schedule #(
      .WALKS(WALKS)
  ) u_schedule (
      .clk_i           (clk_i),
      .rst_i           (rst_i),
      .response_i      (mem_rsp_valid_i),
      .response_slot_i (mem_rsp_slot_i),
      .response_looks_i(response_looks),
      .start_valid_i   (start_valid_i),
      .start_early_i   (start_early_i),
      .start_ready_o   (start_ready_o),
      .early_ready_o   (early_ready_o),
      .take_start_o    (take_start),
      .busy_i          (busy_q),
      .call_i          (call),
      .again_i         (advance_again),
      .stale_i         (found.first && found.stale),
      .occupied_o      (occupied),
      .early_slot_o    (early_slot),
      .free_select_o   (free_select),
      .start_slot_o    (start_slot),
      .pick_load_o     (pick_load),
      .pick_next_o     (pick_next),
      .pick_o          (pick),
      .pick_slot_o     (pick_slot),
      .fetch_o         (fetch),
      .advance_o       (advance),
      .advance_slot_o  (advance_slot),
      .early_o         (early),
      .look_o          (look),
      .take_look_o     (take_look),
      .goes_on_o       (goes_on),
      .outside_o       (outside)
  );

  iommu_walk_step #(
      .LINE_READS   (LINE_READS),
      .CONTEXTS     (CONTEXTS),
      .TABLES       (TABLES),
      .SECOND_TABLES(SECOND_TABLES),
      .SECOND_LEAVES(SECOND_LEAVES)
  ) u_step (
      .clk_i            (clk_i),
      .rst_i            (rst_i),
      .capabilities_i   (capabilities_i),
      .big_endian_i     (big_endian_i),
      .ddtp_mode_i      (ddtp_mode_i),
      .ddtp_ppn_i       (ddtp_ppn_i),
      .qos_i            (qos_i),
      .response_i       (mem_rsp_valid_i),
      .response_data_i  (mem_rsp_data_i),
      .response_err_i   (mem_rsp_err_i),
      .response_poison_i(mem_rsp_poison_i),
      .kept_request_i   (walked_q[mem_rsp_slot_i]),
      .kept_context_i   (context_q[mem_rsp_slot_i]),
      .kept_walk_i      ({walk_q[mem_rsp_slot_i], {iommu_spec_pkg::OUTCOME_W{1'b0}}}),
      .response_looks_o (response_looks),
      .line_o           (line_o),
      .line_g_o         (line_g_o),
      .pick_load_i      (pick_load),
      .pick_fresh_i     (fresh_q[pick_next]),
      .pick_request_i   (fresh_q[pick_next] ? restarted_q[pick_next] : walked_q[pick_next]),
      .pick_context_i   (context_q[pick_next]),
      .pick_walk_i      ({walk_q[pick_next], {iommu_spec_pkg::OUTCOME_W{1'b0}}}),
      .pick_i           (pick),
      .pick_index_i     (index_called && pick_slot == index_slot),
      .start_load_i     (start_load_i),
      .start_next_i     (start_next_request_i),
      .start_request_i  (start_request_i),
      .start_i          (start_valid_i || start_early_i),
      .look_i           (look),
      .outside_i        (outside),
      .msi_index_i      (msi_index),
      .look_kind_o      (look_kind),
      .request_o        (advance_request),
      .context_o        (advance_context),
      .finding_o        (advance_finding),
      .context_after_o  (step_context),
      .walk_after_o     (walk_after),
      .access_o         (advance_access),
      .access_update_o  (step_update),
      .access_address_o (step_address),
      .access_size_o    (step_size),
      .access_data_o    (step_data),
      .access_pbmt_o    (step_pbmt),
      .access_qos_o     (step_qos),
      .again_o          (advance_again),
      .index_o          (advance_index),
      .end_o            (step_end),
      .ends_o           (advance_ends),
      .ended_walk_o     (ended_walk),
      .fills_i          (step && !squashed_q[advance_slot] && !invalidate_i),
      .invalidate_i     (invalidate_i),
      .invalidation_i   (invalidation_i),
      .last_request_o   (last_request),
      .last_context_o   (last_context)
  );

  assign line_slot_o = mem_rsp_slot_i;
  assign reused_o = step && found.reused;
  assign reused_slot_o = advance_slot;

  assign index_taken = take_look && look_kind[3];

  iommu_walk_index_turns #(
      .WALKS(WALKS)
  ) u_index_turns (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .slot_i       (advance_slot),
      .step_slot_i  (step_slot),
      .ask_i        (step_index),
      .page_i       (found.target[63:12]),
      .mask_i       (device.msi_mask & iommu_spec_pkg::guest_page_bits(capabilities_i)),
      .rests_i      (step && !advance_again),
      .call_o       (index_call),
      .called_o     (index_called),
      .called_slot_o(index_slot),
      .index_o      (msi_index),
      .taken_i      (index_taken)
  );

  iommu_walk_accesses #(
      .WALKS(WALKS)
  ) u_accesses (
      .clk_i            (clk_i),
      .rst_i            (rst_i),
      .access_i         (step_access),
      .slot_i           (advance_slot),
      .access_update_i  (step_update),
      .access_address_i (step_address),
      .access_size_i    (step_size),
      .access_data_i    (step_data),
      .access_qos_i     (step_qos),
      .access_pbmt_i    (step_pbmt),
      .state_i          (step_walk.state),
      .request_i        (advance_request),
      .context_i        (step_context),
      .mem_req_valid_o  (mem_req_valid_o),
      .mem_req_ready_i  (mem_req_ready_i),
      .mem_req_slot_o   (mem_req_slot_o),
      .mem_req_op_o     (mem_req_op_o),
      .mem_req_addr_o   (mem_req_addr_o),
      .mem_req_size_o   (mem_req_size_o),
      .mem_req_wdata_o  (mem_req_wdata_o),
      .mem_req_qos_o    (mem_req_qos_o),
      .mem_req_pbmt_o   (mem_req_pbmt_o),
      .observed_o       (access_valid_o),
      .observed_slot_o  (access_slot_o),
      .observed_state_o (access_state_o),
      .observed_source_o(access_source_o)
  );

  iommu_walk_merge #(
      .WALKS(WALKS)
  ) u_merge (
      .clk_i                 (clk_i),
      .load_i                (start_load_i),
      .next_hash_i           (start_next_hash_i),
      .hash_i                (start_hash_i),
      .untranslated_i        (start.at == iommu_spec_pkg::AT_UNTRANSLATED),
      .free_select_i         (free_select),
      .restart_select_i      (restart_select),
      .restart_hash_i        (restart_hash_i),
      .restart_untranslated_i(restart.at == iommu_spec_pkg::AT_UNTRANSLATED),
      .shares_i              (occupied & ~done_q & ~squashed_q & {WALKS{!invalidate_i}}),
      .advance_i             (advance),
      .advance_slot_i        (advance_slot),
      .merge_o               (start_merge_o),
      .hold_o                (start_hold_o)
  );

  iommu_walk_results #(
      .WALKS(WALKS),
      .ID_W (ID_W)
  ) u_results (
      .clk_i            (clk_i),
      .rst_i            (rst_i),
      .done_i           (step_done),
      .success_i        (advance_ends),
      .ends_i           (step_ends),
      .slot_i           (advance_slot),
      .request_i        (advance_request),
      .context_i        (advance_context),
      .finding_i        (advance_finding),
      .end_i            (step_end),
      .walk_i           (walk_after),
      .ended_walk_i     (ended_walk),
      .last_request_i   (last_request),
      .last_context_i   (last_context),
      .head_o           (result_head),
      .head_request_i   (walked_q[result_head]),
      .head_context_i   (context_q[result_head]),
      .next_o           (result_next_o),
      .next_id_i        (id_q[result_next_o]),
      .next_epoch_i     (epoch_q[result_next_o]),
      .next_squashed_i  (squashed_q[result_next_o]),
      .invalidate_i     (invalidating),
      .result_valid_o   (result_valid_o),
      .result_slot_o    (result_slot_o),
      .result_request_o (result_request_o),
      .result_id_o      (result_id_o),
      .result_epoch_o   (result_epoch_o),
      .result_context_o (result_context_o),
      .result_walk_o    (result_walk_o),
      .result_squashed_o(result_squashed_o),
      .release_i        (result_end)
  );

  // ---- Next state ------------------------------------------------------------------------------------------------------------
  always_comb begin
    kept_next = step_walk;
    if (advance_index) kept_next.state = iommu_spec_pkg::WALK_GUEST;
    busy_d = busy_q | (take_start ? start_slot : '0) | (start_commit_i ? early_slot : '0);
    fresh_d = fresh_q & ~(fetch ? WALKS'(1) << pick_slot : '0);
    done_d = done_q | (step_done ? step_slot : '0);
    squashed_d = squashed_q & ~start_slot;
    if (invalidating) squashed_d = squashed_d | occupied | start_slot;
    if (result_end) begin
      done_d = done_d & ~result_select;
      if (result_release_i) busy_d = busy_d & ~result_select;
      else begin
        fresh_d = fresh_d | result_select;
        if (!invalidating) squashed_d = squashed_d & ~result_select;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    busy_q <= busy_d;
    fresh_q <= fresh_d;
    done_q <= done_d;
    squashed_q <= squashed_d;
    invalidate_q <= invalidate_i;
    // Memories with one write port each: distributed RAM.
    if (advance) begin
      walked_q[advance_slot] <= advance_request;
      context_q[advance_slot] <= step_context;
      walk_q[advance_slot] <= kept_next[iommu_spec_pkg::WALK_W-1:iommu_spec_pkg::OUTCOME_W];
    end
    if (result_restart_i) restarted_q[result_slot_o] <= restart_request_i;
    if (rst_i) begin
      busy_q <= '0;
      fresh_q <= '0;
      done_q <= '0;
      squashed_q <= '0;
      invalidate_q <= 1'b0;
    end
  end

  generate
    for (genvar i = 0; i < WALKS; i++) begin : g_slot
      always_ff @(posedge clk_i) begin
        if (restart_select[i]) begin
          id_q[i] <= restart_id_i;
          epoch_q[i] <= restart_epoch_i;
        end else if (free_select[i]) begin
          // Also where none starts: what a free slot holds does not matter.
          id_q[i] <= start_id_i;
          epoch_q[i] <= start_epoch_i;
        end
      end
    end
  endgenerate

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!mem_rsp_valid_i || (busy_q[mem_rsp_slot_i] && !done_q[mem_rsp_slot_i]))
      else $error("iommu_walker: memory response for a slot that waits for none");
      assert (!step || $countones({step_access, step_again, step_index}) <= 1)
      else $error("iommu_walker: a step must access memory, go on, wait, or finish");
      assert (!(goes_on && step_again) || look_kind == {step_walk.state == iommu_spec_pkg::WALK_MSI_INDEX,
          step_walk.state == iommu_spec_pkg::WALK_GUEST, step_walk.state == iommu_spec_pkg::WALK_CONTEXT,
          step_walk.state == iommu_spec_pkg::WALK_START})
      else $error("iommu_walker: a walk goes on otherwise than it was looked at");
      assert (!(goes_on && step_again && look_kind[2]) || step_walk.guest == found.target)
      else $error("iommu_walker: a walk looks up another address than it has found");
      assert (!(advance_ends && early)) else $error("iommu_walker: a walk ends with an entry before it has begun");
      assert (!start_commit_i || early) else $error("iommu_walker: a request is committed that did not begin");
      assert (!result_valid_o || result_squashed_o == squashed_q[result_slot_o])
      else $error("iommu_walker: an invalidation has passed the result");
    end
  end
`endif

endmodule
`default_nettype wire
