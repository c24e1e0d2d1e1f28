`default_nettype none
// Neighbours of a page that was walked: its first-stage entry was read with the line of 64 bytes around it, and the other entries of
// that line that are certain go into the second-level IOTLB, in cycles in which its fill port is free.
// A neighbour is filled only if a walk of that page, now, would answer without touching anything: valid and well-formed leaf of
// 4 KiB, A set, not denied to this requester for its U bit, without an error or poison of its dword, no MSI page, and its second
// stage known: Bare, or the leaf that mapped the walked page maps the neighbour too. Of its rights W counts only with D.
// Never sets A or D, never raises a fault, keeps nothing of V = 0. Any invalidation from the walk's start on drops it: until its
// result that is the walk's own squash, afterwards this module's.
// One line at a time, up to 17 cycles while the fill port is free; a line that comes while one is at work is left. Specification:
// Caching in-memory data structures; docs/iommu.md.
module iommu_neighbour_fill #(
    // Walks in flight, 2 or more.
    parameter int WALKS = 8,
    // Derived: bits of a slot number.
    parameter int SLOT_W = $clog2(WALKS)
) (
    input  wire                                     clk_i,
    input  wire                                     rst_i,

    input  wire [63:0]                              capabilities_i,

    // A line was read for the walk in this slot: dwords in memory order, errors or poison of each, G of the pointers above.
    input  wire                                     line_i,
    input  wire [SLOT_W-1:0]                        line_slot_i,
    input  wire [511:0]                             line_data_i,
    input  wire [7:0]                               line_bad_i,
    input  wire                                     line_g_i,

    // The result of a walk fills the IOTLBs (request_t, context_t, walk_t).
    input  wire                                     result_i,
    input  wire [SLOT_W-1:0]                        result_slot_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]     result_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]     result_context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]        result_walk_i,

    // 1 in a cycle with an invalidation.
    input  wire                                     invalidate_i,

    // Is the page (request_t) in the second level already? Answered in the next cycle, held.
    output wire                                     probe_o,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]     probe_request_o,
    input  wire                                     present_i,

    // Fill of the second level (request_t, translation_t), held until it is taken or an invalidation comes.
    output wire                                     fill_valid_o,
    input  wire                                     fill_ready_i,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]     fill_request_o,
    output wire [iommu_spec_pkg::TRANSLATION_W-1:0] fill_translation_o
);
  `include "iommu_records.vh"

  request_t result_request;
  context_t result_context;
  walk_t    result_walk;

  assign result_request = result_request_i;
  assign result_context = result_context_i;
  assign result_walk = result_walk_i;

  // ---- The line at work ---------------------------------------------------------------------------------------------------------
  localparam int LINE_W = 512 + 8 + 1;

  request_t    request_q;
  context_t    context_q;
  walk_t       walk_q;
  logic [7:0]  todo_d, todo_q;             // entries to look at
  logic        entry_d, entry_q;           // an entry is checked
  logic        fill_d, fill_q;             // a translation waits for the fill port
  wire [511:0] data;
  wire [7:0]   bad;
  wire         pointer_g;

  wire idle = todo_q == '0 && !entry_q && !fill_q;
  // A 4 KiB page of the first stage was read in a last-level table: its line is in the RAM.
  wire capture = result_i && idle && !invalidate_i && result_walk.page == iommu_spec_pkg::PAGE_4K && !result_walk.msi;

  ram_simple_dual_port #(
      .WIDTH(LINE_W),
      .DEPTH(WALKS)
  ) u_lines (
      .clk_i          (clk_i),
      .write_i        (line_i),
      .write_address_i(line_slot_i),
      .write_data_i   ({line_g_i, line_bad_i, line_data_i}),
      .read_i         (capture),
      .read_address_i (result_slot_i),
      .read_data_o    ({pointer_g, bad, data})
  );

  // ---- Choice of the next entry that is valid -------------------------------------------------------------------------------------
  logic        fresh_q;                    // the line came in the cycle before: which of its entries are valid is not known
  logic [7:0]  valid, chosen;
  logic [2:0]  place;
  logic [63:0] dword;
  // Whether a fill is taken is known too late to choose by: a fill takes two cycles at least.
  wire         advance = !fill_q;

  always_comb begin
    for (int i = 0; i < 8; i++) valid[i] = context_q.sbe ? data[64*i + 56] : data[64*i];
    chosen = todo_q & (~todo_q + 1'b1);
    place = '0;
    dword = '0;
    for (int i = 0; i < 8; i++) begin
      if (chosen[i]) place = place | 3'(i);
      dword = dword | (data[64*i +: 64] & {64{chosen[i]}});
    end
  end

  wire      choose = advance && !fresh_q && todo_q != '0;
  request_t probe_request;

  always_comb begin
    probe_request = request_q;
    probe_request.iova = {request_q.iova[63:15], place, 12'd0};
  end

  assign probe_o = choose;
  assign probe_request_o = probe_request;

  // ---- Check of an entry ------------------------------------------------------------------------------------------------------------
  logic [63:0] pte_q;
  logic [2:0]  place_q;
  wire         malformed, leaf, unused_bad_pointer, bad_page;
  wire [2:0]   page;
  wire [43:0]  guest_page, unused_within;
  wire [55:0]  guest = {guest_page, 12'd0};

  iommu_pte_check u_pte_check (
      .capabilities_i(capabilities_i),
      .pte_i         (pte_q),
      .level_i       (3'd0),
      .page_number_i (44'd0),
      .malformed_o   (malformed),
      .leaf_o        (leaf),
      .bad_pointer_o (unused_bad_pointer),
      .bad_page_o    (bad_page),
      .page_o        (page),
      .held_o        (guest_page),
      .within_o      (unused_within)
  );

  wire        msi_match;

  iommu_msi_match u_msi_match (
      .capabilities_i(capabilities_i),
      .guest_i       ({8'd0, guest}),
      .mask_i        (context_q.msi_mask),
      .pattern_i     (context_q.msi_pattern),
      .match_o       (msi_match)
  );

  wire        pte_r = pte_q[1];
  wire        pte_w = pte_q[2];
  wire        pte_x = pte_q[3];
  wire        pte_u = pte_q[4];
  wire        pte_g = pte_q[5];
  wire        pte_a = pte_q[6];
  wire        pte_d = pte_q[7];
  wire [1:0]  pte_pbmt = pte_q[62:61];
  wire [51:0] second_mask = iommu_spec_pkg::page_number_mask(walk_q.second_page);
  wire        same_second_page = ((guest[55:12] ^ walk_q.guest[55:12]) & ~second_mask[43:0]) == '0;
  wire        denied = request_q.priv ? pte_u && !context_q.sum : !pte_u;
  wire        certain = !malformed && leaf && !bad_page && page == iommu_spec_pkg::PAGE_4K && pte_a && !denied &&
      same_second_page && !(context_q.msi && msi_match);

  translation_t translation, fill_translation_q;
  request_t     fill_request, fill_request_q;

  always_comb begin
    translation = '0;
    translation.r = pte_r && walk_q.second_r;
    translation.w = pte_w && pte_d && walk_q.second_w;
    // Supervisor accesses never execute from user pages.
    translation.x = pte_x && !(pte_u && request_q.priv) && walk_q.second_x;
    translation.g = pointer_g || pte_g;
    translation.pbmt = pte_pbmt != 2'd0 ? pte_pbmt : walk_q.second_pbmt;
    translation.page = iommu_spec_pkg::PAGE_4K;
    translation.first_page = iommu_spec_pkg::PAGE_4K;
    translation.gv = context_q.second_mode != 4'd0;
    translation.gscid = context_q.gscid;
    translation.pscv = 1'b1;
    translation.pscid = context_q.pscid;
    translation.ppn = (walk_q.address[55:12] & ~second_mask[43:0]) | (guest[55:12] & second_mask[43:0]);
    fill_request = request_q;
    fill_request.iova = {request_q.iova[63:15], place_q, 12'd0};
  end

  wire check = entry_q && advance;
  wire useful = certain && !present_i && (translation.r || translation.w || translation.x);

  // ---- Next state -------------------------------------------------------------------------------------------------------------------
  always_comb begin
    todo_d = fresh_q ? todo_q & valid & ~bad : choose ? todo_q & ~chosen : todo_q;
    entry_d = choose || (entry_q && !advance);
    fill_d = (check && useful) || (fill_q && !fill_ready_i);
    if (capture) todo_d = ~(8'd1 << result_request.iova[14:12]);
    if (invalidate_i) begin
      todo_d = '0;
      entry_d = 1'b0;
      fill_d = 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    todo_q <= todo_d;
    fresh_q <= capture;
    entry_q <= entry_d;
    fill_q <= fill_d;
    if (capture) begin
      request_q <= result_request;
      context_q <= result_context;
      walk_q <= result_walk;
    end
    if (choose) begin
      pte_q <= context_q.sbe ? iommu_spec_pkg::reversed(dword) : dword;
      place_q <= place;
    end
    if (check) begin
      fill_request_q <= fill_request;
      fill_translation_q <= translation;
    end
    if (rst_i) begin
      todo_q <= '0;
      fresh_q <= 1'b0;
      entry_q <= 1'b0;
      fill_q <= 1'b0;
    end
  end

  assign fill_valid_o = fill_q;
  assign fill_request_o = fill_request_q;
  assign fill_translation_o = fill_translation_q;

`ifndef SYNTHESIS
  // The entry of the walked page itself, in the first cycle of its line.
  wire [2:0]  own = request_q.iova[14:12];
  wire [63:0] own_entry = context_q.sbe ? iommu_spec_pkg::reversed(data[64*own +: 64]) : data[64*own +: 64];

  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!fresh_q || (own_entry[0] && own_entry[53:10] == walk_q.guest[55:12]))
      else $error("iommu_neighbour_fill: the line is not that of the walk");
      assert (!line_i || !capture || line_slot_i != result_slot_i) else $error("iommu_neighbour_fill: the line of a result is overwritten");
    end
  end
`endif

`ifdef FORMAL
  // Proof `iommu_neighbour_fill`: what is filled belongs to the line of a result that came after the last invalidation (RISC-V IOMMU,
  // Caching in-memory data structures), is another page of that line for the same requester, and no more than its entry grants. Any
  // entry of any slot is watched (f_place, f_slot).
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  wire [SLOT_W-1:0] f_slot;
  wire [2:0]        f_place;
  formal_constant #(.WIDTH(SLOT_W)) u_f_slot (.value_o(f_slot));
  formal_constant #(.WIDTH(3)) u_f_place (.value_o(f_place));

  logic         f_alive_q;                      // a result came, and no invalidation since
  logic         f_known_q, f_line_bad_q;        // the watched entry of the slot's line in the RAM
  logic [63:0]  f_line_entry_q;
  logic         f_watched_q, f_bad_q;           // the line at work is that of the watched slot; its watched entry
  logic [63:0]  f_entry_q;
  request_t     f_request_q, f_fill;
  context_t     f_context_q;
  walk_t        f_walk_q;
  translation_t f_translation;

  assign f_translation = fill_translation_o;
  assign f_fill = fill_request_o;

  always_ff @(posedge clk_i) begin
    f_alive_q <= !invalidate_i && !rst_i && (f_alive_q || result_i);
    if (line_i && line_slot_i == f_slot) begin
      f_known_q <= 1'b1;
      f_line_entry_q <= line_data_i[64*f_place +: 64];
      f_line_bad_q <= line_bad_i[f_place];
    end
    if (capture) begin
      f_watched_q <= result_slot_i == f_slot;
      f_entry_q <= f_line_entry_q;
      f_bad_q <= f_line_bad_q;
      f_request_q <= result_request;
      f_context_q <= result_context;
      f_walk_q <= result_walk;
    end
    if (rst_i) f_known_q <= 1'b0;
  end

  wire [LINE_W-1:0] f_result_line = u_lines.memory_q[result_slot_i];
  wire [LINE_W-1:0] f_slot_line = u_lines.memory_q[f_slot];
  wire [63:0]       f_result_entry = f_result_line[64*result_request.iova[14:12] +: 64];
  wire [63:0]       f_own = result_context.sbe ? iommu_spec_pkg::reversed(f_result_entry) : f_result_entry;
  wire [63:0]       f_pte = f_context_q.sbe ? iommu_spec_pkg::reversed(f_entry_q) : f_entry_q;
  wire [43:0]       f_mask = second_mask[43:0];

  // The requester of a fill is that of the result, its page another one of the line.
  function automatic f_beside(input [iommu_spec_pkg::REQUEST_W-1:0] bits, input [2:0] at);
    request_t fill;
    begin
      fill = bits;
      f_beside = {fill.did, fill.pv, fill.pid, fill.priv} == {f_request_q.did, f_request_q.pv, f_request_q.pid, f_request_q.priv} &&
          fill.iova[63:15] == f_request_q.iova[63:15] && fill.iova[14:12] == at && at != f_request_q.iova[14:12];
    end
  endfunction

  // Of the watched entry: a page of 4 KiB in the second-stage page of the walked one, with no right beyond those of both stages.
  wire f_granted = !f_bad_q && f_pte[0] && f_pte[6] && (f_request_q.priv ? !f_pte[4] || f_context_q.sum : f_pte[4]) &&
      f_translation.page == iommu_spec_pkg::PAGE_4K &&
      f_translation.r <= (f_pte[1] && f_walk_q.second_r) &&
      f_translation.w <= (f_pte[2] && f_pte[7] && f_walk_q.second_w) &&
      f_translation.x <= (f_pte[3] && f_walk_q.second_x && !(f_pte[4] && f_request_q.priv)) &&
      ((f_pte[53:10] ^ f_walk_q.guest[55:12]) & ~f_mask) == '0 &&
      f_translation.ppn == ((f_walk_q.address[55:12] & ~f_mask) | (f_pte[53:10] & f_mask)) &&
      f_translation.gscid == f_context_q.gscid && f_translation.pscid == f_context_q.pscid;

  always_comb begin
    // The walker: a result with a 4 KiB page of the first stage has read the line of its entry, which is not read again before.
    assume (!capture || (f_own[0] && f_own[53:10] == result_walk.guest[55:12]));
    assume (!(capture && result_slot_i == f_slot) || f_known_q);
    assume (!line_i || !capture || line_slot_i != result_slot_i);
    if (f_started_q && !rst_i) begin
      line_in_ram: assert (!f_known_q ||
          (f_slot_line[64*f_place +: 64] == f_line_entry_q && f_slot_line[512+f_place] == f_line_bad_q));
      at_work: assert (idle || (f_alive_q && request_q == f_request_q && context_q == f_context_q && walk_q == f_walk_q &&
          !todo_q[f_request_q.iova[14:12]]));
      line_at_work: assert (idle || !f_watched_q || (data[64*f_place +: 64] == f_entry_q && bad[f_place] == f_bad_q));
      own_at_work: assert (!fresh_q || (own_entry[0] && own_entry[53:10] == walk_q.guest[55:12]));
      valid_at_work: assert (fresh_q || !f_watched_q || !todo_q[f_place] || (!f_bad_q && f_pte[0]));
      entry_at_work: assert (!entry_q || (place_q != f_request_q.iova[14:12] &&
          (!f_watched_q || place_q != f_place || (!f_bad_q && f_pte[0] && pte_q == f_pte))));

      nothing_after_an_invalidation: assert (!fill_valid_o || f_alive_q);
      another_page_of_the_line: assert (!fill_valid_o || f_beside(fill_request_o, f_fill.iova[14:12]));
      no_more_than_the_entry: assert (!(fill_valid_o && f_watched_q && f_fill.iova[14:12] == f_place) || f_granted);
      last_fill: cover (fill_valid_o && fill_ready_i && f_fill.iova[14:12] == 3'd7 && f_watched_q && f_place == 3'd7 && todo_q == '0);
      dropped_fill: cover (fill_valid_o && !fill_ready_i && invalidate_i);
      writable_fill: cover (fill_valid_o && f_translation.w && f_context_q.sbe);
    end
  end
`endif

endmodule
`default_nettype wire
