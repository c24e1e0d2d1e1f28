`default_nettype none
// First-level IOTLB: fully associative, one-hot AND-OR select; entries for pages of 4 KiB, and others for everything larger, NAPOT too.
// Keyed by requester {DID, PV, PID, priv} and page number, so a hit needs no context lookup; GSCID and PSCID are kept for invalidation
// only.
// Lookup in three cycles: the request is compared with every entry in parts, which are joined to `match_o` in the second; the caller
// registers that and presents it as `select_match_i` in the third. A fill is compared likewise in the cycle after `fill_i` and written in
// the one after that; one that follows another in the next cycle is dropped. It is hit from the cycle after `fill_i` on: a request that
// comes before it is written is compared with the fill itself. An invalidation takes effect in two cycles: what matches in the cycle of
// `invalidate_i` or in the next one may still be named by it; fills that are under way are dropped.
module iommu_tlb_l1 #(
    // Entries for pages of 4 KiB, and for larger ones, 2 or more each.
    parameter int ENTRIES = 16,
    parameter int SUPERPAGES = 16,
    // Derived: all of them, those for larger pages last.
    parameter int TOTAL = ENTRIES + SUPERPAGES
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // First cycle: request_t. Second cycle: what matches. An entry that does not allow the access does not.
    input  wire                                       lookup_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       lookup_request_i,
    output wire [TOTAL-1:0]                           match_o,

    // Third cycle: select among the entries for 4 KiB and among those for larger pages (translation_t; 0 without a match there); of the
    // latter `ppn` is that of page `select_page_i` within the translation.
    input  wire [TOTAL-1:0]                           select_match_i,
    input  wire [51:0]                                select_page_i,
    output wire [iommu_spec_pkg::TRANSLATION_W-1:0]   select_translation_o,
    output wire [iommu_spec_pkg::TRANSLATION_W-1:0]   select_superpage_o,

    // Fill by a walk, and by the second level, whose pages are of 4 KiB; the walk goes first. Entries of the same requester that overlap
    // are dropped.
    input  wire                                       fill_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_i,
    input  wire [iommu_spec_pkg::TRANSLATION_W-1:0]   fill_translation_i,
    input  wire                                       promote_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       promote_request_i,
    input  wire [iommu_spec_pkg::TRANSLATION_W-1:0]   promote_translation_i,

    // Invalidation (invalidation_t). A range of pages names each size of page that it reaches into whole.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i
);
  `include "iommu_records.vh"

  localparam int REQUESTER_W = 46;

  request_t      lookup, fill;
  translation_t  fill_translation, promote_translation, filled;
  invalidation_t invalidation;

  assign lookup = lookup_request_i;
  assign fill = fill_i ? fill_request_i : promote_request_i;
  assign fill_translation = fill_translation_i;
  assign promote_translation = promote_translation_i;
  assign invalidation = invalidation_i;

  wire [REQUESTER_W-1:0] lookup_requester = {lookup.did, lookup.pv, lookup.pid, lookup.priv};

  // ---- Fill: registered, compared with every entry, written ---------------------------------------------------------------------------
  logic                   compare_q, write_q;                   // the fill in the registers is compared, is written
  logic [REQUESTER_W-1:0] fill_requester_q;
  logic [51:0]            fill_page_q;
  logic [5:0]             fill_fields_q;
  translation_t           fill_translation_q;
  // By what invalidations name it: the larger of its page and that of the first stage.
  wire  [5:0]             fill_named = fill_fields_q | iommu_spec_pkg::page_fields(fill_translation_q.first_page);
  wire  [5:0]             fill_fields = fill_i ? iommu_spec_pkg::page_fields(fill_translation.page) : '0;
  wire  [51:0]            fill_offset = iommu_spec_pkg::field_bits(fill_fields);
  wire                    take_fill = (fill_i || promote_i) && !compare_q;
  logic                   fill_superpage_q;
  wire                    compare_page = compare_q && !fill_superpage_q;
  wire                    compare_superpage = compare_q && fill_superpage_q;

  // What is looked up while the fill is under way is compared with it (see `pending` below).
  logic        pending_open_q;                                  // there was one, and it allows the access
  logic [16:0] pending_same_q;

  always_comb begin
    filled = promote_translation;
    if (fill_i) begin
      filled = fill_translation;
      filled.ppn = fill_translation.ppn & ~fill_offset[43:0];
    end
  end

  always_ff @(posedge clk_i) begin
    compare_q <= take_fill && !invalidate_i;
    write_q <= compare_q && !invalidate_i;
    pending_open_q <= lookup_i && (compare_q || write_q) && !invalidate_i &&
        (lookup.wr ? fill_translation_q.w : lookup.exec ? fill_translation_q.x : fill_translation_q.r);
    pending_same_q <= {iommu_spec_pkg::same_requester_parts(fill_requester_q, lookup_requester),
                       iommu_spec_pkg::same_page_parts(fill_page_q, lookup.iova[63:12], fill_fields_q)};
    // What is held while nothing is filled does not matter.
    if (!compare_q) begin
      fill_requester_q <= {fill.did, fill.pv, fill.pid, fill.priv};
      fill_page_q <= fill.iova[63:12];
      fill_fields_q <= fill_fields;
      fill_superpage_q <= fill_fields != '0;
      fill_translation_q <= filled;
    end
    if (rst_i) begin
      compare_q <= 1'b0;
      write_q <= 1'b0;
      pending_open_q <= 1'b0;
    end
  end

  // ---- Entries --------------------------------------------------------------------------------------------------------------------------
  logic [TOTAL-1:0]       valid_d, valid_q;
  logic [ENTRIES-1:0]     page_victim_q;                        // one-hot, in turn
  logic [SUPERPAGES-1:0]  superpage_victim_q;
  logic [REQUESTER_W-1:0] requester_q [0:TOTAL-1];
  logic [51:0]            page_q [0:TOTAL-1];
  logic [5:0]             named_fields_q [0:TOTAL-1];           // offset within the first-stage page, or the page where that is larger
  logic [iommu_spec_pkg::TRANSLATION_W-1:0] translation_q [0:TOTAL-1];
  // The entry that is written, and was a cycle ago; registered for its fan-out.
  logic [TOTAL-1:0]       write, entry_write_q, entry_written_q;
  logic                   lookup_q;
  logic                   invalidate_q, everything_q, directory_q, gvma_q, gv_q, av_q;

  wire [TOTAL-1:0]       match, overlap;
  wire [TOTAL-1:0]       named;                                 // by the invalidation of the cycle before
  wire [52*TOTAL-1:0]    offsets;                               // bits of the page number that are offset within the page
  wire [5:0]             range_fields = iommu_spec_pkg::range_fields(invalidation.vpn_mask);

  generate
    for (genvar i = 0; i < TOTAL; i++) begin : g_entry
      translation_t entry;
      assign entry = translation_q[i];

      // Fields that are offset within the page.
      wire [5:0]             fields;
      wire [REQUESTER_W-1:0] requester = requester_q[i];
      wire allowed = lookup.wr ? entry.w : lookup.exec ? entry.x : entry.r;
      // What of an invalidation fits the entry.
      wire         same_device = requester[45:22] == invalidation.did;
      wire         same_process = requester[20:1] == invalidation.pid;
      wire         same_guest = entry.gscid == invalidation.gscid;
      wire         same_space = entry.pscv && entry.pscid == invalidation.pscid && !entry.g;
      logic        device_q, process_q, guest_q, space_q;
      logic [10:0] address_q;
      logic        allowed_q;
      logic [16:0] same_q, overlap_q;

      // What was compared counts unless the entry was written since.
      assign match[i] = valid_q[i] && lookup_q && allowed_q && same_q == '1 && !entry_written_q[i];
      assign overlap[i] = overlap_q == '1;
      assign named[i] = everything_q || (directory_q ? device_q && process_q : gvma_q ? entry.gv && guest_q
                                         : entry.gv == gv_q && guest_q && space_q && (!av_q || address_q == '1));

      always_ff @(posedge clk_i) begin
        device_q <= !invalidation.dv || same_device;
        process_q <= !invalidation.dv || !invalidation.pv || same_process;
        guest_q <= !invalidation.gv || same_guest;
        space_q <= !invalidation.pscv || same_space;
        address_q <= iommu_spec_pkg::same_page_parts(page_q[i], invalidation.vpn, named_fields_q[i] | range_fields);
        allowed_q <= allowed;
        same_q <= {iommu_spec_pkg::same_requester_parts(requester, lookup_requester),
                   iommu_spec_pkg::same_page_parts(page_q[i], lookup.iova[63:12], fields)};
        overlap_q <= {iommu_spec_pkg::same_requester_parts(requester, fill_requester_q),
                      iommu_spec_pkg::same_page_parts(page_q[i], fill_page_q, fields | fill_fields_q)};
        if (entry_write_q[i]) begin
          requester_q[i] <= fill_requester_q;
          page_q[i] <= fill_page_q;
          named_fields_q[i] <= fill_named;
          translation_q[i] <= fill_translation_q;
        end
      end

      if (i < ENTRIES) begin : g_page
        assign fields = '0;
      end else begin : g_superpage
        logic [5:0] fields_q;
        assign fields = fields_q;
        always_ff @(posedge clk_i) if (entry_write_q[i]) fields_q <= fill_fields_q;
      end
      assign offsets[52*i +: 52] = iommu_spec_pkg::field_bits(fields);
    end
  endgenerate

  always_comb begin
    valid_d = valid_q;
    if (write_q) valid_d = valid_d & ~overlap;
    if (invalidate_q) valid_d = valid_d & ~named;
    valid_d = invalidate_i ? valid_d & ~entry_write_q : valid_d | entry_write_q;
    write = '0;
    if (compare_page) write[ENTRIES-1:0] = page_victim_q;
    if (compare_superpage) write[TOTAL-1:ENTRIES] = superpage_victim_q;
    if (invalidate_i) write = '0;
  end

  always_ff @(posedge clk_i) begin
    valid_q <= valid_d;
    entry_write_q <= write;
    entry_written_q <= entry_write_q;
    lookup_q <= lookup_i;
    invalidate_q <= invalidate_i;
    everything_q <= invalidation.everything;
    directory_q <= invalidation.directory;
    gvma_q <= invalidation.gvma;
    gv_q <= invalidation.gv;
    av_q <= invalidation.av;
    if (compare_page) page_victim_q <= {page_victim_q[ENTRIES-2:0], page_victim_q[ENTRIES-1]};
    if (compare_superpage) superpage_victim_q <= {superpage_victim_q[SUPERPAGES-2:0], superpage_victim_q[SUPERPAGES-1]};
    if (rst_i) begin
      valid_q <= '0;
      entry_write_q <= '0;
      entry_written_q <= '0;
      lookup_q <= 1'b0;
      invalidate_q <= 1'b0;
      page_victim_q <= ENTRIES'(1);
      superpage_victim_q <= SUPERPAGES'(1);
    end
  end

  // ---- A request that came while a fill was under way: it matches the entry that the fill is or was written to --------------------------
  wire pending = pending_open_q && pending_same_q == '1;

  // An older entry of the same page is dropped by the fill.
  assign match_o = pending ? entry_write_q | entry_written_q : match & ~entry_write_q;

  // ---- Select ---------------------------------------------------------------------------------------------------------------------------
  logic [iommu_spec_pkg::TRANSLATION_W-1:0] page;
  translation_t                             superpage;

  // Each superpage adds the offset of the page by itself: a mask chosen among them would be one more net over everything.
  always_comb begin
    page = '0;
    for (int i = 0; i < ENTRIES; i++) page = page | ({iommu_spec_pkg::TRANSLATION_W{select_match_i[i]}} & translation_q[i]);
    superpage = '0;
    for (int i = ENTRIES; i < TOTAL; i++) begin
      superpage = superpage | ({iommu_spec_pkg::TRANSLATION_W{select_match_i[i]}} & translation_q[i]);
      superpage.ppn = superpage.ppn | ({44{select_match_i[i]}} & select_page_i[43:0] & offsets[52*i +: 44]);
    end
  end

  assign select_translation_o = page;
  assign select_superpage_o = superpage;

  generate
    if (ENTRIES < 2 || SUPERPAGES < 2 || TOTAL != ENTRIES + SUPERPAGES) begin : g_check_entries
      initial $fatal(1, "iommu_tlb_l1: ENTRIES and SUPERPAGES must be 2 or more, TOTAL their sum");
    end
  endgenerate

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert ($countones(match) <= 1) else $error("iommu_tlb_l1: two entries match one request");
      assert ($countones(select_match_i) <= 1) else $error("iommu_tlb_l1: select is not one-hot");
    end
  end
`endif

`ifdef FORMAL
  // Proof `iommu_tlb_l1`: a lookup answers with a translation only if that was filled for its requester and page (never foreign)
  // and no invalidation named it before the last cycle (never stale); at most one entry answers, and it allows the access.
  `include "iommu_tlb_formal.vh"

  wire [45:0] f_requester;
  wire [51:0] f_page;
  wire [iommu_spec_pkg::TRANSLATION_W-1:0] f_translation_bits;
  formal_constant #(.WIDTH(46)) u_f_requester (.value_o(f_requester));
  formal_constant #(.WIDTH(52)) u_f_page (.value_o(f_page));
  formal_constant #(.WIDTH(iommu_spec_pkg::TRANSLATION_W)) u_f_translation (.value_o(f_translation_bits));

  // A translation as it is stored, and as it is selected for the page.
  translation_t f_translation, f_expected;
  assign f_translation = f_translation_bits;
  wire [51:0] f_offset = iommu_spec_pkg::page_number_mask(f_translation.page);
  always_comb assume ((f_translation.ppn & f_offset[43:0]) == '0);
  // What the second level holds (proof `iommu_tlb_l2`).
  always_comb assume (!promote_i || promote_translation.page == iommu_spec_pkg::PAGE_4K);
  always_comb begin
    f_expected = f_translation;
    f_expected.ppn = f_translation.ppn | (f_page[43:0] & f_offset[43:0]);
  end

  // Filled for this page of this requester, and not invalidated since; an invalidation counts from the cycle after it.
  wire f_filled = compare_q && !invalidate_i && fill_requester_q == f_requester && fill_translation_q == f_translation &&
      ((fill_page_q ^ f_page) & ~f_offset) == '0;
  wire f_invalidated = invalidate_i && f_named(f_requester, f_page, f_translation_bits);
  logic f_live_q, f_invalidated_q;
  always_ff @(posedge clk_i) begin
    f_live_q <= ((f_live_q && !f_invalidated_q) || f_filled) && !rst_i;
    f_invalidated_q <= f_invalidated && !rst_i;
  end

  // The request in the second cycle; the caller's registers in the third (iommu_lookup.v): what matched, the request, and whether the
  // translation was usable then.
  logic [TOTAL-1:0]    f_match_q;
  logic                f_asked_q, f_then_q;
  request_t            f_second_q, f_request_q;
  wire [45:0]          f_second_requester = {f_second_q.did, f_second_q.pv, f_second_q.pid, f_second_q.priv};
  wire f_asked = f_second_requester == f_requester && f_second_q.iova[63:12] == f_page;

  always_ff @(posedge clk_i) begin
    f_match_q <= rst_i ? '0 : match_o;
    f_second_q <= lookup;
    f_request_q <= f_second_q;
    f_asked_q <= f_asked;
    f_then_q <= f_live_q;
  end
  always_comb assume (!f_started_q || (select_match_i == f_match_q && select_page_i == f_request_q.iova[63:12]));

  wire [6*TOTAL-1:0] f_fields;
  translation_t f_answer;
  // At most one of the two selects has a match (`one_entry_selected`).
  assign f_answer = select_translation_o | select_superpage_o;
  wire [51:0] f_fill_offset = iommu_spec_pkg::field_bits(fill_fields_q);
  // The fill was written in the cycle before.
  logic       f_written_q;
  always_ff @(posedge clk_i) f_written_q <= write_q && !invalidate_i && !rst_i;
  wire [16:0] f_fill_same = {iommu_spec_pkg::same_requester_parts(fill_requester_q, f_second_requester),
                             iommu_spec_pkg::same_page_parts(fill_page_q, f_second_q.iova[63:12], fill_fields_q)};

  generate
    for (genvar i = 0; i < TOTAL; i++) begin : g_f_entry
      assign f_fields[6*i +: 6] = g_entry[i].fields;
      wire [51:0] f_entry_offset = iommu_spec_pkg::field_bits(f_fields[6*i +: 6]);
      wire f_holds = requester_q[i] == f_requester && translation_q[i] == f_translation_bits &&
          iommu_spec_pkg::same_page_parts(page_q[i], f_page, f_fields[6*i +: 6]) == '1;
      always_comb begin
        if (f_started_q) begin
          fields_are_of_the_page: assert (!valid_q[i] || (f_fields[6*i +: 6] == iommu_spec_pkg::page_fields(g_entry[i].entry.page) &&
              named_fields_q[i] == (f_fields[6*i +: 6] | iommu_spec_pkg::page_fields(g_entry[i].entry.first_page))));
          stored_without_offset: assert (!valid_q[i] || (g_entry[i].entry.ppn & f_entry_offset[43:0]) == '0);
          held_is_live: assert (!(valid_q[i] && f_holds) || f_live_q);
          named_is_dropped: assert (!(valid_q[i] && f_holds && f_invalidated_q) || (invalidate_q && named[i]));
          pending_is_of_the_entry: assert (!(pending_open_q && f_written_q && entry_written_q[i]) ||
              (pending_same_q == {iommu_spec_pkg::same_requester_parts(requester_q[i], f_second_requester),
                                  iommu_spec_pkg::same_page_parts(page_q[i], f_second_q.iova[63:12], f_fields[6*i +: 6])} &&
               (f_second_q.wr ? g_entry[i].entry.w : f_second_q.exec ? g_entry[i].entry.x : g_entry[i].entry.r)));
          matched_was_live: assert (!(f_match_q[i] && f_asked_q && translation_q[i] == f_translation_bits) || f_then_q);
          matched_is_stored: assert (!f_match_q[i] || ((g_entry[i].entry.ppn & f_entry_offset[43:0]) == '0 &&
              f_fields[6*i +: 6] == iommu_spec_pkg::page_fields(g_entry[i].entry.page)));
          matched_allows: assert (!f_match_q[i] ||
              (f_request_q.wr ? g_entry[i].entry.w : f_request_q.exec ? g_entry[i].entry.x : g_entry[i].entry.r));
        end
      end
      for (genvar j = i + 1; j < TOTAL; j++) begin : g_f_other
        // Two entries of one requester never overlap.
        always_comb
          if (f_started_q) begin
            entries_disjoint: assert (!(valid_q[i] && valid_q[j] && requester_q[i] == requester_q[j] &&
                                        iommu_spec_pkg::same_page_parts(page_q[i], page_q[j],
                                                                        f_fields[6*i +: 6] | f_fields[6*j +: 6]) == '1));
          end
      end
    end
  endgenerate

  always_comb begin
    if (f_started_q) begin
      victims_are_one_hot: assert (page_victim_q != '0 && (page_victim_q & (page_victim_q - 1'b1)) == '0 &&
          superpage_victim_q != '0 && (superpage_victim_q & (superpage_victim_q - 1'b1)) == '0);
      fill_is_stored_form: assert (!(compare_q || write_q) || (fill_superpage_q == (fill_fields_q != '0) &&
          fill_fields_q == iommu_spec_pkg::page_fields(fill_translation_q.page) && (fill_translation_q.ppn & f_fill_offset[43:0]) == '0));
      one_fill_at_a_time: assert (!(compare_q && write_q) && !(write_q && f_written_q));
      pending_is_of_the_fill: assert (!(pending_open_q && write_q) || (pending_same_q == f_fill_same &&
          (f_second_q.wr ? fill_translation_q.w : f_second_q.exec ? fill_translation_q.x : fill_translation_q.r)));
      pending_is_written: assert (!pending_open_q || write_q || f_written_q);
      one_entry_was_written: assert ((!f_written_q || entry_written_q != '0) && (entry_written_q & (entry_written_q - 1'b1)) == '0);
      // One after the other, so that both can be joined.
      written_before: assert (entry_written_q == '0 || entry_write_q == '0);
      one_entry_is_written: assert (write_q == (entry_write_q != '0) && (entry_write_q & (entry_write_q - 1'b1)) == '0);
      one_entry_matches: assert ((match & (match - 1'b1)) == '0);
      one_entry_selected: assert ((f_match_q & (f_match_q - 1'b1)) == '0);
      never_stale_never_foreign: assert (!(f_match_q != '0 && f_asked_q && f_answer == f_expected) || f_then_q);
      answer_allows: assert (f_match_q == '0 ||
          (f_request_q.wr ? f_answer.w : f_request_q.exec ? f_answer.x : f_answer.r));
      hit_of_a_superpage: cover (f_match_q != '0 && f_asked_q && f_answer.page == iommu_spec_pkg::PAGE_2M && f_then_q &&
                                 f_match_q[TOTAL-1]);
      invalidated_while_selected: cover (f_match_q != '0 && f_then_q && !f_live_q && f_asked_q && f_answer == f_expected);
      hit_of_a_pending_fill: cover (f_match_q != '0 && f_asked_q && f_then_q && f_written_q && entry_written_q == f_match_q);
      survives_an_invalidation: cover (f_match_q != '0 && f_asked_q && invalidate_q && f_live_q && !f_invalidated_q &&
                                       f_answer == f_expected && valid_q != '0);
    end
  end
`endif

endmodule
`default_nettype wire
