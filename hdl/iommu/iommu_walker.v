`default_nettype none
// Walks in flight: WALKS slots, each the record of one walk. One step begins per cycle: for a memory response first, then for a
// slot that goes on without memory, then for a new walk. Every slot has at most one access outstanding or queued, so memory
// responses are always accepted. A step takes two cycles: in the first, iommu_walk_event finds out about the response, or
// iommu_walk_look about the request and the caches; in the second, iommu_walk_advance says where the walk goes, and its access is
// presented. A success that ends with the entry just read is in the result register in the third cycle; of other ends
// iommu_walk_conclude makes a result in that cycle, and iommu_walk_outcome its answer in the fourth. A slot that goes on without memory is
// fetched by a step of its own, so only responses read the records they work on.
// A request that may turn out to be a miss begins early, when nothing else does: it takes the first cycle of its step, and the second
// only if it is one.
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

    // New walk, its hash that of the requester and the page (iommu_spec_pkg). Both come with `start_load_i` in the cycle before as
    // `start_next_*`, and stay until others do.
    input  wire                                       start_load_i,
    // `start_merge_o`: the walks in flight whose hash is the same, so that this request may share their result (then do not start it).
    // `start_early_i` instead of `start_valid_i`: it is not known yet whether it is one; if it was ready, `start_commit_i` says so in the
    // next cycle. Each has its ready; not both are presented.
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

    // Lookup and fill of the context cache and the walk caches: combinational lookup, if `lookup_start_o` of what may start, else of the
    // request that `next_again_o` and `next_gscid_o` announced in the cycle before; for the walk cache under `lookup_context_o`, for the
    // second stage of `lookup_guest_o`. Fill two cycles later under `fill_request_o` and `fill_guest_o`. A cycle before the fill
    // `lookup_guest_request_o`, `lookup_guest_context_o`, `next_guest_o` and `next_page_o` are those of what is filled.
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       next_again_o,
    output wire [15:0]                                next_gscid_o,
    output wire                                       lookup_start_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       lookup_context_o,
    input  wire                                       context_hit_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       context_i,
    input  wire                                       table_hit_i,
    input  wire [9:0]                                 table_other_i,
    input  wire [43:0]                                table_ppn_i,
    input  wire [1:0]                                 table_pbmt_i,
    input  wire                                       table_w_i,
    input  wire                                       table_g_i,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       lookup_guest_request_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       lookup_guest_context_o,
    output wire [63:0]                                lookup_guest_o,
    input  wire                                       second_used_i,
    input  wire                                       second_hit_i,
    input  wire [43:0]                                second_ppn_i,
    output wire [3:0]                                 leaf_rights_o,
    input  wire                                       leaf_hit_i,
    input  wire [iommu_spec_pkg::SECOND_LEAF_W-1:0]   leaf_i,
    input  wire [43:0]                                leaf_ppn_i,
    output wire [63:0]                                next_guest_o,
    output wire [2:0]                                 next_page_o,
    output wire                                       context_fill_o,
    output wire                                       table_fill_o,
    output wire                                       second_fill_o,
    output wire                                       leaf_fill_o,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_o,
    output wire [63:0]                                fill_guest_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       fill_context_o,
    output wire [43:0]                                fill_ppn_o,
    output wire [1:0]                                 fill_pbmt_o,
    output wire                                       fill_w_o,
    output wire                                       fill_g_o,
    output wire [iommu_spec_pkg::SECOND_LEAF_W-1:0]   fill_leaf_o,

    // The memory response is the line of a last-level first-stage entry, for the walk of this slot; G of the pointers above it.
    output wire                                       line_o,
    output wire [SLOT_W-1:0]                          line_slot_o,
    output wire                                       line_g_o,

    // 1 in a cycle with an invalidation: squashes the fills of every walk in flight, and of those that start in the next cycle, in which
    // the caches may still answer with what it removes.
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
  logic [WALKS-1:0] again_d, again_q;        // takes a step without memory, and is not picked yet
  logic [WALKS-1:0] fresh_d, fresh_q;        // restarted: its walk_q is not of this request
  logic [WALKS-1:0] done_d, done_q;          // result waits
  logic [WALKS-1:0] squashed_d, squashed_q;  // an invalidation came
  // In the cycle before: a walk that starts now may still see what it removes, so it counts as in flight.
  logic             invalidate_q;

  // Requests, the hashes that are compared with new ones, and, from the first step on, the requests as the steps read them.
  logic [iommu_spec_pkg::REQUEST_W-1:0] request_q [0:WALKS-1];
  logic [iommu_spec_pkg::HASH_W-1:0]    hash_q [0:WALKS-1];
  logic [iommu_spec_pkg::REQUEST_W-1:0] walked_q [0:WALKS-1];
  logic [iommu_spec_pkg::CONTEXT_W-1:0] context_q [0:WALKS-1];
  // Progress of the walks, and the records of those that have ended.
  localparam int PROGRESS_W = iommu_spec_pkg::WALK_W - iommu_spec_pkg::OUTCOME_W;
  logic [PROGRESS_W-1:0]                walk_q [0:WALKS-1];
  logic [iommu_spec_pkg::WALK_W-1:0]    ended_q [0:WALKS-1];
  logic [ID_W-1:0]                      id_q [0:WALKS-1];
  logic [WALKS-1:0]                     epoch_q;

  // The step in its second stage: what the first one found, and what the caches answered it.
  logic                                 advance_d, advance_q;
  logic [SLOT_W-1:0]                    advance_slot_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0] advance_request_d, advance_request_q;
  logic [iommu_spec_pkg::CONTEXT_W-1:0] advance_context_d, advance_context_q;
  walk_t                                advance_walk_d, advance_walk_q;
  finding_t                             finding_d, finding_q;
  logic                                 table_hit_q, table_w_q, table_g_q, second_used_q, second_hit_q;
  logic [9:0]                           table_other_q;
  logic [43:0]                          table_ppn_q, second_ppn_q;
  logic [1:0]                           table_pbmt_q;
  // Page number bits beyond the physical address size (capabilities_i is static).
  logic [43:0]                          beyond_q;
  // There is one and it may step again (then `step_again` says so): the next first stage takes it if no response comes.
  logic                                 look_d, look_q;
  logic                                 outside_q;     // !look_q, for what is looked up

  // The walk that the interrupt file unit works for; 1 from the cycle after its number is known until the walk goes on with it.
  logic [SLOT_W-1:0]                    index_slot_q;
  logic                                 index_called_d, index_called_q;

  // ---- Choice of the event ----------------------------------------------------------------------------------------------------
  // The slot that is fetched next is chosen a cycle ahead.
  logic              pick_d, pick_q;
  logic [SLOT_W-1:0] pick_slot_q;
  wire  [SLOT_W-1:0] pick_slot;
  wire  [WALKS-1:0]  pick_grant;
  wire               take_look = !mem_rsp_valid_i && look_q;
  wire               goes_on = take_look && !(finding_q.first && finding_q.stale);
  wire               take_again = !mem_rsp_valid_i && !look_q && pick_q;
  wire  [WALKS-1:0]  picked = pick_q ? WALKS'(1) << pick_slot_q : '0;
  wire  [WALKS-1:0]  fetched = take_again ? picked : '0;
  // A request that began early and is committed in this cycle, or not.
  logic              early_q;
  logic [WALKS-1:0]  early_slot_q;           // its slot, one-hot
  wire  [WALKS-1:0]  step_slot = WALKS'(1) << advance_slot_q;
  wire  [WALKS-1:0]  occupied = busy_q | early_slot_q;
  // A slot that was fetched and lost the cycle of its look to a response has to be fetched anew. One of those is watched: when it has lost
  // some in a row, new walks wait until it has looked, or responses to those could keep it waiting for ever.
  localparam int LOSSES_W = 4;
  logic [LOSSES_W-1:0] losses_d, losses_q;
  logic [SLOT_W-1:0] loser_q;
  logic              fetched_q;              // the step in its second stage is a fetch
  wire               starting = !mem_rsp_valid_i && !look_q && !pick_q && losses_q != '1;
  wire               take_start = start_valid_i && start_ready_o;
  wire               take_early = start_early_i && early_ready_o;
  wire               free = occupied != '1;
  logic [SLOT_W-1:0] free_slot;
  wire  [WALKS-1:0]  free_select = ~occupied & (occupied + 1'b1);

  round_robin_arbiter #(
      .REQUESTS(WALKS)
  ) u_again (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .request_i    (again_q),
      .advance_i    (!pick_q || take_again),
      .grant_o      (pick_grant),
      .grant_index_o(pick_slot)
  );

  always_comb begin
    free_slot = '0;
    for (int i = 0; i < WALKS; i++) if (free_select[i]) free_slot = free_slot | SLOT_W'(i);
    pick_d = again_q != '0 || (pick_q && !take_again);
  end

  // One start in a cycle: not beside a commit.
  assign start_ready_o = starting && free && !early_q;
  assign early_ready_o = starting && free;

  wire [SLOT_W-1:0] slot = mem_rsp_valid_i ? mem_rsp_slot_i : look_q ? advance_slot_q : pick_q ? pick_slot_q : free_slot;
  wire [WALKS-1:0]  start_slot = take_start || take_early ? free_select : '0;

  // ---- First stage: a response ---------------------------------------------------------------------------------------------------
  walk_t    kept, step_walk;
  context_t kept_context, step_context;
  finding_t event_found;
  wire [iommu_spec_pkg::REQUEST_W-1:0] kept_request = walked_q[mem_rsp_slot_i];
  wire [iommu_spec_pkg::CONTEXT_W-1:0] event_context;
  wire [iommu_spec_pkg::WALK_W-1:0]    event_walk;
  wire [iommu_spec_pkg::FINDING_W-1:0] event_finding;

  assign kept = {walk_q[mem_rsp_slot_i], {iommu_spec_pkg::OUTCOME_W{1'b0}}};
  assign kept_context = context_q[mem_rsp_slot_i];

  iommu_walk_event u_event (
      .capabilities_i(capabilities_i),
      .big_endian_i  (big_endian_i),
      .request_i     (kept_request),
      .context_i     (kept_context),
      .walk_i        (kept),
      .data_i        (mem_rsp_data_i),
      .err_i         (mem_rsp_err_i),
      .poison_i      (mem_rsp_poison_i),
      .context_o     (event_context),
      .walk_o        (event_walk),
      .finding_o     (event_finding)
  );

  assign event_found = event_finding;
  assign line_o = mem_rsp_valid_i && kept.state == iommu_spec_pkg::WALK_FIRST && kept.level == 3'd0;
  assign line_slot_o = mem_rsp_slot_i;
  assign line_g_o = kept.g;

  // ---- First stage: a look, at a walk that has just made its step, or at a request that starts one --------------------------------
  wire [63:0]                          look_entry;
  wire [51:0]                          msi_index;
  wire [iommu_spec_pkg::FINDING_W-1:0] look_finding;
  wire [2:0]                           look_level;
  wire [iommu_spec_pkg::REQUEST_W-1:0] look_request = outside_q ? start_request_i : advance_request_q;

  // What the look is at (iommu_walk_look.v), and whether the guest address is that of a table: known a cycle before, but whether an entry
  // of the first stage is a leaf. A walk that starts again because of such an entry is fetched before it looks.
  logic [3:0] kind_d, kind_q;
  logic       implicit_d, implicit_q;
  logic [3:0] wanted_q;                      // what its request wants: {an ATS translation request, X, W, R}
  wire  [3:0] look_kind = outside_q ? 4'b0001 : kind_q;
  wire        look_implicit = finding_q.first ? !finding_q.leaf : implicit_q;

  iommu_walk_look u_look (
      .capabilities_i(capabilities_i),
      .ddtp_mode_i   (ddtp_mode_i),
      .ddtp_ppn_i    (ddtp_ppn_i),
      .kind_i        (look_kind),
      .implicit_i    (look_implicit),
      .request_i     (look_request),
      .context_i     (advance_context_q),
      .guest_i       (finding_q.target),
      .wanted_i      (wanted_q),
      .msi_index_i   (msi_index),
      .context_hit_i (context_hit_i),
      .leaf_rights_o (leaf_rights_o),
      .leaf_hit_i    (leaf_hit_i),
      .leaf_i        (leaf_i),
      .leaf_ppn_i    (leaf_ppn_i),
      .entry_o       (look_entry),
      .finding_o     (look_finding),
      .level_o       (look_level)
  );

  assign lookup_start_o = outside_q;
  assign lookup_guest_request_o = advance_request_q;
  assign lookup_guest_context_o = advance_context_q;
  assign lookup_guest_o = finding_q.target;
  assign next_guest_o = advance_walk_q.guest;
  assign next_page_o = finding_q.page;

  // ---- What goes on to the second stage ----------------------------------------------------------------------------------------
  wire   response_looks = event_found.first ? kept_context.second_mode != 4'd0
      : event_found.process ? kept.level == 3'd0 || kept_context.second_mode != 4'd0 : event_found.directory && kept.level == 3'd0;
  wire   begins = look_q ? look_kind[0] : !pick_q;
  walk_t picked_walk;
  wire   picked_index = index_called_q && pick_slot_q == index_slot_q;

  context_t picked_context;
  // The slot that is fetched next, read when it is chosen: nothing changes in it until then.
  logic                                 picked_fresh_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0] picked_request_q;
  logic [iommu_spec_pkg::CONTEXT_W-1:0] picked_context_q;
  logic [PROGRESS_W-1:0]                picked_walk_q;

  assign picked_walk = {picked_walk_q, {iommu_spec_pkg::OUTCOME_W{1'b0}}};
  assign picked_context = picked_context_q;
  // A step that looks in the next cycle is that of a response, or a fetch; what its request wants of a leaf is known then.
  wire [3:0] next_wanted;
  wire [8:0] unused_access_cause, unused_page_cause, unused_guest_cause;

  iommu_access_kind u_next_kind (
      .request_i     (next_again_o),
      .exec_o        (next_wanted[2]),
      .read_o        (next_wanted[0]),
      .write_o       (next_wanted[1]),
      .probe_o       (next_wanted[3]),
      .access_cause_o(unused_access_cause),
      .page_cause_o  (unused_page_cause),
      .guest_cause_o (unused_guest_cause)
  );

  assign next_again_o = mem_rsp_valid_i ? kept_request : picked_request_q;
  assign next_gscid_o = mem_rsp_valid_i ? kept_context.gscid : picked_context.gscid;
  assign look_d = mem_rsp_valid_i ? response_looks : take_again;
  assign lookup_context_o = begins ? context_i : advance_context_q;

  always_comb begin
    advance_request_d = look_q ? advance_request_q : pick_q ? picked_request_q : start_request_i;
    advance_walk_d = look_q ? step_walk : pick_q && !picked_fresh_q ? picked_walk : '0;
    if (!look_q && picked_index) advance_walk_d.state = iommu_spec_pkg::WALK_MSI_INDEX;
    kind_d = picked_index ? 4'b1000 : {1'b0, picked_walk.state == iommu_spec_pkg::WALK_GUEST,
                                       picked_walk.state == iommu_spec_pkg::WALK_CONTEXT, picked_walk.state == iommu_spec_pkg::WALK_START};
    if (picked_fresh_q) kind_d = 4'b0001;
    if (mem_rsp_valid_i)
      kind_d = {1'b0, event_found.first || (event_found.process && kept.level != 3'd0),
                event_found.directory || (event_found.process && kept.level == 3'd0), 1'b0};
    implicit_d = mem_rsp_valid_i || picked_walk.purpose != iommu_spec_pkg::PURPOSE_REQUEST;
    if (begins) advance_walk_d.level = look_level;
    // Looked up only at a guest address, when the record holds no other entry.
    if (look_q) advance_walk_d.entry = look_entry;
    advance_context_d = begins ? (context_hit_i ? context_i : '0) : look_q ? step_context : picked_context;
    finding_d = look_finding;
    if (!look_q && pick_q) begin
      finding_d = '0;
      finding_d.fetch = 1'b1;
      finding_d.target = picked_walk.guest;
    end
    if (mem_rsp_valid_i) begin
      advance_request_d = kept_request;
      advance_walk_d = event_walk;
      advance_context_d = event_context;
      finding_d = event_found;
    end
  end

  // ---- Second stage: the advance ----------------------------------------------------------------------------------------------
  wire [iommu_spec_pkg::CONTEXT_W-1:0] context_after;
  wire [iommu_spec_pkg::WALK_W-1:0]    walk_after, ended_walk, concluded_walk;
  wire [4:0]                           step_end;
  wire                                 concluded_fault, advance_access, step_update, advance_again, advance_index, advance_ends;
  wire                                 step_context_fill, step_table_fill, step_second_fill, step_leaf_fill;
  wire [iommu_spec_pkg::SECOND_LEAF_W-1:0] step_leaf;
  wire [55:0]                          step_address;
  wire [6:0]                           step_size;
  wire [127:0]                         step_data;
  wire [1:0]                           step_pbmt;
  wire [23:0]                          step_qos;
  walk_t                               kept_next;

  iommu_walk_advance #(
      .LINE_READS(LINE_READS)
  ) u_advance (
      .capabilities_i  (capabilities_i),
      .big_endian_i    (big_endian_i),
      .qos_i           (qos_i),
      .beyond_i        (beyond_q),
      .request_i       (advance_request_q),
      .context_i       (advance_context_q),
      .walk_i          (advance_walk_q),
      .finding_i       (finding_q),
      .table_hit_i     (table_hit_q && table_other_q == '0),
      .table_ppn_i     (table_ppn_q),
      .table_pbmt_i    (table_pbmt_q),
      .table_w_i       (table_w_q),
      .table_g_i       (table_g_q),
      .second_used_i   (second_used_q),
      .second_hit_i    (second_hit_q),
      .second_ppn_i    (second_ppn_q),
      .context_o       (context_after),
      .walk_o          (walk_after),
      .access_o        (advance_access),
      .access_update_o (step_update),
      .access_address_o(step_address),
      .access_size_o   (step_size),
      .access_data_o   (step_data),
      .access_pbmt_o   (step_pbmt),
      .access_qos_o    (step_qos),
      .again_o         (advance_again),
      .index_o         (advance_index),
      .end_o           (step_end),
      .ends_o          (advance_ends),
      .ended_walk_o    (ended_walk),
      .context_fill_o  (step_context_fill),
      .table_fill_o    (step_table_fill),
      .second_fill_o   (step_second_fill),
      .leaf_fill_o     (step_leaf_fill),
      .leaf_o          (step_leaf)
  );

  assign step_context = context_after;
  assign step_walk = walk_after;

  // Whether a miss commits its step comes late.
  wire             step = advance_q && (!early_q || start_commit_i);
  wire             step_access = advance_access && step;
  wire             step_again = advance_again && step;
  wire             step_index = advance_index && step;
  wire             step_done = !advance_access && !advance_again && !advance_index && step;
  wire             step_ends = advance_ends && advance_q && !early_q;

  assign advance_d = mem_rsp_valid_i || take_again || (goes_on && advance_again) || take_start || take_early;

  // ---- Interrupt file numbers: one at a time; who finds the unit busy looks again when it is free and its turn has come ----------
  logic [WALKS-1:0]  refused_d, refused_q;
  // Who was called and has not looked again: nobody else gets the unit, or one of them might be passed for ever.
  logic [WALKS-1:0]  turn_d, turn_q;
  wire  [WALKS-1:0]  next_turn;
  wire  [SLOT_W-1:0] unused_turn_index;
  wire               index_busy, index_done;
  wire               index_taken = take_look && look_kind[3];
  wire [WALKS-1:0]   index_call = index_done && !index_called_q ? WALKS'(1) << index_slot_q : '0;
  wire [WALKS-1:0]   recalled = !index_busy && turn_q == '0 ? next_turn : '0;
  wire               index_admits = !index_busy && (turn_q == '0 ? refused_q == '0 : turn_q == step_slot);
  context_t          advance_context;

  assign advance_context = advance_context_q;

  round_robin_arbiter #(
      .REQUESTS(WALKS)
  ) u_turn (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .request_i    (refused_q),
      .advance_i    (recalled != '0),
      .grant_o      (next_turn),
      .grant_index_o(unused_turn_index)
  );

  iommu_msi_index u_msi_index (
      .clk_i    (clk_i),
      .rst_i    (rst_i),
      .start_i  (step_index && index_admits),
      .page_i   (finding_q.target[63:12]),
      .mask_i   (advance_context.msi_mask & iommu_spec_pkg::guest_page_bits(capabilities_i)),
      .busy_o   (index_busy),
      .done_o   (index_done),
      .index_o  (msi_index),
      .release_i(index_taken)
  );

  // ---- Fills of the caches ------------------------------------------------------------------------------------------------------
  wire fills = step && !squashed_q[advance_slot_q] && !invalidate_i;

  // Registered: an invalidation in the cycle after the step counts as well.
  logic                                 context_fill_q, table_fill_q, second_fill_q, leaf_fill_q, fill_g_q, fill_w_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0] fill_request_q;
  logic [iommu_spec_pkg::CONTEXT_W-1:0] fill_context_q;
  logic [63:0]                          fill_guest_q;
  logic [43:0]                          fill_ppn_q;
  logic [1:0]                           fill_pbmt_q;
  logic [iommu_spec_pkg::SECOND_LEAF_W-1:0] fill_leaf_q;

  assign context_fill_o = context_fill_q && !invalidate_i;
  assign table_fill_o = table_fill_q && !invalidate_i;
  assign second_fill_o = second_fill_q && !invalidate_i;
  assign leaf_fill_o = leaf_fill_q && !invalidate_i;
  assign fill_leaf_o = fill_leaf_q;
  assign fill_request_o = fill_request_q;
  assign fill_guest_o = fill_guest_q;
  assign fill_context_o = fill_context_q;
  assign fill_ppn_o = fill_ppn_q;
  assign fill_g_o = fill_g_q;
  assign fill_pbmt_o = fill_pbmt_q;
  assign fill_w_o = fill_w_q;

  // ---- Merging ------------------------------------------------------------------------------------------------------------------------
  // Hashes are compared in the cycle before, with that of a walk that starts then as well. A request that waits while a walk is restarted
  // is not merged with that.
  request_t         start;
  logic             start_loaded_q;
  logic [WALKS-1:0] same_next_q, same_kept_q;
  wire  [WALKS-1:0] same_hash = start_loaded_q ? same_next_q : same_kept_q;
  wire              same_start = start_hash_i == start_next_hash_i;

  assign start = start_request_i;

  generate
    for (genvar i = 0; i < WALKS; i++) begin : g_merge
      request_t held;
      assign held = request_q[i];
      assign start_merge_o[i] = occupied[i] && !done_q[i] && !squashed_q[i] && !invalidate_i &&
          start.at == iommu_spec_pkg::AT_UNTRANSLATED && held.at == iommu_spec_pkg::AT_UNTRANSLATED &&
          same_hash[i];
    end
  endgenerate

  assign start_hold_o = advance_q && start_merge_o[advance_slot_q];

  // ---- Accesses and results: presented at once where none waits ------------------------------------------------------------------
  localparam int ACCESS_W = SLOT_W + 1 + 56 + 7 + 128 + 24 + 2;
  wire [$clog2(WALKS+1)-1:0] unused_access_count, unused_result_count;
  wire                       access_room, result_room, access_waits, result_waits;
  wire                       mem_req_update;
  wire [ACCESS_W-1:0]        access_head;
  wire [ACCESS_W-1:0]        access = {advance_slot_q, step_update, step_address, step_size, step_data, step_qos, step_pbmt};
  // The access of the cycle before if memory did not take it then.
  logic                      late_q;
  logic [ACCESS_W-1:0]       late_access_q;

  fifo #(
      .WIDTH(ACCESS_W),
      .DEPTH(WALKS)
  ) u_accesses (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (late_q && (access_waits || !mem_req_ready_i)),
      .in_ready_o (access_room),
      .in_data_i  (late_access_q),
      .out_valid_o(access_waits),
      .out_ready_i(mem_req_ready_i),
      .out_data_o (access_head),
      .count_o    (unused_access_count)
  );

  assign mem_req_valid_o = access_waits || late_q || step_access;
  assign {mem_req_slot_o, mem_req_update, mem_req_addr_o, mem_req_size_o, mem_req_wdata_o, mem_req_qos_o, mem_req_pbmt_o} =
      access_waits ? access_head : late_q ? late_access_q : access;
  assign mem_req_op_o = mem_req_update ? iommu_pkg::MEMORY_CAS64 : iommu_pkg::MEMORY_READ;

  logic              observed_q;
  logic [SLOT_W-1:0] observed_slot_q;
  logic [3:0]        observed_state_q;
  event_source_t     observed_source_d, observed_source_q;
  request_t          advance_request;

  assign advance_request = advance_request_q;
  assign access_valid_o = observed_q;
  assign access_slot_o = observed_slot_q;
  assign access_state_o = observed_state_q;
  assign access_source_o = observed_source_q;
  assign reused_o = step && finding_q.reused;
  assign reused_slot_o = advance_slot_q;

  // A guest is known with the device context, a process address space once its first stage is.
  always_comb begin
    observed_source_d.did = advance_request.did;
    observed_source_d.pv = advance_request.pv;
    observed_source_d.pid = advance_request.pid;
    observed_source_d.gv = step_context.second_mode != 4'd0;
    observed_source_d.gscid = step_context.gscid;
    observed_source_d.pscv = step_context.resolved && step_context.first_mode != 4'd0;
    observed_source_d.pscid = step_context.pscid;
  end

  // ---- Third cycle: the result of a walk whose last step was in the cycle before -------------------------------------------------------------
  logic                               last_q, last_ends_q; // there is one; it ended in success with the entry just read
  logic [SLOT_W-1:0]                  last_slot_q;
  logic [iommu_spec_pkg::WALK_W-1:0]  last_walk_q, last_ended_walk_q;
  logic [iommu_spec_pkg::FINDING_W-1:0] last_finding_q;
  logic [4:0]                         last_end_q;

  iommu_walk_conclude u_conclude (
      .request_i(fill_request_q),
      .context_i(fill_context_q),
      .walk_i   (last_walk_q),
      .finding_i(last_finding_q),
      .end_i    (last_end_q),
      .fault_o  (concluded_fault),
      .walk_o   (concluded_walk)
  );

  // ---- Fourth cycle: faults, and what ends behind one --------------------------------------------------------------------------------------
  logic                               concluded_q, concluded_fault_q, concluded_probe_q, concluded_dtf_q;
  logic [SLOT_W-1:0]                  concluded_slot_q;
  logic [iommu_spec_pkg::WALK_W-1:0]  concluded_walk_q;
  wire  [iommu_spec_pkg::WALK_W-1:0]  answered_walk;
  request_t                           last_request;
  context_t                           last_context;

  assign last_request = fill_request_q;
  assign last_context = fill_context_q;

  iommu_walk_outcome u_outcome (
      .walk_i (concluded_walk_q),
      .fault_i(concluded_fault_q),
      .probe_i(concluded_probe_q),
      .dtf_i  (concluded_dtf_q),
      .walk_o (answered_walk)
  );

  // ---- Results: a register, loaded from the slot of one that waits, or from a success of the last cycle or of this one; others wait -------
  logic                                 result_valid_q, result_epoch_q, result_squashed_q;
  logic                                 result_valid_d;
  // !result_valid_q, for what is loaded: the answer has enough to drive with one.
  logic                                 result_free_q;
  logic [SLOT_W-1:0]                    result_slot_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0] result_request_q;
  logic [ID_W-1:0]                      result_id_q;
  logic [iommu_spec_pkg::CONTEXT_W-1:0] result_context_q;
  logic [iommu_spec_pkg::WALK_W-1:0]    result_walk_q;
  wire  [SLOT_W-1:0]                    result_head;
  wire  [SLOT_W-1:0]                    result_next = result_waits ? result_head : last_q ? last_slot_q : advance_slot_q;
  wire                                  result_end = result_release_i || result_restart_i;
  wire  [WALKS-1:0]                     result_select = WALKS'(1) << result_slot_q;
  wire                                  queues = last_q && (!last_ends_q || result_valid_q || result_waits);
  wire                                  queues_success = queues && last_ends_q && !concluded_q;
  wire  [SLOT_W-1:0]                    waiting_slot = concluded_q ? concluded_slot_q : last_slot_q;
  wire                                  at_once = step_ends && !result_valid_q && !result_waits && !last_q;

  fifo #(
      .WIDTH(SLOT_W),
      .DEPTH(WALKS)
  ) u_results (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (concluded_q || queues_success),
      .in_ready_o (result_room),
      .in_data_i  (waiting_slot),
      .out_valid_o(result_waits),
      .out_ready_i(!result_valid_q),
      .out_data_o (result_head),
      .count_o    (unused_result_count)
  );

  always_comb result_valid_d = result_valid_q ? !result_end : result_waits || (last_q ? last_ends_q : step_ends);

  always_ff @(posedge clk_i) begin
    result_valid_q <= result_valid_d;
    result_free_q <= !result_valid_d;
    result_squashed_q <= (result_free_q ? squashed_q[result_next] : result_squashed_q) || invalidate_i || invalidate_q;
    // What stands there while there is none does not matter.
    if (result_free_q) begin
      result_slot_q <= result_next;
      result_request_q <= result_waits ? walked_q[result_head] : last_q ? fill_request_q : advance_request_q;
      result_context_q <= result_waits ? context_q[result_head] : last_q ? fill_context_q : advance_context_q;
      result_walk_q <= result_waits ? ended_q[result_head] : last_q ? last_ended_walk_q : ended_walk;
      result_id_q <= id_q[result_next];
      result_epoch_q <= epoch_q[result_next];
    end
    if (rst_i) begin
      result_valid_q <= 1'b0;
      result_free_q <= 1'b1;
    end
  end

  assign result_valid_o = result_valid_q;
  assign result_next_o = result_next;
  assign result_slot_o = result_slot_q;
  assign result_request_o = result_request_q;
  assign result_id_o = result_id_q;
  assign result_epoch_o = result_epoch_q;
  assign result_context_o = result_context_q;
  assign result_walk_o = result_walk_q;
  assign result_squashed_o = result_squashed_q;

  // ---- Next state ------------------------------------------------------------------------------------------------------------
  always_comb begin
    losses_d = losses_q;
    if (fetched_q && (losses_q == '0 || advance_slot_q == loser_q)) begin
      if (!mem_rsp_valid_i) losses_d = '0;
      else if (losses_q != '1) losses_d = losses_q + 1'b1;
    end
    refused_d = refused_q & ~recalled;
    if (step_index && !index_admits) refused_d = refused_d | step_slot;
    turn_d = recalled | (step && !advance_again ? turn_q & ~step_slot : turn_q);
    index_called_d = index_done && !index_taken;
    // Who waits for an interrupt file number looks at the guest address again, or at the number if the unit works for it then.
    kept_next = step_walk;
    if (advance_index) kept_next.state = iommu_spec_pkg::WALK_GUEST;
    busy_d = busy_q | (take_start ? start_slot : '0) | (start_commit_i ? early_slot_q : '0);
    again_d = (!pick_q || take_again ? again_q & ~pick_grant : again_q) | (step_again && !goes_on ? step_slot : '0) | recalled | index_call;
    fresh_d = fresh_q & ~fetched;
    done_d = done_q | (step_done ? step_slot : '0);
    squashed_d = squashed_q & ~start_slot;
    if (invalidate_i || invalidate_q) squashed_d = squashed_d | occupied | start_slot;
    if (result_end) begin
      done_d = done_d & ~result_select;
      if (result_release_i) busy_d = busy_d & ~result_select;
      else begin
        again_d = again_d | result_select;
        fresh_d = fresh_d | result_select;
        if (!invalidate_i && !invalidate_q) squashed_d = squashed_d & ~result_select;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    busy_q <= busy_d;
    again_q <= again_d;
    fresh_q <= fresh_d;
    done_q <= done_d;
    squashed_q <= squashed_d;
    invalidate_q <= invalidate_i;
    advance_q <= advance_d;
    early_q <= take_early;
    early_slot_q <= take_early ? free_select : '0;
    advance_slot_q <= slot;
    advance_request_q <= advance_request_d;
    advance_context_q <= advance_context_d;
    advance_walk_q <= advance_walk_d;
    finding_q <= finding_d;
    look_q <= look_d;
    losses_q <= losses_d;
    fetched_q <= take_again;
    if (losses_q == '0) loser_q <= advance_slot_q;
    kind_q <= kind_d;
    wanted_q <= next_wanted;
    implicit_q <= implicit_d;
    outside_q <= !look_d;
    pick_q <= pick_d;
    if (!pick_q || take_again) begin
      pick_slot_q <= pick_slot;
      picked_fresh_q <= fresh_q[pick_slot];
      picked_request_q <= request_q[pick_slot];
      picked_context_q <= context_q[pick_slot];
      picked_walk_q <= walk_q[pick_slot];
    end
    start_loaded_q <= start_load_i;
    beyond_q <= iommu_spec_pkg::page_bits_beyond(capabilities_i);
    refused_q <= refused_d;
    turn_q <= turn_d;
    index_called_q <= index_called_d;
    if (step_index && index_admits) index_slot_q <= advance_slot_q;
    table_hit_q <= table_hit_i;
    table_other_q <= table_other_i;
    table_ppn_q <= table_ppn_i;
    table_pbmt_q <= table_pbmt_i;
    table_w_q <= table_w_i;
    table_g_q <= table_g_i;
    second_used_q <= second_used_i;
    second_hit_q <= second_hit_i;
    second_ppn_q <= second_ppn_i;
    context_fill_q <= fills && step_context_fill;
    table_fill_q <= fills && step_table_fill;
    second_fill_q <= fills && step_second_fill;
    leaf_fill_q <= fills && step_leaf_fill;
    fill_leaf_q <= step_leaf;
    fill_request_q <= advance_request_q;
    fill_context_q <= step_context;
    fill_guest_q <= advance_walk_q.guest;
    // The table that was read, and G of the pointers above it; the leaf's own G is no part of it.
    fill_ppn_q <= advance_walk_q.address[55:12];
    fill_g_q <= advance_walk_q.g;
    fill_pbmt_q <= advance_walk_q.table_pbmt;
    fill_w_q <= advance_walk_q.table_w;
    last_q <= step_done && !at_once;
    last_slot_q <= advance_slot_q;
    last_walk_q <= step_walk;
    last_ends_q <= advance_ends;
    last_ended_walk_q <= ended_walk;
    last_finding_q <= finding_q;
    last_end_q <= step_end;
    concluded_q <= queues && !queues_success;
    concluded_slot_q <= last_slot_q;
    concluded_walk_q <= concluded_walk;
    concluded_fault_q <= concluded_fault;
    concluded_probe_q <= last_request.at == iommu_spec_pkg::AT_TRANSLATION_REQUEST;
    concluded_dtf_q <= last_context.dtf;
    late_q <= step_access && (access_waits || late_q || !mem_req_ready_i);
    late_access_q <= access;
    observed_q <= step_access;
    observed_slot_q <= advance_slot_q;
    observed_state_q <= step_walk.state;
    observed_source_q <= observed_source_d;
    // Memories with one write port each: distributed RAM.
    if (advance_q) begin
      walked_q[advance_slot_q] <= advance_request_q;
      context_q[advance_slot_q] <= step_context;
      walk_q[advance_slot_q] <= kept_next[iommu_spec_pkg::WALK_W-1:iommu_spec_pkg::OUTCOME_W];
    end
    if (concluded_q || queues_success) ended_q[waiting_slot] <= concluded_q ? answered_walk : last_ended_walk_q;
    if (rst_i) begin
      busy_q <= '0;
      again_q <= '0;
      fresh_q <= '0;
      done_q <= '0;
      squashed_q <= '0;
      invalidate_q <= 1'b0;
      advance_q <= 1'b0;
      early_q <= 1'b0;
      early_slot_q <= '0;
      pick_q <= 1'b0;
      look_q <= 1'b0;
      losses_q <= '0;
      fetched_q <= 1'b0;
      outside_q <= 1'b1;
      context_fill_q <= 1'b0;
      table_fill_q <= 1'b0;
      second_fill_q <= 1'b0;
      leaf_fill_q <= 1'b0;
      late_q <= 1'b0;
      last_q <= 1'b0;
      concluded_q <= 1'b0;
      observed_q <= 1'b0;
      refused_q <= '0;
      turn_q <= '0;
      index_called_q <= 1'b0;
    end
  end

  generate
    for (genvar i = 0; i < WALKS; i++) begin : g_slot
      wire restarted = result_restart_i && result_select[i];

      always_ff @(posedge clk_i) begin
        same_next_q[i] <= !restarted && (free_select[i] ? same_start : hash_q[i] == start_next_hash_i);
        same_kept_q[i] <= !restarted && same_hash[i];
        if (restarted) begin
          request_q[i] <= restart_request_i;
          hash_q[i] <= restart_hash_i;
          id_q[i] <= restart_id_i;
          epoch_q[i] <= restart_epoch_i;
        end else if (free_select[i]) begin
          // Also where none starts: what a free slot holds does not matter.
          request_q[i] <= start_request_i;
          hash_q[i] <= start_hash_i;
          id_q[i] <= start_id_i;
          epoch_q[i] <= start_epoch_i;
        end
      end
    end
  endgenerate

`ifndef SYNTHESIS
  // A walk that ends at once, concluded as well: the parts of the record that tell a reader what the result is.
  logic                              at_once_q;
  walk_t                             walk_ends, walk_known;

  always_comb begin
    walk_ends = concluded_walk;
    walk_known = last_ended_walk_q;
    {walk_known.big_endian, walk_known.place, walk_known.asked} = {walk_ends.big_endian, walk_ends.place, walk_ends.asked};
    {walk_known.device, walk_known.process} = {walk_ends.device, walk_ends.process};
    {walk_known.level, walk_known.second_level} = {walk_ends.level, walk_ends.second_level};
    {walk_known.table_w, walk_known.table_pbmt} = {walk_ends.table_w, walk_ends.table_pbmt};
  end

  always_ff @(posedge clk_i) begin
    at_once_q <= step_ends && !rst_i;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!late_q || access_room) else $error("iommu_walker: access queue overflow");
      assert (!(concluded_q || queues_success) || result_room) else $error("iommu_walker: result queue overflow");
      assert (!mem_rsp_valid_i || (busy_q[mem_rsp_slot_i] && !done_q[mem_rsp_slot_i] && !again_q[mem_rsp_slot_i]))
      else $error("iommu_walker: memory response for a slot that waits for none");
      assert (!(mem_rsp_valid_i && advance_q && mem_rsp_slot_i == advance_slot_q))
      else $error("iommu_walker: memory response in the cycle of its request");
      assert (!step || $countones({step_access, step_again, step_index}) <= 1)
      else $error("iommu_walker: a step must access memory, go on, wait, or finish");
      assert (!(goes_on && step_again) || look_kind == {step_walk.state == iommu_spec_pkg::WALK_MSI_INDEX,
          step_walk.state == iommu_spec_pkg::WALK_GUEST, step_walk.state == iommu_spec_pkg::WALK_CONTEXT,
          step_walk.state == iommu_spec_pkg::WALK_START})
      else $error("iommu_walker: a walk goes on otherwise than it was looked at");
      assert (!(goes_on && step_again && look_kind[2]) || step_walk.guest == finding_q.target)
      else $error("iommu_walker: a walk looks up another address than it has found");
      assert (!step_ends || step_done) else $error("iommu_walker: a walk that ends goes on");
      assert (!at_once_q || walk_ends == walk_known) else $error("iommu_walker: a walk ends otherwise than was said");
      assert (!look_q || (advance_q && !early_q)) else $error("iommu_walker: a step looks that has not begun");
      assert (!(advance_ends && early_q)) else $error("iommu_walker: a walk ends with an entry before it has begun");
      assert (!start_commit_i || early_q) else $error("iommu_walker: a request is committed that did not begin");
      assert (!result_valid_q || result_squashed_q == squashed_q[result_slot_q])
      else $error("iommu_walker: an invalidation has passed the result");
      assert (!result_end || result_valid_q) else $error("iommu_walker: no result is ended");
    end
  end
`endif

endmodule
`default_nettype wire
