`default_nettype none
// Second-level IOTLB: set-associative block RAM, translations of 4 KiB. Same key as the first level.
// A lookup takes three cycles: `read_i` names the set, `advance_i` moves the words of its ways from the RAM into registers, where they
// are compared with `compare_request_i`; the caller registers `match_o` and the words and selects in the cycle after.
// Four groups of sets, chosen by the requester, keep requesters with the same addresses apart. IOTINVAL.VMA of single pages clears their
// set in every group; every other invalidation clears all sets, and so does that one while an entry may be part of a larger first-stage
// page, whose invalidation names another set. All take one cycle.
// A neighbour that was filled and not yet used is the first to be replaced in its set, before entries that were asked for.
module iommu_tlb_l2 #(
    // Sets, a power of two, 8 or more; ways per set, 2 or more. 64 x 4 are 256 entries, 128 x 4 are 512.
    parameter int SETS = 64,
    parameter int WAYS = 4
) (
    input  wire                                            clk_i,
    input  wire                                            rst_i,

    // First cycle: request_t.
    input  wire                                            read_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]            read_request_i,

    // Second cycle: on to the comparison. Without it the words wait.
    input  wire                                            advance_i,

    // Third cycle, held until the next `advance_i`: the same request; matching way, one-hot, and all ways (translation_t). No match
    // unless the access is allowed.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]            compare_request_i,
    output wire [WAYS-1:0]                                 match_o,
    output wire [WAYS*iommu_spec_pkg::TRANSLATION_W-1:0]   ways_o,

    // The match of the last comparison, a cycle later: the entry is used.
    input  wire                                            used_i,
    input  wire [WAYS-1:0]                                 used_way_i,

    // Fill, ignored unless the page is 4 KiB; of a neighbour: nobody has asked for it yet.
    input  wire                                            fill_i,
    input  wire                                            fill_neighbour_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]            fill_request_i,
    input  wire [iommu_spec_pkg::TRANSLATION_W-1:0]        fill_translation_i,

    // Is this page here, whatever its rights? Asked in one cycle, answered in the next and until the next question. By a hash of the
    // key: may be 1 for a page that is not.
    input  wire                                            probe_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]            probe_request_i,
    output wire                                            present_o,

    // Invalidation (invalidation_t); wins over a fill in the same cycle.
    input  wire                                            invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]       invalidation_i
);
  `include "iommu_records.vh"

  localparam int SET_W = $clog2(SETS);
  localparam int WAY_W = $clog2(WAYS);
  localparam int KEY_W = 46 + 52;
  localparam int WORD_W = KEY_W + iommu_spec_pkg::TRANSLATION_W;
  localparam int HASH_W = 16;
  localparam int GROUP_SETS = SETS / 4;

  request_t      read, compare, fill, probe;
  translation_t  fill_translation;
  invalidation_t invalidation;

  assign read = read_request_i;
  assign compare = compare_request_i;
  assign fill = fill_request_i;
  assign probe = probe_request_i;
  assign fill_translation = fill_translation_i;
  assign invalidation = invalidation_i;

  // Set of a key {requester, page number}: the low bits of the page, folded with those above and with the same reversed, so that
  // neither strides nor streams that are a power of two apart share few sets; the requester's group in the upper two bits.
  function automatic [SET_W-1:0] set_of;
    input [KEY_W-1:0] key;
    logic [1:0] group;
    begin
      group = 2'd0;
      for (int i = 52; i < KEY_W; i = i + 2) group = group ^ key[i +: 2];
      set_of = key[SET_W-1:0] ^ key[2*SET_W-1:SET_W];
      for (int i = 0; i < SET_W; i++) set_of[i] = set_of[i] ^ key[2*SET_W-1-i];
      set_of[SET_W-1 -: 2] = set_of[SET_W-1 -: 2] ^ group;
    end
  endfunction

  // Exclusive-or of the parts of a key.
  function automatic [HASH_W-1:0] hash_of;
    input [KEY_W-1:0] key;
    begin
      hash_of = key[15:0] ^ key[31:16] ^ key[47:32] ^ key[63:48] ^ key[79:64] ^ key[95:80] ^ {14'd0, key[97:96]};
    end
  endfunction

  wire [KEY_W-1:0] compare_key = {compare.did, compare.pv, compare.pid, compare.priv, compare.iova[63:12]};
  wire [KEY_W-1:0] fill_key = {fill.did, fill.pv, fill.pid, fill.priv, fill.iova[63:12]};
  wire [KEY_W-1:0] probe_key = {probe.did, probe.pv, probe.pid, probe.priv, probe.iova[63:12]};
  wire [SET_W-1:0] read_set = set_of({read.did, read.pv, read.pid, read.priv, read.iova[63:12]});
  wire [SET_W-1:0] fill_set = set_of(fill_key);
  wire [SET_W-1:0] probe_set = set_of(probe_key);
  wire [SET_W-1:0] invalid_set = set_of({46'd0, invalidation.vpn});
  wire             compare_exec = !compare.wr && compare.exec;

  // An entry may be here that is part of a larger first-stage page.
  logic fractured_d, fractured_q;

  wire write_one = fill_i && !invalidate_i && fill_translation.page == iommu_spec_pkg::PAGE_4K;
  wire one_set = !invalidation.everything && !invalidation.directory && !invalidation.gvma && invalidation.av &&
      invalidation.vpn_mask == '0 && !fractured_q;
  wire [GROUP_SETS-1:0] clear_of_group = GROUP_SETS'(1) << invalid_set[SET_W-3:0];
  wire [SETS-1:0]       clear_set = !invalidate_i ? '0 : one_set ? {4{clear_of_group}} : '1;

  // ---- Ways ---------------------------------------------------------------------------------------------------------------------
  logic [SET_W-1:0]  set1_q, set2_q, set3_q;
  logic [HASH_W-1:0] probe_hash_q;
  logic [WAYS-1:0]   write_way;
  wire  [WAYS-1:0]   fill_valid, fill_unused;
  wire  [WAYS-1:0]   match, present;

  generate
    for (genvar i = 0; i < WAYS; i++) begin : g_way
      logic [SETS-1:0]   valid_d, valid_q, unused_d, unused_q;
      logic              seen1_d, seen1_q, seen2_d, seen2_q, probed_q;
      logic [WORD_W-1:0] word_q;
      wire  [WORD_W-1:0] word;
      wire  [HASH_W-1:0] hash;
      translation_t      entry;
      wire               write = write_one && write_way[i];
      wire [SETS-1:0]    write_set = write ? SETS'(1) << fill_set : '0;
      wire [SETS-1:0]    lost_set = write_set | clear_set;

      ram_simple_dual_port #(
          .WIDTH(WORD_W),
          .DEPTH(SETS)
      ) u_words (
          .clk_i          (clk_i),
          .write_i        (write),
          .write_address_i(fill_set),
          .write_data_i   ({fill_key, fill_translation_i}),
          .read_i         (read_i),
          .read_address_i (read_set),
          .read_data_o    (word)
      );

      ram_simple_dual_port #(
          .WIDTH(HASH_W),
          .DEPTH(SETS)
      ) u_hashes (
          .clk_i          (clk_i),
          .write_i        (write),
          .write_address_i(fill_set),
          .write_data_i   (hash_of(fill_key)),
          .read_i         (probe_i),
          .read_address_i (probe_set),
          .read_data_o    (hash)
      );

      assign entry = word_q[iommu_spec_pkg::TRANSLATION_W-1:0];
      assign ways_o[i*iommu_spec_pkg::TRANSLATION_W +: iommu_spec_pkg::TRANSLATION_W] = word_q[iommu_spec_pkg::TRANSLATION_W-1:0];
      assign match[i] = seen2_q && word_q[WORD_W-1 -: KEY_W] == compare_key &&
          (compare_exec ? entry.x : compare.wr ? entry.w : entry.r) && compare.at == iommu_spec_pkg::AT_UNTRANSLATED;
      assign present[i] = probed_q && hash == probe_hash_q;
      assign fill_valid[i] = valid_q[fill_set];
      assign fill_unused[i] = unused_q[fill_set];

      // `seen` belongs to the word that was read: a later write or invalidation of its place must not revive or keep it.
      always_comb begin
        valid_d = (valid_q | write_set) & ~clear_set;
        unused_d = unused_q;
        if (used_i && used_way_i[i]) unused_d[set3_q] = 1'b0;
        if (write) unused_d[fill_set] = fill_neighbour_i;
        if (read_i) seen1_d = valid_q[read_set] && !lost_set[read_set];
        else seen1_d = seen1_q && !lost_set[set1_q];
        if (advance_i) seen2_d = seen1_q && !lost_set[set1_q];
        else seen2_d = seen2_q && !lost_set[set2_q];
      end

      always_ff @(posedge clk_i) begin
        valid_q <= valid_d;
        unused_q <= unused_d;
        seen1_q <= seen1_d;
        seen2_q <= seen2_d;
        if (advance_i) word_q <= word;
        if (probe_i) probed_q <= valid_q[probe_set];
        if (rst_i) begin
          valid_q <= '0;
          unused_q <= '0;
          seen1_q <= 1'b0;
          seen2_q <= 1'b0;
        end
      end
    end
  endgenerate

  // Two ways may hold the same page after a walk that gained rights; both are true, the lower one answers.
  assign match_o = match & (~match + 1'b1);
  assign present_o = present != '0;

  // ---- Replacement: a free way, else a neighbour that nobody used, else round robin in each set ------------------------------------------------------------------------
  logic [WAY_W-1:0] victim_q [0:SETS-1];
  wire  [WAY_W-1:0] victim = victim_q[fill_set];

  always_comb begin
    if (fill_valid != '1) write_way = ~fill_valid & (fill_valid + 1'b1);
    else if (fill_unused != '0) write_way = fill_unused & (~fill_unused + 1'b1);
    else write_way = WAYS'(1) << victim;
    fractured_d = fractured_q || (write_one && fill_translation.first_page != iommu_spec_pkg::PAGE_4K);
    if (invalidate_i && !one_set) fractured_d = 1'b0;
  end

  generate
    for (genvar i = 0; i < SETS; i++) begin : g_set
      always_ff @(posedge clk_i) begin
        if (write_one && fill_valid == '1 && fill_unused == '0 && fill_set == SET_W'(i))
          victim_q[i] <= victim_q[i] == WAY_W'(WAYS - 1) ? '0 : victim_q[i] + 1'b1;
        if (rst_i) victim_q[i] <= '0;
      end
    end
  endgenerate

  always_ff @(posedge clk_i) begin
    fractured_q <= fractured_d;
    if (read_i) set1_q <= read_set;
    if (advance_i) set2_q <= set1_q;
    set3_q <= set2_q;
    if (probe_i) probe_hash_q <= hash_of(probe_key);
    if (rst_i) fractured_q <= 1'b0;
  end

  generate
    if (SETS < 8 || (SETS & (SETS - 1)) != 0) begin : g_check_sets
      initial $fatal(1, "iommu_tlb_l2: SETS must be a power of two, 8 or more");
    end
    if (WAYS < 2) begin : g_check_ways
      initial $fatal(1, "iommu_tlb_l2: WAYS must be 2 or more");
    end
  endgenerate

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert ($countones(match_o) <= 1) else $error("iommu_tlb_l2: match is not one-hot");
      assert (!write_one || $countones(write_way) == 1) else $error("iommu_tlb_l2: a fill must write one way");
    end
  end
`endif

`ifdef FORMAL
  // Proof `iommu_tlb_l2`: a lookup answers only with a word that was filled for its requester and page (never foreign) and that no
  // invalidation has named since (never stale), up to the cycle of the answer; one way answers, and it allows the access.
  `include "iommu_tlb_formal.vh"

  wire [WAYS-1:0] f_stale, f_dropped;

  generate
    for (genvar i = 0; i < WAYS; i++) begin : g_f_way
      // Filled and not named since: each place of the RAM, the word at its output, the word in the register.
      logic [SETS-1:0] f_live_q, f_live_d;
      logic            f_read_q, f_word_q;
      wire [SETS-1:0]  f_names, f_in_place;
      wire f_read_named = invalidate_i && f_named(g_way[i].word[WORD_W-1 -: 46], g_way[i].word[WORD_W-47 -: 52],
                                                  g_way[i].word[iommu_spec_pkg::TRANSLATION_W-1:0]);
      wire f_word_named = invalidate_i && f_named(g_way[i].word_q[WORD_W-1 -: 46], g_way[i].word_q[WORD_W-47 -: 52],
                                                  g_way[i].word_q[iommu_spec_pkg::TRANSLATION_W-1:0]);

      for (genvar s = 0; s < SETS; s++) begin : g_f_set
        wire [WORD_W-1:0] f_content = g_way[i].u_words.memory_q[s];
        translation_t     f_entry;
        assign f_entry = f_content[iommu_spec_pkg::TRANSLATION_W-1:0];
        assign f_names[s] = invalidate_i && f_named(f_content[WORD_W-1 -: 46], f_content[WORD_W-47 -: 52],
                                                    f_content[iommu_spec_pkg::TRANSLATION_W-1:0]);
        // A word lies in the set of its requester and page, holds one page of 4 KiB, and is known to be of a larger one where it is.
        assign f_in_place[s] = set_of(f_content[WORD_W-1 -: KEY_W]) == SET_W'(s) &&
            f_entry.page == iommu_spec_pkg::PAGE_4K && (f_entry.first_page == iommu_spec_pkg::PAGE_4K || fractured_q);
      end

      always_comb begin
        f_live_d = f_live_q & ~f_names;
        if (g_way[i].write) f_live_d[fill_set] = 1'b1;
      end

      always_ff @(posedge clk_i) begin
        f_live_q <= f_live_d;
        // What is written over while it is read does not count: the answer would be of the word before.
        if (read_i) f_read_q <= f_live_q[read_set] && !f_names[read_set];
        else if (f_read_named) f_read_q <= 1'b0;
        if (advance_i) f_word_q <= f_read_q && !f_read_named;
        else if (f_word_named) f_word_q <= 1'b0;
        if (rst_i) {f_live_q, f_read_q, f_word_q} <= '0;
      end

      // The words on their way are of the sets that the registers name.
      wire f_read_in_place = set_of(g_way[i].word[WORD_W-1 -: KEY_W]) == set1_q;
      wire f_word_in_place = set_of(g_way[i].word_q[WORD_W-1 -: KEY_W]) == set2_q;
      translation_t f_read_entry;
      assign f_read_entry = g_way[i].word[iommu_spec_pkg::TRANSLATION_W-1:0];

      always_comb
        if (f_started_q) begin
          stored_in_place: assert ((g_way[i].valid_q & ~f_in_place) == '0);
          stored_is_live: assert ((g_way[i].valid_q & ~f_live_q) == '0);
          read_in_place: assert (!g_way[i].seen1_q ||
              (f_read_in_place && (f_read_entry.first_page == iommu_spec_pkg::PAGE_4K || fractured_q)));
          read_is_live: assert (!g_way[i].seen1_q || f_read_q);
          word_in_place: assert (!g_way[i].seen2_q ||
              (f_word_in_place && (g_way[i].entry.first_page == iommu_spec_pkg::PAGE_4K || fractured_q)));
          word_is_live: assert (!g_way[i].seen2_q || f_word_q);
          never_foreign: assert (!match_o[i] || g_way[i].word_q[WORD_W-1 -: KEY_W] == compare_key);
          answer_allows: assert (!match_o[i] ||
              (compare.wr ? g_way[i].entry.w : compare.exec ? g_way[i].entry.x : g_way[i].entry.r));
        end
      assign f_stale[i] = match_o[i] && !f_word_q;
      assign f_dropped[i] = f_word_named && match_o[i] && !advance_i;
    end
  endgenerate

  logic f_dropped_q;
  always_ff @(posedge clk_i) f_dropped_q <= f_dropped != '0;

  always_comb begin
    if (f_started_q) begin
      never_stale: assert (f_stale == '0);
      one_way_answers: assert ((match_o & (match_o - 1'b1)) == '0);
      hit_of_the_last_way: cover (match_o[WAYS-1] && !invalidate_i);
      dropped_after_the_read: cover (f_dropped_q && match_o == '0);
    end
  end
`endif

endmodule
`default_nettype wire
