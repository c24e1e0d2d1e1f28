`default_nettype none
// Second-level IOTLB: set-associative block RAM, translations of 4 KiB. Same key as the first level.
// A lookup takes four cycles and never waits: `read_i` names the set; the words of its ways leave the RAM and are compared with
// `compare_request_i` in parts; the parts are joined to `hit_o`; the translation of the matching way is selected.
// A fill takes five: it is registered, its set is looked at, a way is chosen, and that is written, to be read from the next cycle on.
// Where two fills of one set follow each other closely the second may take the place of the first.
// iommu_tlb_replacement.v chooses the way, and whether a neighbour takes one at all.
// Four groups of sets, chosen by the requester, keep requesters with the same addresses apart. IOTINVAL.VMA of single pages clears their
// set in every group; every other invalidation clears all sets, and so does that one while an entry may be part of a larger first-stage
// page, whose invalidation names another set. All take effect in two cycles (what is read in the cycle of `invalidate_i` or before may
// still match) and drop the fills that are under way.
module iommu_tlb_l2 #(
    // Sets, a power of two, 8 or more; ways per set, 2 or more. 64 x 4 are 256 entries, 128 x 4 are 512.
    parameter int SETS = 64,
    parameter int WAYS = 4
) (
    input  wire                                            clk_i,
    input  wire                                            rst_i,

    // First cycle: request_t, an untranslated one.
    input  wire                                            read_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]            read_request_i,

    // Second cycle: the same request. Third cycle: does a word match and allow the access. Fourth cycle: its translation (translation_t);
    // `used_i` says that this is the answer.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]            compare_request_i,
    output wire                                            hit_o,
    output wire [iommu_spec_pkg::TRANSLATION_W-1:0]        translation_o,
    input  wire                                            used_i,

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

    // Invalidation (invalidation_t).
    input  wire                                            invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]       invalidation_i
);
  `include "iommu_records.vh"

  localparam int SET_W = $clog2(SETS);
  localparam int KEY_W = 46 + 52;
  localparam int WORD_W = KEY_W + iommu_spec_pkg::TRANSLATION_W;
  localparam int HASH_W = 16;
  localparam int GROUP_SETS = SETS / 4;
  // Parts of a key that are compared by themselves.
  localparam int PART_W = 2;
  localparam int PARTS = KEY_W / PART_W;

  request_t      read, compare, fill, probe;
  translation_t  fill_translation;
  invalidation_t invalidation;

  assign read = read_request_i;
  assign compare = compare_request_i;
  assign fill = fill_request_i;
  assign probe = probe_request_i;
  assign fill_translation = fill_translation_i;
  assign invalidation = invalidation_i;

  // Set of a key {requester, page number}: the low bits of the page, folded twice with those above, so that neither strides nor streams
  // that are a power of two apart share few sets; the requester's group in the upper two bits, of the lower 16 bits of DID and the lower 10
  // of the PASID: what two lookup tables in a row take. It stands there reversed, apart from streams that follow each other in memory as
  // their devices do in number.
  function automatic [SET_W-1:0] set_of;
    input [KEY_W-1:0] key;
    logic [1:0] group;
    begin
      group = 2'd0;
      for (int i = 0; i < 16; i = i + 2) group = group ^ key[74+i +: 2];
      for (int i = 0; i < 10; i = i + 2) group = group ^ key[53+i +: 2];
      set_of = key[SET_W-1:0] ^ key[2*SET_W-1:SET_W] ^ key[3*SET_W-1:2*SET_W];
      set_of[SET_W-1 -: 2] = set_of[SET_W-1 -: 2] ^ {group[0], group[1]};
    end
  endfunction

  // The lowest 1, by itself.
  function automatic [WAYS-1:0] lowest;
    input [WAYS-1:0] ways;
    logic below;
    begin
      below = 1'b0;
      for (int i = 0; i < WAYS; i++) begin
        lowest[i] = ways[i] && !below;
        below = below || ways[i];
      end
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
  wire [SET_W-1:0] probe_set = set_of(probe_key);

  // ---- Invalidation ---------------------------------------------------------------------------------------------------------------------
  // An entry may be here that is part of a larger first-stage page.
  logic fractured_d, fractured_q;

  // Registered: which sets are cleared in the cycle after the command.
  logic                 clear_q, clear_one_q;
  logic [SET_W-3:0]     clear_set_q;
  wire [SET_W-1:0]      invalid_set = set_of({46'd0, invalidation.vpn});
  wire                  one_set = !invalidation.everything && !invalidation.directory && !invalidation.gvma && invalidation.av &&
      invalidation.vpn_mask == '0 && !fractured_q;
  wire [GROUP_SETS-1:0] clear_of_group = GROUP_SETS'(1) << clear_set_q;
  wire [SETS-1:0]       clear_set = !clear_q ? '0 : clear_one_q ? {4{clear_of_group}} : '1;

  always_ff @(posedge clk_i) begin
    clear_q <= invalidate_i;
    clear_one_q <= one_set;
    clear_set_q <= invalid_set[SET_W-3:0];
    if (rst_i) clear_q <= 1'b0;
  end

  // ---- Fill: registered; its set is looked at; a way is chosen and written --------------------------------------------------------------
  logic                                     look_q, look_neighbour_q;
  logic [KEY_W-1:0]                         look_key_q;
  logic [SET_W-1:0]                         look_set_q;
  logic [iommu_spec_pkg::TRANSLATION_W-1:0] look_translation_q;
  logic                                     choose_q, choose_neighbour_q, choose_fractured_q;
  logic [KEY_W-1:0]                         choose_key_q;
  logic [SET_W-1:0]                         choose_set_q;
  logic [iommu_spec_pkg::TRANSLATION_W-1:0] choose_translation_q;
  logic [WAYS-1:0]                          set_valid_q, set_unused_q;
  wire                                      taken;
  wire  [WAYS-1:0]                          chosen;
  logic                                     write_q, write_neighbour_q, write_fractured_q;
  logic [KEY_W-1:0]                         write_key_q;
  logic [SET_W-1:0]                         write_set_q, written_set_q;
  logic [SETS-1:0]                          write_place_q;      // `write_set_q` one-hot
  logic [iommu_spec_pkg::TRANSLATION_W-1:0] write_translation_q;
  logic [WAYS-1:0]                          write_way_q;
  wire  [WAYS-1:0]                          set_valid, set_unused;
  wire                                      store = write_q && !invalidate_i;
  translation_t                             look_translation;

  assign look_translation = look_translation_q;

  always_comb begin
    fractured_d = fractured_q || (store && write_fractured_q);
    if (invalidate_i && !one_set) fractured_d = 1'b0;
  end

  always_ff @(posedge clk_i) begin
    look_q <= fill_i && !invalidate_i && fill_translation.page == iommu_spec_pkg::PAGE_4K;
    if (fill_i) begin
      look_neighbour_q <= fill_neighbour_i;
      look_key_q <= fill_key;
      look_set_q <= set_of(fill_key);
      look_translation_q <= fill_translation_i;
    end
    choose_q <= look_q && !invalidate_i;
    choose_neighbour_q <= look_neighbour_q;
    choose_fractured_q <= look_translation.first_page != iommu_spec_pkg::PAGE_4K;
    choose_key_q <= look_key_q;
    choose_set_q <= look_set_q;
    choose_translation_q <= look_translation_q;
    write_q <= choose_q && taken && !invalidate_i;
    write_neighbour_q <= choose_neighbour_q;
    write_fractured_q <= choose_fractured_q;
    write_key_q <= choose_key_q;
    write_set_q <= choose_set_q;
    write_place_q <= SETS'(1) << choose_set_q;
    write_translation_q <= choose_translation_q;
    write_way_q <= chosen;
    set_valid_q <= set_valid;
    set_unused_q <= set_unused;
    written_set_q <= write_set_q;
    fractured_q <= fractured_d;
    if (rst_i) begin
      look_q <= 1'b0;
      choose_q <= 1'b0;
      write_q <= 1'b0;
      fractured_q <= 1'b0;
    end
  end

  // ---- Ways ---------------------------------------------------------------------------------------------------------------------
  logic              read1_q;
  logic [SET_W-1:0]  set1_q, set2_q, set3_q, probe_set_q;
  logic [HASH_W-1:0] probe_hash_q;
  logic [WAYS-1:0]   match_q;
  logic [WAYS-1:0]   unused3_q;                                  // of the words that are selected, a cycle earlier
  wire  [WAYS-1:0]   match, selected, present;
  wire  [WAYS*iommu_spec_pkg::TRANSLATION_W-1:0] translations;
  wire               cleared = clear_q && (!clear_one_q || clear_set_q == set1_q[SET_W-3:0]);

  generate
    for (genvar i = 0; i < WAYS; i++) begin : g_way
      logic [SETS-1:0]   valid_d, valid_q, unused_d, unused_q;
      // The word counts, by the lower bits of its set: the upper ones choose a cycle later.
      logic              written_q, kept_q;
      logic [SETS/4-1:0] seen_q;
      wire               seen = kept_q && seen_q[set2_q[SET_W-1:2]];
      logic [PARTS-1:0]  same_d, same_q;
      logic              allowed_q;
      wire  [WORD_W-1:0] word;
      wire  [HASH_W-1:0] hash;
      translation_t      entry;
      wire               write = store && write_way_q[i];

      ram_simple_dual_port #(
          .WIDTH(WORD_W),
          .DEPTH(SETS)
      ) u_words (
          .clk_i          (clk_i),
          .write_i        (write),
          .write_address_i(write_set_q),
          .write_data_i   ({write_key_q, write_translation_q}),
          .read_i         (1'b1),
          .read_address_i (read_set),
          .read_data_o    (word)
      );

      ram_simple_dual_port #(
          .WIDTH(HASH_W),
          .DEPTH(SETS)
      ) u_hashes (
          .clk_i          (clk_i),
          .write_i        (write),
          .write_address_i(write_set_q),
          .write_data_i   (hash_of(write_key_q)),
          .read_i         (probe_i),
          .read_address_i (probe_set),
          .read_data_o    (hash)
      );

      logic [iommu_spec_pkg::TRANSLATION_W-1:0] translation1_q, translation2_q;

      assign entry = word[iommu_spec_pkg::TRANSLATION_W-1:0];
      assign match[i] = seen && allowed_q && same_q == '1;
      assign translations[i*iommu_spec_pkg::TRANSLATION_W +: iommu_spec_pkg::TRANSLATION_W] = translation2_q;
      assign present[i] = valid_q[probe_set_q] && hash == probe_hash_q;
      assign set_valid[i] = valid_q[look_set_q];
      assign set_unused[i] = unused_q[look_set_q];

      // The word that was read counts unless its place was written in the cycle of the read (the RAM then returns anything) or is cleared.
      always_comb begin
        valid_d = valid_q & ~clear_set;
        unused_d = unused_q;
        if (used_i && selected[i]) unused_d[set3_q] = 1'b0;
        if (write) begin
          valid_d = valid_d | write_place_q;
          unused_d = write_neighbour_q ? unused_d | write_place_q : unused_d & ~write_place_q;
        end
        for (int j = 0; j < PARTS; j++)
          same_d[j] = word[iommu_spec_pkg::TRANSLATION_W + PART_W*j +: PART_W] == compare_key[PART_W*j +: PART_W];
      end

      always_ff @(posedge clk_i) begin
        valid_q <= valid_d;
        unused_q <= unused_d;
        written_q <= write;
        kept_q <= read1_q && !cleared && !(written_q && written_set_q == set1_q);
        for (int j = 0; j < SETS/4; j++) seen_q[j] <= valid_q[{j[SET_W-3:0], set1_q[1:0]}];
        same_q <= same_d;
        allowed_q <= compare.wr ? entry.w : compare.exec ? entry.x : entry.r;
        translation1_q <= word[iommu_spec_pkg::TRANSLATION_W-1:0];
        translation2_q <= translation1_q;
        unused3_q[i] <= unused_q[set2_q];
        if (rst_i) begin
          valid_q <= '0;
          unused_q <= '0;
          written_q <= 1'b0;
          kept_q <= 1'b0;
        end
      end
    end
  endgenerate

  always_ff @(posedge clk_i) begin
    read1_q <= read_i;
    set1_q <= read_set;
    set2_q <= set1_q;
    set3_q <= set2_q;
    match_q <= match;
    if (probe_i) begin
      probe_set_q <= probe_set;
      probe_hash_q <= hash_of(probe_key);
    end
    if (rst_i) read1_q <= 1'b0;
  end

  iommu_tlb_replacement #(
      .SETS(SETS),
      .WAYS(WAYS)
  ) u_replacement (
      .clk_i             (clk_i),
      .rst_i             (rst_i),
      .look_i            (look_q),
      .look_neighbour_i  (look_neighbour_q),
      .look_set_i        (look_set_q),
      .choose_i          (choose_q),
      .choose_neighbour_i(choose_neighbour_q),
      .choose_set_i      (choose_set_q),
      .choose_valid_i    (set_valid_q),
      .choose_unused_i   (set_unused_q),
      .takes_o           (taken),
      .way_o             (chosen),
      .used_i            (used_i && (selected & unused3_q) != '0),
      .used_set_i        (set3_q)
  );

  // ---- Select -----------------------------------------------------------------------------------------------------------------------
  logic [iommu_spec_pkg::TRANSLATION_W-1:0] translation;

  // Two ways may hold the same page after a walk that gained rights; both are true, the lower one answers.
  assign selected = lowest(match_q);

  always_comb begin
    translation = '0;
    for (int i = 0; i < WAYS; i++)
      translation = translation | ({iommu_spec_pkg::TRANSLATION_W{selected[i]}} &
                                   translations[i*iommu_spec_pkg::TRANSLATION_W +: iommu_spec_pkg::TRANSLATION_W]);
  end

  assign hit_o = match != '0;
  assign translation_o = translation;
  assign present_o = present != '0;

  generate
    if (SETS < 8 || (SETS & (SETS - 1)) != 0) begin : g_check_sets
      initial $fatal(1, "iommu_tlb_l2: SETS must be a power of two, 8 or more");
    end
    if (WAYS < 2) begin : g_check_ways
      initial $fatal(1, "iommu_tlb_l2: WAYS must be 2 or more");
    end
    if (PARTS * PART_W != KEY_W) begin : g_check_parts
      initial $fatal(1, "iommu_tlb_l2: PART_W must divide KEY_W");
    end
  endgenerate

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!store || $countones(write_way_q) == 1) else $error("iommu_tlb_l2: a fill must write one way");
    end
  end
