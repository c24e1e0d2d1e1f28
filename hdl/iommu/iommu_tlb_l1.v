`default_nettype none
// Fully associative IOTLB of all page sizes, one-hot AND-OR select: the first level, and the superpages of the second level. Keyed by requester {DID, PV, PID, priv} and page
// number, so a hit needs no context lookup; GSCID and PSCID are kept for invalidation only.
// Lookup in two cycles: `lookup_match_o` in the first (combinational), to be registered by the caller; the caller presents it as
// `select_match_i` in the second and must clear the bits of `fill_write_o` from what it registers or holds.
module iommu_tlb_l1 #(
    // Entries, 2 or more.
    parameter int ENTRIES = 16
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // First cycle: compare (request_t). An entry that does not allow the access does not match.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       lookup_request_i,
    output wire [ENTRIES-1:0]                         lookup_match_o,

    // Second cycle: select (translation_t).
    input  wire [ENTRIES-1:0]                         select_match_i,
    output wire [iommu_spec_pkg::TRANSLATION_W-1:0]   select_translation_o,

    // Fill; entries of the same requester that overlap are dropped. `fill_write_o`: one-hot, the entry being written.
    input  wire                                       fill_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_i,
    input  wire [iommu_spec_pkg::TRANSLATION_W-1:0]   fill_translation_i,
    output wire [ENTRIES-1:0]                         fill_write_o,

    // Invalidation (invalidation_t); wins over a fill in the same cycle.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i
);
  `include "iommu_records.vh"

  localparam int INDEX_W = $clog2(ENTRIES);
  localparam int REQUESTER_W = 46;
  localparam int KEY_W = REQUESTER_W + 52;

  request_t      lookup, fill;
  translation_t  fill_translation;
  invalidation_t invalidation;

  assign lookup = lookup_request_i;
  assign fill = fill_request_i;
  assign fill_translation = fill_translation_i;
  assign invalidation = invalidation_i;

  wire [REQUESTER_W-1:0] lookup_requester = {lookup.did, lookup.pv, lookup.pid, lookup.priv};
  wire [REQUESTER_W-1:0] fill_requester = {fill.did, fill.pv, fill.pid, fill.priv};
  wire                   lookup_exec = !lookup.wr && lookup.exec;
  wire [51:0]            fill_mask = iommu_spec_pkg::page_number_mask(fill_translation.page);

  logic [ENTRIES-1:0]                          valid_d, valid_q;
  logic [KEY_W-1:0]                            key_q [0:ENTRIES-1];
  logic [51:0]                                 mask_q [0:ENTRIES-1];
  logic [iommu_spec_pkg::TRANSLATION_W-1:0]    translation_q [0:ENTRIES-1];
  logic [INDEX_W-1:0]                          victim_d, victim_q;

  wire [ENTRIES-1:0] match, overlap, invalidate_match, write;

  generate
    for (genvar i = 0; i < ENTRIES; i++) begin : g_entry
      translation_t    entry;
      wire [KEY_W-1:0] key = key_q[i];
      wire [51:0]      mask = mask_q[i];
      assign entry = translation_q[i];

      wire allowed = lookup_exec ? entry.x : lookup.wr ? entry.w : entry.r;
      wire same_guest = entry.gscid == invalidation.gscid;
      wire [51:0] first_mask = iommu_spec_pkg::page_number_mask(entry.first_page);

      assign match[i] = valid_q[i] && key[KEY_W-1:52] == lookup_requester && ((key[51:0] ^ lookup.iova[63:12]) & ~mask) == '0 &&
          allowed && lookup.at == iommu_spec_pkg::AT_UNTRANSLATED;
      assign overlap[i] = key[KEY_W-1:52] == fill_requester &&
          ((key[51:0] ^ fill.iova[63:12]) & ~(mask | fill_mask)) == '0;
      assign invalidate_match[i] = invalidation.everything ||
          (invalidation.directory
               ? !invalidation.dv || (key[97:74] == invalidation.did && (!invalidation.pv || key[72:53] == invalidation.pid))
           : invalidation.gvma ? entry.gv && (!invalidation.gv || same_guest)
           : entry.gv == invalidation.gv && (!invalidation.gv || same_guest) &&
             (!invalidation.pscv || (entry.pscv && entry.pscid == invalidation.pscid && !entry.g)) &&
             (!invalidation.av || ((key[51:0] ^ invalidation.vpn) & ~(first_mask | mask | invalidation.vpn_mask)) == '0));
      assign write[i] = fill_i && victim_q == INDEX_W'(i);

      always_ff @(posedge clk_i) begin
        if (write[i]) begin
          key_q[i] <= {fill_requester, fill.iova[63:12]};
          mask_q[i] <= fill_mask;
          translation_q[i] <= fill_translation_i;
        end
      end
    end
  endgenerate

  logic [iommu_spec_pkg::TRANSLATION_W-1:0] selected;

  always_comb begin
    selected = '0;
    for (int i = 0; i < ENTRIES; i++) selected = selected | ({iommu_spec_pkg::TRANSLATION_W{select_match_i[i]}} & translation_q[i]);
  end

  always_comb begin
    valid_d = fill_i ? (valid_q & ~overlap) | write : valid_q;
    victim_d = victim_q;
    if (fill_i) victim_d = victim_q == INDEX_W'(ENTRIES - 1) ? '0 : victim_q + 1'b1;
    if (invalidate_i) valid_d = valid_q & ~invalidate_match & ~write;
  end

  always_ff @(posedge clk_i) begin
    valid_q <= valid_d;
    victim_q <= victim_d;
    if (rst_i) begin
      valid_q <= '0;
      victim_q <= '0;
    end
  end

  assign lookup_match_o = match & ~write;
  assign select_translation_o = selected;
  assign fill_write_o = write;

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
  // and no invalidation named it since (never stale); at most one entry answers, and it allows the access.
  `include "iommu_tlb_formal.vh"

  wire [45:0] f_requester;
  wire [51:0] f_page;
  wire [iommu_spec_pkg::TRANSLATION_W-1:0] f_translation_bits;
  formal_constant #(.WIDTH(46)) u_f_requester (.value_o(f_requester));
  formal_constant #(.WIDTH(52)) u_f_page (.value_o(f_page));
  formal_constant #(.WIDTH(iommu_spec_pkg::TRANSLATION_W)) u_f_translation (.value_o(f_translation_bits));

  // Filled for this page of this requester, and not invalidated since; an invalidation wins over a fill in its cycle.
  wire f_filled = fill_i && fill_requester == f_requester && fill_translation_i == f_translation_bits &&
      ((fill.iova[63:12] ^ f_page) & ~fill_mask) == '0;
  wire f_invalidated = invalidate_i && f_named(f_requester, f_page, f_translation_bits);
  logic f_live_q;
  always_ff @(posedge clk_i) f_live_q <= (f_live_q || f_filled) && !f_invalidated && !rst_i;

  // The caller's register (iommu_lookup.v): what matched, the request, and whether the translation was usable then.
  wire                 f_hold;
  logic [ENTRIES-1:0]  f_match_q;
  logic                f_asked_q, f_then_q;
  request_t            f_request_q;
  formal_free u_f_hold (.value_o(f_hold));
  wire f_asked = {lookup.did, lookup.pv, lookup.pid, lookup.priv} == f_requester && lookup.iova[63:12] == f_page;

  always_ff @(posedge clk_i) begin
    f_match_q <= rst_i ? '0 : (f_hold ? f_match_q : lookup_match_o) & ~fill_write_o;
    if (!f_hold) begin
      f_request_q <= lookup;
      f_asked_q <= f_asked;
      f_then_q <= f_live_q;
    end
  end
  always_comb assume (!f_started_q || select_match_i == f_match_q);

  translation_t f_answer;
  assign f_answer = select_translation_o;

  generate
    for (genvar i = 0; i < ENTRIES; i++) begin : g_f_entry
      wire f_holds = key_q[i][KEY_W-1:52] == f_requester && translation_q[i] == f_translation_bits &&
          ((key_q[i][51:0] ^ f_page) & ~mask_q[i]) == '0;
      always_comb begin
        if (f_started_q) begin
          mask_is_the_page: assert (!valid_q[i] || mask_q[i] == iommu_spec_pkg::page_number_mask(g_entry[i].entry.page));
          held_is_live: assert (!(valid_q[i] && f_holds) || f_live_q);
          matched_was_live: assert (!(f_match_q[i] && f_asked_q && translation_q[i] == f_translation_bits) || f_then_q);
          matched_allows: assert (!f_match_q[i] || (f_request_q.at == iommu_spec_pkg::AT_UNTRANSLATED &&
              (f_request_q.wr ? g_entry[i].entry.w : f_request_q.exec ? g_entry[i].entry.x : g_entry[i].entry.r)));
        end
      end
      for (genvar j = i + 1; j < ENTRIES; j++) begin : g_f_other
        // Two entries of one requester never overlap.
        always_comb
          if (f_started_q) begin
            entries_disjoint: assert (!(valid_q[i] && valid_q[j] && key_q[i][KEY_W-1:52] == key_q[j][KEY_W-1:52] &&
                                        ((key_q[i][51:0] ^ key_q[j][51:0]) & ~(mask_q[i] | mask_q[j])) == '0));
          end
      end
    end
  endgenerate

  always_comb begin
    if (f_started_q) begin
      one_entry_matches: assert ((match & (match - 1'b1)) == '0);
      one_entry_selected: assert ((f_match_q & (f_match_q - 1'b1)) == '0);
      never_stale_never_foreign: assert (!(f_match_q != '0 && f_asked_q && select_translation_o == f_translation_bits) || f_then_q);
      answer_allows: assert (f_match_q == '0 ||
          (f_request_q.wr ? f_answer.w : f_request_q.exec ? f_answer.x : f_answer.r));
      hit_of_a_superpage: cover (f_match_q != '0 && f_asked_q && f_answer.page == iommu_spec_pkg::PAGE_2M && f_then_q && f_match_q[1]);
      invalidated_while_selected: cover (f_match_q != '0 && f_then_q && !f_live_q && f_asked_q &&
                                         select_translation_o == f_translation_bits);
      survives_an_invalidation: cover (f_match_q != '0 && f_asked_q && invalidate_i && f_live_q && !f_invalidated && !invalidation.gv &&
                                       invalidation.av && invalidation.pscv && !invalidation.directory && !invalidation.gvma);
    end
  end
`endif

endmodule
`default_nettype wire
