`default_nettype none
// Proofs of the walker's slots, whatever a step does and a cache answers (iommu_walk_event, iommu_walk_look, iommu_walk_advance and
// iommu_walk_caches are left free): the result of a walk that was in flight at an invalidation is marked, so that it fills nothing
// (RISC-V IOMMU, Caching in-memory data structures); no walk is lost and none answers twice: a slot that holds one has exactly one thing
// under way.
module iommu_walk_slots #(
    // Walks in flight; bits of an identifier.
    parameter int WALKS = 2,
    parameter int ID_W = 2,
    // Derived: bits of a slot number.
    parameter int SLOT_W = $clog2(WALKS)
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // Inputs of the walker: free.
    input  wire [63:0]                                 capabilities_i,
    input  wire                                        big_endian_i,
    input  wire [3:0]                                  ddtp_mode_i,
    input  wire [43:0]                                 ddtp_ppn_i,
    input  wire [23:0]                                 qos_i,
    input  wire                                        start_load_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]        start_next_request_i,
    input  wire [iommu_spec_pkg::HASH_W-1:0]           start_next_hash_i,
    input  wire                                        start_valid_i,
    input  wire                                        start_early_i,
    input  wire                                        start_commit_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]        start_request_i,
    input  wire [iommu_spec_pkg::HASH_W-1:0]           start_hash_i,
    input  wire [ID_W-1:0]                             start_id_i,
    input  wire                                        start_epoch_i,
    input  wire                                        result_release_i,
    input  wire                                        result_restart_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]        restart_request_i,
    input  wire [iommu_spec_pkg::HASH_W-1:0]           restart_hash_i,
    input  wire [ID_W-1:0]                             restart_id_i,
    input  wire                                        restart_epoch_i,
    input  wire                                        invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]   invalidation_i,
    input  wire                                        mem_req_ready_i,
    input  wire                                        mem_rsp_valid_i,
    input  wire [SLOT_W-1:0]                           mem_rsp_slot_i,
    input  wire [511:0]                                mem_rsp_data_i,
    input  wire [7:0]                                  mem_rsp_err_i,
    input  wire [7:0]                                  mem_rsp_poison_i
);

  wire start_ready, early_ready;
  wire [WALKS-1:0] unused_start_merge;
  wire unused_start_hold;
  wire result_valid;
  wire [SLOT_W-1:0] unused_result_next;
  wire [SLOT_W-1:0] result_slot;
  wire [iommu_spec_pkg::REQUEST_W-1:0] unused_result_request;
  wire [ID_W-1:0] result_id;
  wire unused_result_epoch;
  wire [iommu_spec_pkg::CONTEXT_W-1:0] unused_result_context;
  wire [iommu_spec_pkg::WALK_W-1:0] unused_result_walk;
  wire result_squashed;
  wire unused_line;
  wire [SLOT_W-1:0] unused_line_slot;
  wire unused_line_g;
  wire mem_req_valid;
  wire [SLOT_W-1:0] mem_req_slot;
  wire [1:0] unused_mem_req_op;
  wire [55:0] unused_mem_req_addr;
  wire [6:0] unused_mem_req_size;
  wire [127:0] unused_mem_req_wdata;
  wire [23:0] unused_mem_req_qos;
  wire [1:0] unused_mem_req_pbmt;
  wire unused_access_valid;
  wire [SLOT_W-1:0] unused_access_slot;
  wire [3:0] unused_access_state;
  wire unused_reused;
  wire [SLOT_W-1:0] unused_reused_slot;
  wire [iommu_spec_pkg::EVENT_SOURCE_W-1:0] unused_access_source;

  iommu_walker #(
      .WALKS(WALKS),
      .ID_W (ID_W)
  ) u_walker (
      .clk_i(clk_i),
      .rst_i(rst_i),
      .capabilities_i(capabilities_i),
      .big_endian_i(big_endian_i),
      .ddtp_mode_i(ddtp_mode_i),
      .ddtp_ppn_i(ddtp_ppn_i),
      .qos_i(qos_i),
      .start_load_i(start_load_i),
      .start_next_request_i(start_next_request_i),
      .start_next_hash_i(start_next_hash_i),
      .start_valid_i(start_valid_i),
      .start_early_i(start_early_i),
      .start_commit_i(start_commit_i),
      .start_request_i(start_request_i),
      .start_hash_i(start_hash_i),
      .start_id_i(start_id_i),
      .start_epoch_i(start_epoch_i),
      .result_release_i(result_release_i),
      .result_restart_i(result_restart_i),
      .restart_request_i(restart_request_i),
      .restart_hash_i(restart_hash_i),
      .restart_id_i(restart_id_i),
      .restart_epoch_i(restart_epoch_i),
      .invalidate_i(invalidate_i),
      .invalidation_i(invalidation_i),
      .mem_req_ready_i(mem_req_ready_i),
      .mem_rsp_valid_i(mem_rsp_valid_i),
      .mem_rsp_slot_i(mem_rsp_slot_i),
      .mem_rsp_data_i(mem_rsp_data_i),
      .mem_rsp_err_i(mem_rsp_err_i),
      .mem_rsp_poison_i(mem_rsp_poison_i),
      .start_ready_o(start_ready),
      .early_ready_o(early_ready),
      .start_merge_o(unused_start_merge),
      .start_hold_o(unused_start_hold),
      .result_valid_o(result_valid),
      .result_next_o(unused_result_next),
      .result_slot_o(result_slot),
      .result_request_o(unused_result_request),
      .result_id_o(result_id),
      .result_epoch_o(unused_result_epoch),
      .result_context_o(unused_result_context),
      .result_walk_o(unused_result_walk),
      .result_squashed_o(result_squashed),
      .line_o(unused_line),
      .line_slot_o(unused_line_slot),
      .line_g_o(unused_line_g),
      .mem_req_valid_o(mem_req_valid),
      .mem_req_slot_o(mem_req_slot),
      .mem_req_op_o(unused_mem_req_op),
      .mem_req_addr_o(unused_mem_req_addr),
      .mem_req_size_o(unused_mem_req_size),
      .mem_req_wdata_o(unused_mem_req_wdata),
      .mem_req_qos_o(unused_mem_req_qos),
      .mem_req_pbmt_o(unused_mem_req_pbmt),
      .access_valid_o(unused_access_valid),
      .access_slot_o(unused_access_slot),
      .access_state_o(unused_access_state),
      .reused_o(unused_reused),
      .reused_slot_o(unused_reused_slot),
      .access_source_o(unused_access_source)
  );

`ifdef FORMAL
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  // One request, any: in flight from its start (alone or in the place of another walk) to its result; an invalidation came since, or in
  // the cycle before: the caches may still answer with what it removes.
  wire [ID_W-1:0] f_id;
  formal_constant #(.WIDTH(ID_W)) u_f_id (.value_o(f_id));
  logic f_flight_q, f_named_q, f_invalidate_q;
  wire  f_invalidating = invalidate_i || f_invalidate_q;
  wire  f_ends = result_valid && (result_release_i || result_restart_i);
  // It may begin early, and is a walk once it is committed; an invalidation may come in either cycle.
  logic f_early_q, f_early_mine_q, f_early_named_q;
  always_ff @(posedge clk_i) begin
    f_early_q <= start_early_i && early_ready && !rst_i;
    f_early_mine_q <= start_id_i == f_id;
    f_early_named_q <= f_invalidating;
  end
  wire  f_commits = start_commit_i && f_early_mine_q;
  wire  f_begins = (start_valid_i && start_ready && start_id_i == f_id) || f_commits;
  wire  f_replaces = f_ends && result_restart_i && restart_id_i == f_id;
  wire  f_starts = f_begins || f_replaces;
  always_ff @(posedge clk_i) begin
    if (f_ends && result_id == f_id) f_flight_q <= 1'b0;
    if (f_starts) f_flight_q <= 1'b1;
    f_invalidate_q <= invalidate_i && !rst_i;
    f_named_q <= f_starts ? f_invalidating || (f_commits && f_early_named_q) : f_named_q || f_invalidating;
    if (rst_i) f_flight_q <= 1'b0;
  end

  // Accesses that memory has taken and not answered.
  logic [WALKS-1:0] f_out_q;
  wire  [WALKS-1:0] f_taken = mem_req_valid && mem_req_ready_i ? WALKS'(1) << mem_req_slot : '0;
  wire  [WALKS-1:0] f_answered = mem_rsp_valid_i ? WALKS'(1) << mem_rsp_slot_i : '0;
  always_ff @(posedge clk_i) f_out_q <= rst_i ? '0 : (f_out_q | f_taken) & ~f_answered;

  // What is under way for each slot: an access, the number of an interrupt file, a step at once, chosen or not, a step in its second
  // stage, its last step in the cycle before, its end worked out, a result.
  logic [WALKS-1:0] f_asked_q, f_index_q;
  wire  [WALKS-1:0] f_step = WALKS'(1) << u_walker.advance_slot;
  always_ff @(posedge clk_i) begin
    f_asked_q <= rst_i ? '0 : (f_asked_q | (u_walker.step_access ? f_step : '0)) & ~f_answered;
    f_index_q <= rst_i ? '0 : (f_index_q | (u_walker.step_index ? f_step : '0)) & ~u_walker.index_call;
  end
  wire  [WALKS-1:0] f_advance = u_walker.advance && !u_walker.early ? f_step : '0;
  wire [WALKS-1:0] f_picked = u_walker.pick ? WALKS'(1) << u_walker.pick_slot : '0;
  logic [WALKS-1:0] f_one_thing;
  always_comb
    for (int i = 0; i < WALKS; i++)
      f_one_thing[i] = 3'(f_asked_q[i]) + 3'(f_index_q[i]) + 3'(u_walker.u_schedule.again_q[i]) +
          3'(u_walker.done_q[i]) + 3'(f_advance[i]) + 3'(f_picked[i]) == 3'(u_walker.busy_q[i]);

  // Why it holds at all times: where the things that are under way stand. Of the two queues: what is stored, oldest first.
  localparam int ACCESS_W = SLOT_W + 1 + 56 + 7 + 128 + 24 + 2;   // that of iommu_walk_accesses
  logic [WALKS-1:0]    f_queued, f_ended;      // slots with an access, with a result in its queue
  logic                f_twice;                // a slot stands in a queue twice
  logic [ACCESS_W-1:0] f_access;
  logic [SLOT_W-1:0]   f_result;
  always_comb begin
    f_queued = u_walker.u_accesses.late_q ? WALKS'(1) << u_walker.u_accesses.late_access_q[ACCESS_W-1 -: SLOT_W] : '0;
    f_ended = '0;
    f_twice = 1'b0;
    for (int i = 0; i < WALKS; i++) begin
      f_access = u_walker.u_accesses.u_queue.u_storage.memory_q[(32'(u_walker.u_accesses.u_queue.read_pointer_q) + i) % WALKS];
      f_result = u_walker.u_results.u_waiting.u_storage.memory_q[(32'(u_walker.u_results.u_waiting.read_pointer_q) + i) % WALKS];
      if (i < 32'(u_walker.u_accesses.u_queue.count_q)) begin
        f_twice = f_twice || f_queued[f_access[ACCESS_W-1 -: SLOT_W]];
        f_queued[f_access[ACCESS_W-1 -: SLOT_W]] = 1'b1;
      end
      if (i < 32'(u_walker.u_results.u_waiting.count_q)) begin
        f_twice = f_twice || f_ended[f_result];
        f_ended[f_result] = 1'b1;
      end
    end
    if (u_walker.u_results.last_q) begin
      f_twice = f_twice || f_ended[u_walker.u_results.last_slot_q];
      f_ended[u_walker.u_results.last_slot_q] = 1'b1;
    end
    if (u_walker.u_results.concluded_q) begin
      f_twice = f_twice || f_ended[u_walker.u_results.concluded_slot_q];
      f_ended[u_walker.u_results.concluded_slot_q] = 1'b1;
    end
    if (u_walker.u_results.valid_q) begin
      f_twice = f_twice || f_ended[result_slot];
      f_ended[result_slot] = 1'b1;
    end
  end
  // A result that was presented and not taken.
  logic              f_held_q;
  logic [SLOT_W-1:0] f_held_slot_q;
  always_ff @(posedge clk_i) begin
    f_held_q <= result_valid && !(result_release_i || result_restart_i) && !rst_i;
    f_held_slot_q <= result_slot;
  end
  logic [WALKS-1:0] f_mine;                    // slots that hold the watched request
  always_comb for (int i = 0; i < WALKS; i++) f_mine[i] = u_walker.busy_q[i] && u_walker.id_q[i] == f_id;
  wire              f_fills = u_walker.u_step.fill != '0;
  wire [WALKS-1:0] f_counts = u_walker.u_index_turns.busy && !u_walker.index_called ? WALKS'(1) << u_walker.index_slot : '0;

  always_comb begin
    // Identifiers are of one request at a time; who begins early does not begin otherwise, and is committed in the next cycle or never; a
    // result ends once (iommu_miss_queue.v); memory answers what it has taken.
    assume (!f_starts || (!f_flight_q && !(f_begins && f_replaces)));
    assume (!(result_release_i && result_restart_i));
    assume (!(result_release_i || result_restart_i) || result_valid);
    assume (!(start_valid_i && start_early_i));
    assume (!start_commit_i || f_early_q);
    assume ((f_answered & ~f_out_q) == '0);
    // What a step is (iommu_walk_machine: one of these; iommu_walker.v: what the first stage says of it holds).
    assume (3'(u_walker.advance_access) + 3'(u_walker.advance_again) + 3'(u_walker.advance_index) + 3'(u_walker.advance_ends) <= 3'd1);
    assume (!(u_walker.advance_ends && u_walker.early));
    if (f_started_q && !rst_i) begin
      // The queues below (proof `fifo`).
      accesses_spanned: assert (32'(u_walker.u_accesses.u_queue.count_q) <= WALKS &&
          32'(u_walker.u_accesses.u_queue.read_pointer_q) < WALKS &&
          32'(u_walker.u_accesses.u_queue.write_pointer_q) ==
          (32'(u_walker.u_accesses.u_queue.read_pointer_q) + 32'(u_walker.u_accesses.u_queue.count_q)) % WALKS &&
          u_walker.u_accesses.u_queue.out_valid_o == (u_walker.u_accesses.u_queue.count_q != '0));
      results_spanned: assert (32'(u_walker.u_results.u_waiting.count_q) <= WALKS &&
          32'(u_walker.u_results.u_waiting.read_pointer_q) < WALKS &&
          32'(u_walker.u_results.u_waiting.write_pointer_q) ==
          (32'(u_walker.u_results.u_waiting.read_pointer_q) + 32'(u_walker.u_results.u_waiting.count_q)) % WALKS &&
          u_walker.u_results.u_waiting.out_valid_o == (u_walker.u_results.u_waiting.count_q != '0));
      access_is_read: assert (!u_walker.u_accesses.waits ||
          u_walker.u_accesses.head == u_walker.u_accesses.u_queue.u_storage.memory_q[u_walker.u_accesses.u_queue.read_pointer_q]);
      result_is_read: assert (!u_walker.u_results.waits ||
          u_walker.result_head == u_walker.u_results.u_waiting.u_storage.memory_q[u_walker.u_results.u_waiting.read_pointer_q]);
      // An access that was asked for is queued or with memory, a result that waits is queued, once each.
      asked_is_somewhere: assert (!f_twice && (f_queued | f_out_q) == f_asked_q && (f_queued & f_out_q) == '0);
      free_is_free: assert ((u_walker.free_select & u_walker.occupied) == '0);
      done_is_queued: assert (f_ended == u_walker.done_q);
      looks_after_a_step: assert (!u_walker.look || (u_walker.advance && !u_walker.early));
      early_has_its_slot: assert (u_walker.early_slot == (f_early_q ? f_step : '0));
      early_is_free: assert (u_walker.early == f_early_q && (!f_early_q || (u_walker.advance && (f_step & u_walker.busy_q) == '0 &&
          (u_walker.id_q[u_walker.advance_slot] == f_id) == f_early_mine_q &&
          (!f_early_named_q || u_walker.squashed_q[u_walker.advance_slot]))));
      result_register: assert (u_walker.u_results.free_q == !result_valid &&
          (!result_valid || result_squashed == u_walker.squashed_q[result_slot]));
      result_is_of_its_slot: assert (!result_valid || (result_id == u_walker.id_q[result_slot] && u_walker.busy_q[result_slot]));
      // The interrupt file unit works for one that waits for it; who was refused waits too.
      index_is_waited_for: assert (((u_walker.u_index_turns.refused_q | f_counts) & ~f_index_q) == '0 &&
          (u_walker.u_index_turns.refused_q & f_counts) == '0 && (!u_walker.index_called || u_walker.u_index_turns.done));
      flight_is_a_slot: assert (32'($countones(f_mine)) == 32'(f_flight_q));
      invalidation_is_kept: assert (u_walker.invalidate_q == f_invalidate_q);
      named_is_marked: assert (!(f_flight_q && f_named_q) || (f_mine & ~u_walker.squashed_q) == '0);

      one_thing_under_way: assert (f_one_thing == '1);
      squashed_if_named: assert (!(result_valid && result_id == f_id && f_flight_q && f_named_q) || result_squashed);
      result_is_held: assert (!f_held_q || (result_valid && result_slot == f_held_slot_q));
      nobody_else_answers: assert (!(result_valid && result_id == f_id) || f_flight_q);
      fills_nothing_then: assert (!f_invalidating || !f_fills);
      squashed_result: cover (result_valid && result_id == f_id && f_flight_q && f_named_q);
      restarted_result: cover (f_ends && result_restart_i && restart_id_i == f_id && u_walker.squashed_q != '0);
    end
  end
`endif

endmodule
`default_nettype wire
