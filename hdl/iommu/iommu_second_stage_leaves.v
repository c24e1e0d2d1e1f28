`default_nettype none
// Second-stage leaf cache: leaves of the second stage, of any size, by device, GSCID and guest page. A walk that finds one reads no
// second-stage table. Serves the walks of table pages and of the requests' own pages alike. An entry that does not grant the access as
// it is does not match: the walk reads the leaf again. A = 1 in every entry.
// Fully associative, round-robin replacement, leaves in distributed RAM; combinational lookup of a guest that was announced in the cycle
// before. A fill drops what it overlaps; the
// compare that finds it is that of invalidations, a cycle before. A fill that follows another one in the next cycle is lost.
module iommu_second_stage_leaves #(
    // Entries, 2 or more.
    parameter int ENTRIES = 8
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // 1 when any entry is valid: an empty cache need not be asked.
    output wire                                       used_o,

    // Lookup by device (request_t) and GSCID, announced in the cycle before, and guest address, for {D to be set, X, W, R};
    // second_leaf_t, and the page number of the guest address under it.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       next_again_i,
    input  wire [15:0]                                next_gscid_i,
    input  wire [63:0]                                lookup_guest_i,
    input  wire [3:0]                                 lookup_rights_i,
    output wire                                       lookup_hit_o,
    output wire [iommu_spec_pkg::SECOND_LEAF_W-1:0]   lookup_leaf_o,
    output wire [43:0]                                lookup_ppn_o,

    // Fill: key as for the lookup, and the leaf (second_leaf_t); key and page size of what may be filled in the next cycle.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       next_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       next_context_i,
    input  wire [63:0]                                next_guest_i,
    input  wire [2:0]                                 next_page_i,
    input  wire                                       fill_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       fill_context_i,
    input  wire [63:0]                                fill_guest_i,
    input  wire [iommu_spec_pkg::SECOND_LEAF_W-1:0]   fill_leaf_i,

    // Invalidation (invalidation_t). It takes effect in two cycles: what answers in its cycle or in the next one may still be named by
    // it. Fills in those cycles are lost. A range of pages names each size of page that it reaches into whole. IOTINVAL.VMA leaves this
    // cache alone.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i
);
  `include "iommu_records.vh"

  localparam int GUEST_W = 24 + 16;             // {device, GSCID}
  localparam int KEY_W = GUEST_W + 52;          // ... and guest page
  localparam int STORED_W = 4 + 6 + KEY_W;      // {D, X, W, R}, fields of the page number that are offset within the page

  request_t      next_again, fill, coming;
  context_t      fill_context, next_context;
  second_leaf_t  fill_leaf, stored_leaf;
  invalidation_t invalidation;

  assign next_again = next_again_i;
  assign fill = fill_request_i;
  assign coming = next_request_i;
  assign fill_context = fill_context_i;
  assign next_context = next_context_i;
  assign fill_leaf = fill_leaf_i;
  assign invalidation = invalidation_i;

  wire [GUEST_W-1:0] again_guest = {next_again.did, next_gscid_i};
  wire [KEY_W-1:0] fill_key = {fill.did, fill_context.gscid, fill_guest_i[63:12]};
  wire [KEY_W-1:0] next_key = {coming.did, next_context.gscid, next_guest_i[63:12]};
  wire [5:0]       fill_fields = iommu_spec_pkg::page_fields(fill_leaf.page);
  wire [51:0]      fill_offset = iommu_spec_pkg::field_bits(fill_fields);

  // What is compared with all entries for the next cycle: the invalidation, or what may be filled.
  wire [KEY_W-1:0] compared = invalidate_i ? {invalidation.did, invalidation.gscid, invalidation.vpn} : next_key;
  wire [5:0]       compared_fields = invalidate_i ? iommu_spec_pkg::range_fields(invalidation.vpn_mask)
      : iommu_spec_pkg::page_fields(next_page_i);
  // Of the invalidation of the cycle before; filled_q: an entry was filled then, which the compare did not see.
  logic            invalidate_q, everything_q, directory_q, gvma_q, dv_q, gv_q, av_q, filled_q;
  wire             take_fill = fill_i && !filled_q;

  wire [ENTRIES*STORED_W-1:0] stored;
  wire [ENTRIES*GUEST_W-1:0]  guests;
  wire [ENTRIES-1:0]          valid, same_guest, lookup_match, write, named, overlap;
  wire [6*ENTRIES-1:0]        matched_fields;

  generate
    for (genvar i = 0; i < ENTRIES; i++) begin : g_entry
      wire [KEY_W-1:0] key = stored[STORED_W*i +: KEY_W];
      wire [5:0]       fields = stored[STORED_W*i + KEY_W +: 6];
      wire             r = stored[STORED_W*i + KEY_W + 6];
      wire             w = stored[STORED_W*i + KEY_W + 7];
      wire             x = stored[STORED_W*i + KEY_W + 8];
      wire             d = stored[STORED_W*i + KEY_W + 9];
      wire             grants = (r || !lookup_rights_i[0]) && (w || !lookup_rights_i[1]) && (x || !lookup_rights_i[2]) &&
                           (d || !w || !lookup_rights_i[3]);
      logic            device_q, guest_q;
      logic [10:0]     page_q;

      assign guests[GUEST_W*i +: GUEST_W] = key[KEY_W-1:52];
      assign lookup_match[i] = grants && same_guest[i] && iommu_spec_pkg::same_page_parts(key[51:0], lookup_guest_i[63:12], fields) == '1;
      assign matched_fields[6*i +: 6] = fields & {6{lookup_match[i] && valid[i]}};
      assign overlap[i] = device_q && guest_q && page_q == '1;
      assign named[i] = everything_q || (directory_q ? !dv_q || device_q
                                         : gvma_q && (!gv_q || (guest_q && (!av_q || page_q == '1))));

      always_ff @(posedge clk_i) begin
        device_q <= key[KEY_W-1 -: 24] == compared[KEY_W-1 -: 24];
        guest_q <= key[67:52] == compared[67:52];
        page_q <= iommu_spec_pkg::same_page_parts(key[51:0], compared[51:0], fields | compared_fields);
      end
    end
  endgenerate

  always_ff @(posedge clk_i) begin
    everything_q <= invalidation.everything;
    directory_q <= invalidation.directory;
    gvma_q <= invalidation.gvma;
    dv_q <= invalidation.dv;
    gv_q <= invalidation.gv;
    av_q <= invalidation.av;
    invalidate_q <= invalidate_i && !rst_i;
    filled_q <= take_fill && !rst_i;
  end

  always_comb begin
    stored_leaf = fill_leaf;
    stored_leaf.ppn = fill_leaf.ppn & ~fill_offset[43:0];
  end

  iommu_key_compare #(
      .ENTRIES(ENTRIES),
      .KEY_W  (GUEST_W),
      .PARTS  (3)
  ) u_compare (
      .clk_i      (clk_i),
      .load_i     (1'b1),
      .next_i     (again_guest),
      .key_i      (again_guest),
      .keys_i     (guests),
      .write_i    (write),
      .write_key_i({fill.did, fill_context.gscid}),
      .same_o     (same_guest)
  );

  iommu_associative_cache #(
      .ENTRIES(ENTRIES),
      .KEY_W  (STORED_W),
      .DATA_W (iommu_spec_pkg::SECOND_LEAF_W)
  ) u_entries (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .keys_o     (stored),
      .valid_o    (valid),
      .match_i    (lookup_match),
      .hit_o      (lookup_hit_o),
      .data_o     (lookup_leaf_o),
      .fill_i     (take_fill),
      .fill_any_i (1'b0),
      .fill_same_i({ENTRIES{1'b0}}),
      .fill_key_i ({fill_leaf.d, fill_leaf.x, fill_leaf.w, fill_leaf.r, fill_fields, fill_key}),
      .fill_data_i(stored_leaf),
      .write_o    (write),
      .drop_i     ((named & {ENTRIES{invalidate_q}}) | (overlap & {ENTRIES{take_fill}})),
      .drop_fill_i(invalidate_i || invalidate_q)
  );

  // ---- The address: the offset within the page comes from the guest address ------------------------------------------------------------
  second_leaf_t leaf;
  logic [5:0]   offset_fields;
  wire  [51:0]  offset = iommu_spec_pkg::field_bits(offset_fields);

  always_comb begin
    offset_fields = '0;
    for (int i = 0; i < ENTRIES; i++) offset_fields = offset_fields | matched_fields[6*i +: 6];
  end

  assign leaf = lookup_leaf_o;
  assign lookup_ppn_o = leaf.ppn | (lookup_guest_i[55:12] & offset[43:0]);
  assign used_o = valid != '0;

`ifndef SYNTHESIS
  initial begin
    if ($bits(fill_leaf) != iommu_spec_pkg::SECOND_LEAF_W)
      $fatal(1, "iommu_second_stage_leaves: SECOND_LEAF_W in iommu_spec_pkg is not the width of its record");
  end
`endif

`ifdef FORMAL
  // Proof `iommu_second_stage_leaves`: a lookup answers with a leaf only if that was filled for its device, guest and page (never
  // foreign) and no invalidation named it before the last cycle (never stale); at most one entry answers, and it grants the access. Any
  // guest page, any leaf.
  wire [KEY_W-1:0]                         f_key;
  wire [iommu_spec_pkg::SECOND_LEAF_W-1:0] f_leaf_bits;
  second_leaf_t                            f_leaf;
  formal_constant #(.WIDTH(KEY_W)) u_f_key (.value_o(f_key));
  formal_constant #(.WIDTH(iommu_spec_pkg::SECOND_LEAF_W)) u_f_leaf (.value_o(f_leaf_bits));
  assign f_leaf = f_leaf_bits;

  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i && !fill_i);

  // A leaf as it is stored: its address without the bits within the page.
  wire [51:0] f_mask = iommu_spec_pkg::page_number_mask(f_leaf.page);
  always_comb assume ((f_leaf.ppn & f_mask[43:0]) == '0);

  // What is filled was announced in the cycle before (iommu_walker.v).
  logic [KEY_W-1:0] f_next_key_q;
  logic [2:0]       f_next_page_q;
  logic             f_announced_q;
  always_ff @(posedge clk_i) begin
    f_next_key_q <= next_key;
    f_next_page_q <= next_page_i;
    f_announced_q <= !invalidate_i;
  end
  always_comb if (f_started_q) assume (!fill_i || (fill_key == f_next_key_q && fill_leaf.page == f_next_page_q));

  // RISC-V IOMMU, IOTINVAL.GVMA: the guest's leaves, with AV = 1 those that map a page of the range (AV counts only with GV = 1); IODIR.
  // A leaf of the second stage depends on no first stage and on no process: IOTINVAL.VMA and INVAL_PDT name none.
  wire f_in_range = ((f_key[51:0] ^ invalidation.vpn) & ~(f_mask | invalidation.vpn_mask)) == '0;
  wire f_named = invalidation.directory ? !invalidation.pv && (!invalidation.dv || f_key[KEY_W-1 -: 24] == invalidation.did)
      : invalidation.gvma && (!invalidation.gv || (f_key[67:52] == invalidation.gscid && (!invalidation.av || f_in_range)));
  wire f_filled = take_fill && !invalidate_i && !invalidate_q && ((fill_key ^ f_key) & ~{40'd0, f_mask}) == '0 &&
      stored_leaf == f_leaf_bits;
  // The guest that was announced in the cycle before.
  logic [GUEST_W-1:0] f_again_guest_q;
  logic [ENTRIES-1:0] f_same_announced;
  always_ff @(posedge clk_i) f_again_guest_q <= {next_again.did, next_gscid_i};
  always_comb for (int i = 0; i < ENTRIES; i++) f_same_announced[i] = stored[STORED_W*i + 52 +: GUEST_W] == f_again_guest_q;

  logic f_live_q, f_invalidated_q;
  always_ff @(posedge clk_i) begin
    f_live_q <= ((f_live_q && !f_invalidated_q) || f_filled) && !rst_i;
    f_invalidated_q <= invalidate_i && (invalidation.everything || f_named) && !rst_i;
  end

  generate
    for (genvar i = 0; i < ENTRIES; i++) begin : g_f_entry
      wire [KEY_W-1:0] f_entry_key = stored[STORED_W*i +: KEY_W];
      wire [5:0]       f_entry_fields = stored[STORED_W*i + KEY_W +: 6];
      wire [3:0]       f_entry_rights = stored[STORED_W*i + KEY_W + 6 +: 4];
      second_leaf_t    f_held;
      assign f_held = u_entries.data_q[i];
      wire f_holds = valid[i] && u_entries.data_q[i] == f_leaf_bits && ((f_entry_key ^ f_key) & ~{40'd0, f_mask}) == '0;
      // Where a valid entry overlaps what may be filled, the compare has found it, unless it was written then.
      wire f_overlaps = ((f_entry_key ^ f_next_key_q) &
                         ~{40'd0, iommu_spec_pkg::field_bits(f_entry_fields | iommu_spec_pkg::page_fields(f_next_page_q))}) == '0;
      always_comb
        if (f_started_q) begin
          held_is_live: assert (!f_holds || f_live_q);
          named_is_dropped: assert (!(f_holds && f_invalidated_q) || (invalidate_q && named[i]));
          kept_with_the_leaf: assert (!valid[i] || (f_entry_fields == iommu_spec_pkg::page_fields(f_held.page) &&
                                                    f_entry_rights == {f_held.d, f_held.x, f_held.w, f_held.r}));
          overlap_is_found: assert (!(valid[i] && f_announced_q && !filled_q && f_overlaps) || overlap[i]);
        end
      for (genvar j = i + 1; j < ENTRIES; j++) begin : g_f_other
        wire [KEY_W-1:0] f_other_key = stored[STORED_W*j +: KEY_W];
        wire [5:0]       f_other_fields = stored[STORED_W*j + KEY_W +: 6];
        always_comb
          if (f_started_q) begin
            entries_are_apart: assert (!(valid[i] && valid[j] && ((f_entry_key ^ f_other_key) &
                                         ~{40'd0, iommu_spec_pkg::field_bits(f_entry_fields | f_other_fields)}) == '0));
          end
      end
    end
  endgenerate

  wire               f_answers = lookup_hit_o && {f_again_guest_q, lookup_guest_i[63:12]} == f_key && lookup_leaf_o == f_leaf_bits;
  wire               f_grants = (!lookup_rights_i[0] || leaf.r) && (!lookup_rights_i[1] || leaf.w) && (!lookup_rights_i[2] || leaf.x) &&
      !(lookup_rights_i[3] && leaf.w && !leaf.d);

  always_comb begin
    if (f_started_q) begin
      guest_is_compared: assert (same_guest == f_same_announced);
      one_is_replaced: assert (u_entries.victim_q != '0 && (u_entries.victim_q & (u_entries.victim_q - 1'b1)) == '0);
      one_entry_matches: assert ((u_entries.match & (u_entries.match - 1'b1)) == '0);
      never_stale_never_foreign: assert (!f_answers || (f_live_q && used_o && f_grants &&
                                                        lookup_ppn_o == (f_leaf.ppn | (f_key[43:0] & f_mask[43:0]))));
      hit_of_the_last_entry: cover (f_answers && u_entries.match[ENTRIES-1]);
      hit_inside_a_superpage: cover (f_answers && f_leaf.page == iommu_spec_pkg::PAGE_2M && f_key[8:0] != '0);
      survives_an_invalidation: cover (f_answers && invalidate_q && gvma_q && gv_q && av_q && !everything_q && !f_invalidated_q);
    end
  end
`endif

endmodule
`default_nettype wire