`endif

`ifdef FORMAL
  // Proof `iommu_tlb_l2`: a lookup answers only with a word that was filled for its requester and page (never foreign) and that no
  // invalidation named until the cycle of the read (never stale); one way answers, and it allows the access.
  `include "iommu_tlb_formal.vh"

  function automatic f_one;
    input [WAYS-1:0] ways;
    f_one = ways != '0 && (ways & (ways - 1'b1)) == '0;
  endfunction

  wire [WAYS-1:0] f_stale, f_dropped;
  // Known in the cycle in which all sets are being cleared, too.
  wire            f_fractured = fractured_q || (clear_q && !clear_one_q);

  // The request a cycle later, with the parts joined.
  request_t         f_compare_q;
  logic [KEY_W-1:0] f_compare_key_q;
  always_ff @(posedge clk_i) begin
    f_compare_q <= compare;
    f_compare_key_q <= compare_key;
  end

  generate
    for (genvar i = 0; i < WAYS; i++) begin : g_f_way
      // Filled and not named since: each place of the RAM, the word at its output, the word in the register.
      logic [SETS-1:0] f_live_q, f_live_d;
      logic            f_read_q, f_word_q;
      logic [SETS-1:0] f_names_q;
      wire [SETS-1:0]  f_names, f_in_place;
      wire [SETS-1:0]  f_unnamed_oldest;       // sets with a word here, of which the replacement names none, or several, as the oldest

      for (genvar s = 0; s < SETS; s++) begin : g_f_set
        wire [WORD_W-1:0] f_content = g_way[i].u_words.memory_q[s];
        translation_t     f_entry;
        assign f_entry = f_content[iommu_spec_pkg::TRANSLATION_W-1:0];
        assign f_unnamed_oldest[s] = g_way[i].valid_q[s] && !f_one(u_replacement.oldest_q[s]);
        assign f_names[s] = invalidate_i && f_named(f_content[WORD_W-1 -: 46], f_content[WORD_W-47 -: 52],
                                                    f_content[iommu_spec_pkg::TRANSLATION_W-1:0]);
        // A word lies in the set of its requester and page, holds one page of 4 KiB, and is known to be of a larger one where it is.
        assign f_in_place[s] = set_of(f_content[WORD_W-1 -: KEY_W]) == SET_W'(s) &&
            f_entry.page == iommu_spec_pkg::PAGE_4K && (f_entry.first_page == iommu_spec_pkg::PAGE_4K || f_fractured);
      end

      always_comb begin
        f_live_d = f_live_q & ~f_names_q;
        if (g_way[i].write) f_live_d[write_set_q] = 1'b1;
      end

      always_ff @(posedge clk_i) begin
        f_live_q <= f_live_d;
        f_names_q <= f_names;
        f_read_q <= f_live_q[read_set] && !f_names_q[read_set];
        f_word_q <= f_read_q && !f_names_q[set1_q];
        if (rst_i) {f_live_q, f_names_q, f_read_q, f_word_q} <= '0;
      end

      // The words on their way are of the sets that the registers name. What was written over while it was read does not count.
      wire f_seen = g_way[i].valid_q[set1_q] && !(g_way[i].written_q && written_set_q == set1_q);
      wire f_read_in_place = set_of(g_way[i].word[WORD_W-1 -: KEY_W]) == set1_q;
      translation_t f_read_entry;
      assign f_read_entry = g_way[i].word[iommu_spec_pkg::TRANSLATION_W-1:0];

      // The word that the joined parts are of.
      logic [KEY_W-1:0] f_key_q;
      translation_t     f_word;
      wire  [PARTS-1:0] f_same;
      assign f_word = g_way[i].translation1_q;
      for (genvar j = 0; j < PARTS; j++) begin : g_f_part
        assign f_same[j] = f_key_q[PART_W*j +: PART_W] == f_compare_key_q[PART_W*j +: PART_W];
      end
      always_ff @(posedge clk_i) f_key_q <= g_way[i].word[WORD_W-1 -: KEY_W];

      always_comb
        if (f_started_q) begin
          stored_in_place: assert ((g_way[i].valid_q & ~f_in_place) == '0);
          stored_is_live: assert ((g_way[i].valid_q & ~f_live_q) == '0);
          oldest_is_one_hot: assert (f_unnamed_oldest == '0);
          named_is_cleared: assert ((g_way[i].valid_q & f_names_q & ~clear_set) == '0);
          read_in_place: assert (!(read1_q && f_seen) ||
              (f_read_in_place && (f_read_entry.first_page == iommu_spec_pkg::PAGE_4K || f_fractured)));
          read_is_live: assert (!(read1_q && f_seen) || f_read_q);
          word_is_live: assert (!g_way[i].seen || f_word_q);
          parts_are_of_the_word: assert (g_way[i].same_q == f_same &&
              g_way[i].allowed_q == (f_compare_q.wr ? f_word.w : f_compare_q.exec ? f_word.x : f_word.r));
          never_foreign: assert (!match[i] || f_key_q == f_compare_key_q);
          answer_allows: assert (!match[i] || (f_compare_q.wr ? f_word.w : f_compare_q.exec ? f_word.x : f_word.r));
          answer_is_of_the_match: assert (!selected[i] || (match_q[i] && translation_o == g_way[i].translation2_q));
        end
      assign f_stale[i] = match[i] && !f_word_q;
      assign f_dropped[i] = read1_q && f_seen && f_names_q[set1_q];
    end
  endgenerate

  translation_t f_choose_translation, f_write_translation;
  assign f_choose_translation = choose_translation_q;
  assign f_write_translation = write_translation_q;
  logic f_dropped_q;
  always_ff @(posedge clk_i) f_dropped_q <= f_dropped != '0;

  always_comb begin
    if (f_started_q) begin
      one_way_is_written: assert (!write_q || (f_one(write_way_q) && f_one(u_replacement.oldest_q[write_set_q])));
      oldest_of_a_full_set: assert (!choose_q || set_valid_q != '1 ||
          (f_one(u_replacement.choose_oldest_q) && f_one(u_replacement.oldest_q[choose_set_q])));
      fill_in_place: assert (!look_q ||
          (set_of(look_key_q) == look_set_q && look_translation.page == iommu_spec_pkg::PAGE_4K));
      choose_in_place: assert (!choose_q ||
          (set_of(choose_key_q) == choose_set_q && f_choose_translation.page == iommu_spec_pkg::PAGE_4K &&
           choose_fractured_q == (f_choose_translation.first_page != iommu_spec_pkg::PAGE_4K)));
      write_in_place: assert (!write_q ||
          (set_of(write_key_q) == write_set_q && f_write_translation.page == iommu_spec_pkg::PAGE_4K &&
           write_place_q == SETS'(1) << write_set_q &&
           write_fractured_q == (f_write_translation.first_page != iommu_spec_pkg::PAGE_4K)));
      never_stale: assert (f_stale == '0);
      one_way_answers: assert ((selected & (selected - 1'b1)) == '0 && (selected != '0) == (match_q != '0) && hit_o == (match != '0));
      hit_of_the_last_way: cover (match[WAYS-1] && !invalidate_i);
      dropped_after_the_read: cover (f_dropped_q && match == '0);
    end
  end
`endif

endmodule
`default_nettype wire
