`default_nettype none
// Proof `iommu_walk_terminates`: one walk, a step a cycle, whatever memory, caches and configuration answer. Every step but the
// repetition of a lost compare-and-set brings the walk down a ranking of its record, so it ends; and between two starts of a walk
// at most 56 entries are read (RISC-V IOMMU: 3 of the device directory; 3 of the process directory and 5 of the first stage, each
// behind 5 of the second stage; 5 of the second stage at last), besides updates of A and D.
module iommu_walk_machine (
    input  wire                                 clk_i,
    input  wire                                 rst_i,

    // Configuration, and what memory and the caches answer: free in every cycle.
    input  wire [63:0]                          capabilities_i,
    input  wire                                 big_endian_i,
    input  wire [3:0]                           ddtp_mode_i,
    input  wire [43:0]                          ddtp_ppn_i,
    input  wire [23:0]                          qos_i,
    input  wire [511:0]                         data_i,
    input  wire [7:0]                           err_i,
    input  wire [7:0]                           poison_i,
    input  wire                                 context_hit_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0] context_cached_i,
    input  wire                                 table_hit_i,
    input  wire [43:0]                          table_ppn_i,
    input  wire [1:0]                           table_pbmt_i,
    input  wire                                 table_w_i,
    input  wire                                 table_g_i,
    input  wire                                 second_used_i,
    input  wire                                 second_hit_i,
    input  wire [43:0]                          second_ppn_i,
    input  wire                                        leaf_hit_i,
    input  wire [iommu_spec_pkg::SECOND_LEAF_W-1:0]    leaf_i,
    input  wire [43:0]                                 leaf_ppn_i
);
  `include "iommu_records.vh"

  wire [iommu_spec_pkg::REQUEST_W-1:0] request;
  formal_constant #(.WIDTH(iommu_spec_pkg::REQUEST_W)) u_request (.value_o(request));

  logic [iommu_spec_pkg::CONTEXT_W-1:0]  context_q;
  logic [iommu_spec_pkg::WALK_W-1:0]     walk_q;
  logic                                  done_q;
  wire  [iommu_spec_pkg::CONTEXT_W-1:0]  context_next;
  wire  [iommu_spec_pkg::WALK_W-1:0]     walk_next, walk_issued, walk_concluded;
  walk_t                                 walk, walk_seen;
  wire  [iommu_spec_pkg::CONTEXT_W-1:0]  context_event;
  wire  [iommu_spec_pkg::WALK_W-1:0]     walk_event;
  wire  [iommu_spec_pkg::FINDING_W-1:0]  event_finding, look_finding;
  wire  [2:0]                            look_level;
  wire  [63:0]                           look_entry;
  logic [iommu_spec_pkg::CONTEXT_W-1:0]  context_seen;
  logic [iommu_spec_pkg::FINDING_W-1:0]  finding;
  wire                                   access, update, steps_again, index, fault;
  wire  [4:0]                            step_end;
  wire  [iommu_spec_pkg::WALK_W-1:0]     unused_ended;
  wire  [55:0]                           unused_address;
  wire  [6:0]                            unused_size;
  wire  [127:0]                          unused_data;
  wire  [1:0]                            unused_pbmt;
  wire  [23:0]                           unused_qos;
  wire                                   unused_ends, unused_context_fill, unused_table_fill, unused_second_fill, unused_leaf_fill;
  wire  [iommu_spec_pkg::SECOND_LEAF_W-1:0] unused_leaf;

  assign walk = walk_q;

  // A walk that waits for its interrupt file number goes on without memory too; one that does nothing else ends.
  wire again = steps_again || index;
  wire done = !access && !again;

  iommu_walk_event u_event (
      .capabilities_i(capabilities_i),
      .big_endian_i  (big_endian_i),
      .request_i     (request),
      .context_i     (context_q),
      .walk_i        (walk_q),
      .data_i        (data_i),
      .err_i         (err_i),
      .poison_i      (poison_i),
      .context_o     (context_event),
      .walk_o        (walk_event),
      .finding_o     (event_finding)
  );

  iommu_walk_look u_look (
      .capabilities_i(capabilities_i),
      .ddtp_mode_i   (ddtp_mode_i),
      .ddtp_ppn_i    (ddtp_ppn_i),
      .kind_i        ({walk.state == iommu_spec_pkg::WALK_MSI_INDEX, walk.state == iommu_spec_pkg::WALK_GUEST,
                       walk.state == iommu_spec_pkg::WALK_CONTEXT, walk.state == iommu_spec_pkg::WALK_START}),
      .implicit_i    (walk.purpose != iommu_spec_pkg::PURPOSE_REQUEST),
      .request_i     (request),
      .context_i     (context_q),
      .guest_i       (walk.guest),
      .msi_index_i   (data_i[511:460]),
      .context_hit_i (context_hit_i),
      .leaf_hit_i    (leaf_hit_i),
      .leaf_i        (leaf_i),
      .leaf_ppn_i    (leaf_ppn_i),
      .entry_o       (look_entry),
      .finding_o     (look_finding),
      .level_o       (look_level)
  );

  // As in iommu_walker.v: a response, a start, or a look at a record as it is.
  always_comb begin
    walk_seen = walk_q;
    context_seen = context_q;
    finding = look_finding;
    case (walk.state)
      iommu_spec_pkg::WALK_START: begin
        walk_seen.level = look_level;
        context_seen = context_hit_i ? context_cached_i : '0;
      end
      iommu_spec_pkg::WALK_GUEST: walk_seen.entry = look_entry;
      iommu_spec_pkg::WALK_CONTEXT, iommu_spec_pkg::WALK_MSI_INDEX: ;
      default: begin
        walk_seen = walk_event;
        context_seen = context_event;
        finding = event_finding;
      end
    endcase
  end

  logic [43:0] beyond;

  always_comb begin
    for (int i = 0; i < 44; i++) beyond[i] = 32'(capabilities_i[37:32]) <= 32'(i + 12);
  end

  iommu_walk_advance u_advance (
      .capabilities_i  (capabilities_i),
      .big_endian_i    (big_endian_i),
      .qos_i           (qos_i),
      .beyond_i        (beyond),
      .request_i       (request),
      .context_i       (context_seen),
      .walk_i          (walk_seen),
      .finding_i       (finding),
      .table_hit_i     (table_hit_i),
      .table_ppn_i     (table_ppn_i),
      .table_pbmt_i    (table_pbmt_i),
      .table_w_i       (table_w_i),
      .table_g_i       (table_g_i),
      .second_used_i   (second_used_i),
      .second_hit_i    (second_hit_i),
      .second_ppn_i    (second_ppn_i),
      .context_o       (context_next),
      .walk_o          (walk_issued),
      .access_o        (access),
      .access_update_o (update),
      .access_address_o(unused_address),
      .access_size_o   (unused_size),
      .access_data_o   (unused_data),
      .access_pbmt_o   (unused_pbmt),
      .access_qos_o    (unused_qos),
      .again_o         (steps_again),
      .index_o         (index),
      .end_o           (step_end),
      .ends_o          (unused_ends),
      .ended_walk_o    (unused_ended),
      .context_fill_o  (unused_context_fill),
      .table_fill_o    (unused_table_fill),
      .second_fill_o   (unused_second_fill),
      .leaf_fill_o     (unused_leaf_fill),
      .leaf_o          (unused_leaf)
  );

  iommu_walk_conclude u_conclude (
      .request_i(request),
      .context_i(context_next),
      .walk_i   (walk_issued),
      .finding_i(finding),
      .end_i    (step_end),
      .fault_o  (fault),
      .walk_o   (walk_concluded)
  );

  assign walk_next = done ? walk_concluded : walk_issued;

  walk_t    next;
  context_t known, known_next, cached;
  assign next = walk_next;
  assign known = context_q;
  assign known_next = context_next;
  assign cached = context_cached_i;

  always_ff @(posedge clk_i) begin
    context_q <= context_next;
    walk_q <= walk_next;
    done_q <= done;
    if (rst_i || done_q) begin
      walk_q <= '0;
      done_q <= 1'b0;
    end
  end

