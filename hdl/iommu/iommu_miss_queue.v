`default_nettype none
// Misses: queues in front of the walker, and the requests that wait for the walk of another request to the same page.
// A request that finds the queues empty goes to the walker early, in the cycle before it turns out to be a miss or not. When a walk is
// done its own request is answered, then every merged request that the result answers too, the first one two cycles after the result came,
// then one every other cycle; one that it does not answer takes the walk's place and walks again. Where no more can be merged, requests
// walk beside each other. Fills and fault records do not wait for the answer to be taken.
module iommu_miss_queue #(
    // Queues of misses, one a device while there are enough; requests merged with walks in flight; walks; bits of a request's
    // identifier.
    parameter int QUEUES = 4,
    parameter int MERGES = 16,
    parameter int WALKS = 8,
    parameter int ID_W = 8,
    // Derived: bits of a slot number.
    parameter int SLOT_W = $clog2(WALKS)
) (
    input  wire                                     clk_i,
    input  wire                                     rst_i,

    // A request that may come, and one cycle later whether it did; it may be presented as a miss in the cycle after, then with
    // `miss_early_i`.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]     early_next_i,
    input  wire                                     early_valid_i,
    input  wire [ID_W-1:0]                          early_id_i,
    input  wire                                     early_epoch_i,

    // Misses, always taken.
    input  wire                                     miss_valid_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]     miss_request_i,
    input  wire [ID_W-1:0]                          miss_id_i,
    input  wire                                     miss_epoch_i,
    input  wire                                     miss_early_i,

    // Walker: what may start from the next cycle on; start, early start and its commit, merge (iommu_walker.v).
    output wire                                     start_load_o,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]     start_next_request_o,
    output wire [iommu_spec_pkg::HASH_W-1:0]        start_next_hash_o,
    output wire                                     start_valid_o,
    output wire                                     start_early_o,
    output wire                                     start_commit_o,
    input  wire                                     start_ready_i,
    input  wire                                     early_ready_i,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]     start_request_o,
    output wire [iommu_spec_pkg::HASH_W-1:0]        start_hash_o,
    output wire [ID_W-1:0]                          start_id_o,
    output wire                                     start_epoch_o,
    input  wire [WALKS-1:0]                         start_merge_i,
    input  wire                                     start_hold_i,

    // Walker: results.
    input  wire                                     result_valid_i,
    input  wire [SLOT_W-1:0]                        result_next_i,
    input  wire [SLOT_W-1:0]                        result_slot_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]     result_request_i,
    input  wire [ID_W-1:0]                          result_id_i,
    input  wire                                     result_epoch_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]     result_context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]        result_walk_i,
    input  wire                                     result_squashed_i,
    output wire                                     result_release_o,
    output wire                                     result_restart_o,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]     restart_request_o,
    output wire [iommu_spec_pkg::HASH_W-1:0]        restart_hash_o,
    output wire [ID_W-1:0]                          restart_id_o,
    output wire                                     restart_epoch_o,

    // Replies (response_t).
    output wire                                     reply_valid_o,
    input  wire                                     reply_ready_i,
    output wire [ID_W-1:0]                          reply_id_o,
    output wire                                     reply_epoch_o,
    output wire                                     reply_debug_o,
    output wire [iommu_spec_pkg::RESPONSE_W-1:0]    reply_response_o,

    // Faults (fault_t), pushed before the reply leaves or with it.
    output wire                                     fault_valid_o,
    input  wire                                     fault_ready_i,
    output wire [iommu_spec_pkg::FAULT_W-1:0]       fault_o,

    // Fill of the IOTLBs (request_t, translation_t) in the first cycle of the result.
    output wire                                     fill_o,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]     fill_request_o,
    output wire [iommu_spec_pkg::TRANSLATION_W-1:0] fill_translation_o
);
  `include "iommu_records.vh"

  localparam int MISS_W = iommu_spec_pkg::REQUEST_W + ID_W + 1;
  localparam int MERGE_W = $clog2(MERGES);

  // ---- Queues, and the way past them ------------------------------------------------------------------------------------------
  request_t          missed, coming;
  wire [MISS_W-1:0]  first;
  wire [iommu_spec_pkg::HASH_W-1:0] first_hash;
  wire               first_valid, none_waits;
  logic              begun_q;                      // the early request of the cycle before has begun

  assign missed = miss_request_i;
  assign coming = early_next_i;

  // The request that may start: the first one of the queues, held until it is started or merged, else one that may have come.
  logic                              candidate_valid_q;     // it is of the queues
  logic                              early_q;               // it is not
  logic [MISS_W-1:0]                 candidate_q;
  logic [iommu_spec_pkg::HASH_W-1:0] candidate_hash_q;

  wire merge_wanted = start_merge_i != '0;
  logic              merge_room_q;
  wire               merge = candidate_valid_q && merge_wanted && merge_room_q && !start_hold_i;

  iommu_device_queues #(
      .QUEUES(QUEUES),
      .DEPTH(1 << ID_W),
      .WIDTH(iommu_spec_pkg::HASH_W + MISS_W)
  ) u_queues (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (miss_valid_i && !start_commit_o),
      .in_device_i(missed.did),
      .in_data_i  ({iommu_spec_pkg::request_hash({missed.did, missed.pv, missed.pid, missed.priv}, missed.iova[63:12]),
                    miss_request_i, miss_id_i, miss_epoch_i}),
      .out_valid_o(first_valid),
      .out_data_o ({first_hash, first}),
      .take_i     (first_valid && start_load_o),
      .idle_o     (none_waits)
  );

  assign start_load_o = !candidate_valid_q || merge || (start_valid_o && start_ready_i);
  assign start_next_request_o = first_valid ? first[MISS_W-1 -: iommu_spec_pkg::REQUEST_W] : early_next_i;
  assign start_next_hash_o = first_valid ? first_hash
      : iommu_spec_pkg::request_hash({coming.did, coming.pv, coming.pid, coming.priv}, coming.iova[63:12]);
  assign start_request_o = candidate_q[MISS_W-1 -: iommu_spec_pkg::REQUEST_W];
  assign start_hash_o = candidate_hash_q;
  assign {start_id_o, start_epoch_o} = candidate_valid_q ? candidate_q[ID_W:0] : {early_id_i, early_epoch_i};
  assign start_valid_o = candidate_valid_q && !(merge_wanted && (merge_room_q || start_hold_i));
  assign start_early_o = early_valid_i && early_q && none_waits && !merge_wanted;
  assign start_commit_o = begun_q && miss_valid_i && miss_early_i;

  // ---- Merged requests: written in the cycle after the decision, before the walk's result can be there ----------------------------------
  logic [MERGES-1:0]  merged_d, merged_q;
  logic [MISS_W-1:0]  merged_miss_q [0:MERGES-1];
  logic [SLOT_W-1:0]  merged_slot_q [0:MERGES-1];
  logic               merge_q;
  logic [MISS_W-1:0]  merge_miss_q;
  logic [WALKS-1:0]   merge_walks_q;
  // Place for the merge that is written, its bit; those that are taken with it.
  logic [MERGE_W-1:0] free_merge_d, free_merge_q;
  logic [MERGES-1:0]  merge_select, taken, free_select;
  logic [SLOT_W-1:0]  merge_slot;

  localparam int USED_W = MERGE_W + 1;
  logic [USED_W-1:0] used;

  always_comb begin
    used = '0;
    for (int i = 0; i < MERGES; i++) used = used + USED_W'(merged_q[i]);
    for (int i = 0; i < MERGES; i++) merge_select[i] = merge_q && free_merge_q == MERGE_W'(i);
    taken = merged_q | merge_select;
    // Lowest clear bit.
    free_select = ~taken & (taken + 1'b1);
    free_merge_d = '0;
    for (int i = 0; i < MERGES; i++) if (free_select[i]) free_merge_d = free_merge_d | MERGE_W'(i);
    merge_slot = '0;
    // A restarted request walks beside a younger walk of its page: either will do.
    for (int i = WALKS - 1; i >= 0; i--) if (merge_walks_q[i]) merge_slot = SLOT_W'(i);
  end

  // ---- Merged requests of the result: one is chosen, read and compared with the walk, answered, each in a cycle of its own -----
  // Those that wait for the result that comes into the register, and of the one that is there those not chosen yet. None joins them
  // there: a request is not merged with a walk that may end in that cycle. Places after the turn of the walk come first.
  logic [MERGES-1:0]  waiting_next, waiting_d, waiting_q;
  logic [MERGES-1:0]  ahead;
  // None waits for the result.
  logic               joins, alone_d, alone_q;
  // Merged request that each walk has served last: its others come in turn, so that none starves while newer ones of its page
  // keep coming, and each has to walk again (faults, ATS).
  logic [MERGE_W-1:0] turn_q [0:WALKS-1];
  logic [MERGE_W-1:0] result_turn_q;
  logic               turn_over;
  // The one chosen; the next one is chosen while it is read, in a cycle in which none is answered.
  logic [MERGES-1:0]  first_ahead, first_waiting, first_select;
  logic               chosen_valid_d, chosen_valid_q;
  logic [MERGE_W-1:0] chosen_d, chosen_q;
  // The one read: there is one, there is one that the result answers too, it is the last one.
  logic               next_valid_d, next_valid_q;
  logic               next_shared_d, next_shared_q;
  logic [MERGE_W-1:0] next_q;
  logic [MISS_W-1:0]  next_miss, next_miss_q;
  logic               next_last_q;

  always_comb begin
    for (int i = 0; i < MERGES; i++) waiting_next[i] = merged_q[i] && merged_slot_q[i] == result_next_i;
    joins = merge_q && merge_slot == result_next_i;
    alone_d = waiting_next == '0 && !joins;
    if (joins) waiting_next = waiting_next | merge_select;
    // Lowest set bits.
    ahead = waiting_q & ({{MERGES-1{1'b1}}, 1'b0} << result_turn_q);
    first_ahead = ahead & (~ahead + 1'b1);
    first_waiting = waiting_q & (~waiting_q + 1'b1);
    first_select = ahead != '0 ? first_ahead : first_waiting;
    chosen_d = '0;
    for (int i = 0; i < MERGES; i++) if (first_select[i]) chosen_d = chosen_d | MERGE_W'(i);
    waiting_d = waiting_q;
    chosen_valid_d = chosen_valid_q;
    if (!result_valid_i) begin
      waiting_d = waiting_next;
      chosen_valid_d = 1'b0;
    end else if (!next_valid_q) begin
      waiting_d = waiting_q & ~first_select;
      chosen_valid_d = waiting_q != '0;
    end
    next_miss = merged_miss_q[chosen_q];
  end

  // ---- Replies --------------------------------------------------------------------------------------------------------------------
  // 1 while the walk's own request is answered and merged ones follow; the result was there in the cycle before; its fault is pushed.
  logic answered_d, answered_q;
  logic seen_q, recorded_d, recorded_q;

  wire [iommu_spec_pkg::REQUEST_W-1:0] merged_request;
  wire [ID_W-1:0]                      merged_id;
  wire                                 merged_epoch;

  request_t                            result, merged;

  assign {merged_request, merged_id, merged_epoch} = next_miss_q;
  assign result = result_request_i;
  assign merged = merged_request;

  wire record, cacheable, shared;

  iommu_reply u_reply (
      .request_i    (result_request_i),
      .context_i    (result_context_i),
      .walk_i       (result_walk_i),
      .offset_i     (answered_q ? merged.iova[11:0] : result.iova[11:0]),
      .priv_i       (answered_q ? merged.priv : result.priv),
      .merged_i     (next_miss[MISS_W-1 -: iommu_spec_pkg::REQUEST_W]),
      .response_o   (reply_response_o),
      .record_o     (record),
      .fault_o      (fault_o),
      .cacheable_o  (cacheable),
      .translation_o(fill_translation_o),
      .shared_o     (shared)
  );

  wire [MERGES-1:0] next_select = MERGES'(1) << next_q;
  wire              own = result_valid_i && !answered_q;
  wire              other = next_valid_q && answered_q;
  wire              leaves = reply_valid_o && reply_ready_i;
  wire              last = answered_q ? next_last_q : alone_q;

  assign reply_valid_o = answered_q ? next_shared_q : result_valid_i && (!record || recorded_q || fault_ready_i);
  assign reply_id_o = answered_q ? merged_id : result_id_i;
  assign reply_epoch_o = answered_q ? merged_epoch : result_epoch_i;
  assign reply_debug_o = answered_q ? merged.debug : result.debug;
  assign fault_valid_o = own && record && !recorded_q;
  // Two results are at least a cycle apart.
  assign fill_o = result_valid_i && !seen_q && cacheable && !result_squashed_i;
  assign fill_request_o = result_request_i;
  assign result_release_o = leaves && last;
  assign result_restart_o = other && !next_shared_q;
  assign restart_request_o = merged_request;
  assign restart_hash_o = iommu_spec_pkg::request_hash({merged.did, merged.pv, merged.pid, merged.priv}, merged.iova[63:12]);
  assign restart_id_o = merged_id;
  assign restart_epoch_o = merged_epoch;

  always_comb begin
    merged_d = taken;
    turn_over = other && (leaves || result_restart_o);
    if (turn_over) merged_d = merged_d & ~next_select;
    recorded_d = own && !leaves && (recorded_q || (fault_valid_o && fault_ready_i));
    answered_d = answered_q;
    if (own && leaves) answered_d = !last;
    if (other && ((leaves && last) || result_restart_o)) answered_d = 1'b0;
    next_valid_d = next_valid_q ? !turn_over : result_valid_i && chosen_valid_q;
    next_shared_d = next_valid_d && (next_valid_q ? next_shared_q : shared);
  end

  always_ff @(posedge clk_i) begin
    merged_q <= merged_d;
    candidate_valid_q <= start_load_o ? first_valid : 1'b1;
    early_q <= start_load_o && !first_valid;
    if (start_load_o) begin
      candidate_q <= {start_next_request_o, first[ID_W:0]};
      candidate_hash_q <= start_next_hash_o;
    end
    merge_q <= merge;
    merge_miss_q <= candidate_q;
    merge_walks_q <= start_merge_i;
    free_merge_q <= free_merge_d;
    // For a merge that is being written, and for two that are decided.
    merge_room_q <= used <= USED_W'(MERGES - 3);
    if (!result_valid_i) begin
      alone_q <= alone_d;
      result_turn_q <= turn_q[result_next_i];
    end
    waiting_q <= waiting_d;
    chosen_valid_q <= chosen_valid_d;
    if (!next_valid_q) begin
      chosen_q <= chosen_d;
      next_q <= chosen_q;
      next_miss_q <= next_miss;
      next_last_q <= waiting_q == '0;
    end
    next_valid_q <= next_valid_d;
    next_shared_q <= next_shared_d;
    if (turn_over) turn_q[result_slot_i] <= next_q;
    answered_q <= answered_d;
    recorded_q <= recorded_d;
    seen_q <= result_valid_i;
    begun_q <= start_early_o && early_ready_i;
    if (merge_q) begin
      merged_miss_q[free_merge_q] <= merge_miss_q;
      merged_slot_q[free_merge_q] <= merge_slot;
    end
    if (rst_i) begin
      candidate_valid_q <= 1'b0;
      merged_q <= '0;
      merge_q <= 1'b0;
      merge_room_q <= 1'b1;
      chosen_valid_q <= 1'b0;
      next_valid_q <= 1'b0;
      next_shared_q <= 1'b0;
      for (int i = 0; i < WALKS; i++) turn_q[i] <= '0;
      answered_q <= 1'b0;
      recorded_q <= 1'b0;
      seen_q <= 1'b0;
      begun_q <= 1'b0;
    end
  end

  generate
    if (MERGES < 4) begin : g_check_merges
      initial $fatal(1, "iommu_miss_queue: MERGES must be 4 or more: three are kept for merges that are under way");
    end
  endgenerate

`ifndef SYNTHESIS
  logic [MERGES-1:0] unanswered;

  always_comb for (int i = 0; i < MERGES; i++) unanswered[i] = merged_q[i] && merged_slot_q[i] == result_slot_i;

  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!result_valid_i || unanswered == (waiting_q | (chosen_valid_q ? MERGES'(1) << chosen_q : '0) |
          (next_valid_q ? next_select : '0))) else $error("iommu_miss_queue: who waits for a result was not known before");
      assert (!own || alone_q == (unanswered == '0)) else $error("iommu_miss_queue: a result is alone otherwise than was said");
      assert (!answered_q || unanswered != '0) else $error("iommu_miss_queue: result held without a waiting request");
      assert (!next_valid_q || result_valid_i) else $error("iommu_miss_queue: a request is answered without a result");
      assert (!merge_q || !merged_q[free_merge_q]) else $error("iommu_miss_queue: a merged request has no place");
      assert (!merge_q || !result_valid_i || merge_slot != result_slot_i)
      else $error("iommu_miss_queue: a request is merged with a walk that is answered");
    end
  end
`endif

endmodule
`default_nettype wire