`ifdef FORMAL
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  // Modes of page tables are 0, 8, 9, 10; of a process directory 0 to 3.
  function automatic f_legal;
    input                                 resolved;
    input                                 pdtv;
    input [3:0]                           first_mode;
    input [3:0]                           second_mode;
    begin
      f_legal = (second_mode == 4'd0 || (second_mode >= 4'd8 && second_mode <= 4'd10)) &&
          (first_mode == 4'd0 || (!resolved && pdtv ? first_mode <= 4'd3 : first_mode >= 4'd8 && first_mode <= 4'd10));
    end
  endfunction

  // The device directory has 1 to 3 levels (ddtp is WARL), or is off or bare; the context cache holds resolved, checked contexts.
  always_comb begin
    assume (ddtp_mode_i <= iommu_spec_pkg::MODE_3LVL);
    assume (!context_hit_i || (cached.resolved && f_legal(cached.resolved, cached.pdtv, cached.first_mode, cached.second_mode)));
  end

  // Where a walk is: the table that it is after, 27 = none yet, 0 = that of the request's own page.
  function automatic [4:0] f_table;
    input [3:0] state;
    input [1:0] purpose;
    input [2:0] level;
    input       resolved;
    begin
      case (state)
        iommu_spec_pkg::WALK_START: f_table = 5'd27;
        iommu_spec_pkg::WALK_DIRECTORY: f_table = 5'd19 + 5'(level);
        iommu_spec_pkg::WALK_CONTEXT: f_table = resolved ? 5'd9 : 5'd18;
        iommu_spec_pkg::WALK_PROCESS: f_table = 5'd10 + 5'(level);
        iommu_spec_pkg::WALK_FIRST, iommu_spec_pkg::WALK_FIRST_UPDATE: f_table = 5'd1 + 5'(level);
        iommu_spec_pkg::WALK_GUEST, iommu_spec_pkg::WALK_SECOND, iommu_spec_pkg::WALK_SECOND_UPDATE:
          f_table = purpose == iommu_spec_pkg::PURPOSE_PROCESS ? 5'd10 + 5'(level)
              : purpose == iommu_spec_pkg::PURPOSE_FIRST ? 5'd1 + 5'(level) : 5'd0;
        default: f_table = 5'd0;
      endcase
    end
  endfunction

  // How far it is from having read that table's entry.
  function automatic [4:0] f_way;
    input [3:0] state;
    input [2:0] second_level;
    begin
      case (state)
        iommu_spec_pkg::WALK_GUEST: f_way = 5'd18;
        iommu_spec_pkg::WALK_SECOND: f_way = 5'd3 + 5'(2 * second_level);
        iommu_spec_pkg::WALK_SECOND_UPDATE: f_way = 5'd2 + 5'(2 * second_level);
        iommu_spec_pkg::WALK_FIRST_UPDATE: f_way = 5'd0;
        iommu_spec_pkg::WALK_MSI_INDEX: f_way = 5'd2;
        default: f_way = 5'd1;
      endcase
    end
  endfunction

  // A walk starts again at most once, without the walk cache.
  wire [10:0] f_rank = {!walk.cold, f_table(walk.state, walk.purpose, walk.level, known.resolved), f_way(walk.state, walk.second_level)};
  wire [10:0] f_rank_next =
      {!next.cold, f_table(next.state, next.purpose, next.level, known_next.resolved), f_way(next.state, next.second_level)};

  // A compare-and-set that found another value: the entry is read again.
  wire f_lost = access && !update &&
      ((walk.state == iommu_spec_pkg::WALK_FIRST_UPDATE && next.state == iommu_spec_pkg::WALK_FIRST) ||
       (walk.state == iommu_spec_pkg::WALK_SECOND_UPDATE && next.state == iommu_spec_pkg::WALK_SECOND));
  wire f_lost_in_place = f_lost && next.level == walk.level && next.second_level == walk.second_level &&
      next.purpose == walk.purpose && next.address == walk.address;

  // Entries that may still be read after the one in flight.
  function automatic [6:0] f_left;
    input [3:0] state;
    input [1:0] purpose;
    input [2:0] level;
    input [2:0] second_level;
    input       resolved;
    logic [6:0] after;
    begin
      after = purpose == iommu_spec_pkg::PURPOSE_PROCESS ? 7'd36 + 7'(6 * level)
          : purpose == iommu_spec_pkg::PURPOSE_FIRST ? 7'd6 + 7'(6 * level) : 7'd0;
      case (state)
        iommu_spec_pkg::WALK_START: f_left = 7'd56;
        iommu_spec_pkg::WALK_DIRECTORY: f_left = 7'd53 + 7'(level);
        iommu_spec_pkg::WALK_CONTEXT: f_left = resolved ? 7'd35 : 7'd53;
        iommu_spec_pkg::WALK_PROCESS: f_left = 7'd35 + 7'(6 * level);
        iommu_spec_pkg::WALK_FIRST, iommu_spec_pkg::WALK_FIRST_UPDATE: f_left = 7'd5 + 7'(6 * level);
        iommu_spec_pkg::WALK_GUEST: f_left = 7'd5 + after;
        iommu_spec_pkg::WALK_MSI_INDEX: f_left = 7'd1;
        iommu_spec_pkg::WALK_SECOND, iommu_spec_pkg::WALK_SECOND_UPDATE: f_left = 7'(second_level) + after;
        default: f_left = 7'd0;
      endcase
    end
  endfunction

  // Entries read since the walk started; repetitions count as updates do.
  logic [6:0] f_reads_q;
  always_ff @(posedge clk_i) begin
    f_reads_q <= f_reads_q + 7'(access && !update && !f_lost);
    if (rst_i || done_q || next.state == iommu_spec_pkg::WALK_START) f_reads_q <= '0;
  end

  // What a walk ends in success with: no translation, an MSI page, a leaf of the last stage, a message or an address that needs none.
  finding_t f_found;
  context_t f_device;
  request_t f_request;
  assign f_found = finding;
  assign f_device = context_seen;
  assign f_request = request;
  wire f_second_bare = f_device.second_mode == 4'd0;
  wire f_finish = f_found.bare || f_found.msi || (f_found.second && f_found.leaf && walk.purpose == iommu_spec_pkg::PURPOSE_REQUEST) ||
      (f_second_bare && (f_found.guest || (f_found.first && f_found.leaf && !f_device.msi))) ||
      (f_found.locate && (f_request.at == iommu_spec_pkg::AT_MESSAGE ? f_device.en_pri
                          : f_request.at == iommu_spec_pkg::AT_TRANSLATED && !f_device.t2gpa ? f_device.en_ats
                          : f_second_bare && !f_device.msi && known_next.first_mode == 4'd0));

  always_comb begin
    if (f_started_q && !done_q && !rst_i) begin
      // A record of a walk: levels of its tables and modes of its context as the specification has them.
      modes_legal: assert (walk.state == iommu_spec_pkg::WALK_START || f_legal(known.resolved, known.pdtv, known.first_mode, known.second_mode));
      levels_in_range: assert (walk.level <= 3'd4 &&
          (walk.level <= 3'd2 || !(walk.state == iommu_spec_pkg::WALK_DIRECTORY || walk.state == iommu_spec_pkg::WALK_PROCESS ||
                                   ((walk.state[3:2] == 2'b11 || walk.state == iommu_spec_pkg::WALK_GUEST) && walk.purpose == iommu_spec_pkg::PURPOSE_PROCESS))));
      device_is_the_last: assert (walk.device == (walk.state == iommu_spec_pkg::WALK_DIRECTORY && walk.level == 3'd0));
      process_is_the_last: assert (!(walk.state == iommu_spec_pkg::WALK_PROCESS || walk.process) ||
          (walk.state == iommu_spec_pkg::WALK_PROCESS && walk.process == (walk.level == 3'd0)));
      second_level_in_range: assert (walk.second_level <= 3'd4);
      purpose_known: assert (walk.purpose <= iommu_spec_pkg::PURPOSE_PROCESS);
      // A table is read for the purpose for which its address was translated.
      purpose_fits: assert ((walk.state != iommu_spec_pkg::WALK_FIRST && walk.state != iommu_spec_pkg::WALK_FIRST_UPDATE ||
                             walk.purpose == iommu_spec_pkg::PURPOSE_FIRST) &&
                            (walk.state != iommu_spec_pkg::WALK_PROCESS || walk.purpose == iommu_spec_pkg::PURPOSE_PROCESS));
      // The second start does without the walk cache, so there is no third.
      starts_again_once: assert (!(walk.cold && walk.reused) || walk.state == iommu_spec_pkg::WALK_START);
      // Memory, another step at once, or the end: one of them.
      step_goes_on: assert (3'(access) + 3'(steps_again) + 3'(index) <= 3'd1);
      // A walk ends with a fault or in success; what faults does nothing else.
      no_fault_goes_on: assert (done || !fault);
      success_has_an_end: assert (!done || fault || f_finish);
      rank_falls: assert (done || f_lost || f_rank_next < f_rank);
      repeats_in_place: assert (!f_lost || f_lost_in_place);
      at_most_56_reads: assert (f_reads_q <= 7'd56);
      reads_are_bounded: assert (walk.state == iommu_spec_pkg::WALK_DONE ||
          f_reads_q + f_left(walk.state, walk.purpose, walk.level, walk.second_level, known.resolved) <= 7'd56);
      never_done_in_flight: assert (walk.state != iommu_spec_pkg::WALK_DONE);
      nested_leaf: cover (walk.state == iommu_spec_pkg::WALK_FIRST && f_reads_q == 7'd4 && next.state == iommu_spec_pkg::WALK_SECOND);
      starts_again: cover (walk.state == iommu_spec_pkg::WALK_START && walk.cold);
      repeats: cover (f_lost);
    end
  end
`endif

endmodule
`default_nettype wire
