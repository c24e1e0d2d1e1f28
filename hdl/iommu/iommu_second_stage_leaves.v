`default_nettype none
// Second-stage leaf cache: leaves of the second stage, of any size, by device, GSCID and guest page. A walk that finds one reads no
// second-stage table. Serves the walks of table pages and of the requests' own pages alike; whether an entry grants the access is the
// caller's business (iommu_walk_look.v). A = 1 in every entry.
// Fully associative, round-robin replacement, leaves in distributed RAM; combinational lookup. A fill drops what it overlaps.
module iommu_second_stage_leaves #(
    // Entries, 2 or more.
    parameter int ENTRIES = 8
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // 1 when any entry is valid: an empty cache need not be asked.
    output wire                                       used_o,

    // Lookup by device (request_t), GSCID (context_t) and guest address; second_leaf_t.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       lookup_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       lookup_context_i,
    input  wire [63:0]                                lookup_guest_i,
    output wire                                       lookup_hit_o,
    output wire [iommu_spec_pkg::SECOND_LEAF_W-1:0]   lookup_leaf_o,

    // Fill: key as for the lookup, and the leaf (second_leaf_t).
    input  wire                                       fill_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       fill_context_i,
    input  wire [63:0]                                fill_guest_i,
    input  wire [iommu_spec_pkg::SECOND_LEAF_W-1:0]   fill_leaf_i,

    // Invalidation (invalidation_t); wins over a fill in the same cycle. IOTINVAL.VMA leaves this cache alone.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i
);
  `include "iommu_records.vh"

  localparam int INDEX_W = $clog2(ENTRIES);
  localparam int KEY_W = 24 + 16 + 52;

  request_t      lookup, fill;
  context_t      lookup_context, fill_context;
  second_leaf_t  fill_leaf;
  invalidation_t invalidation;

  assign lookup = lookup_request_i;
  assign fill = fill_request_i;
  assign lookup_context = lookup_context_i;
  assign fill_context = fill_context_i;
  assign fill_leaf = fill_leaf_i;
  assign invalidation = invalidation_i;

  // {device, GSCID, guest page}
  wire [KEY_W-1:0] lookup_key = {lookup.did, lookup_context.gscid, lookup_guest_i[63:12]};
  wire [KEY_W-1:0] fill_key = {fill.did, fill_context.gscid, fill_guest_i[63:12]};
  wire [51:0]      fill_mask = iommu_spec_pkg::page_number_mask(fill_leaf.page);

  logic [ENTRIES-1:0]                       valid_d, valid_q;
  logic [KEY_W-1:0]                         key_q [0:ENTRIES-1];
  logic [51:0]                              mask_q [0:ENTRIES-1];
  logic [iommu_spec_pkg::SECOND_LEAF_W-1:0] leaf_q [0:ENTRIES-1];
  logic [INDEX_W-1:0]                       victim_d, victim_q;

  wire  [ENTRIES-1:0] lookup_match, overlap, invalidate_match;
  wire  [ENTRIES-1:0] write = fill_i ? ENTRIES'(1) << victim_q : '0;

  generate
    for (genvar i = 0; i < ENTRIES; i++) begin : g_entry
      wire [KEY_W-1:0] key = key_q[i];
      wire [51:0]      mask = mask_q[i];

      assign lookup_match[i] = valid_q[i] && ((key ^ lookup_key) & ~{40'd0, mask}) == '0;
      assign overlap[i] = ((key ^ fill_key) & ~{40'd0, mask | fill_mask}) == '0;
      assign invalidate_match[i] = invalidation.everything ||
          (invalidation.directory
               ? !invalidation.dv || key[KEY_W-1 -: 24] == invalidation.did
               : invalidation.gvma &&
                 (!invalidation.gv ||
                  (key[67:52] == invalidation.gscid &&
                   (!invalidation.av || ((key[51:0] ^ invalidation.vpn) & ~(mask | invalidation.vpn_mask)) == '0))));

      always_ff @(posedge clk_i) begin
        if (write[i]) begin
          key_q[i] <= fill_key;
          mask_q[i] <= fill_mask;
        end
      end
    end
  endgenerate

  logic [INDEX_W-1:0] lookup_index;

  always_comb begin
    lookup_index = '0;
    for (int i = 0; i < ENTRIES; i++) if (lookup_match[i]) lookup_index = lookup_index | INDEX_W'(i);
  end

  always_ff @(posedge clk_i) if (fill_i) leaf_q[victim_q] <= fill_leaf_i;

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

  assign used_o = valid_q != '0;
  assign lookup_hit_o = lookup_match != '0;
  assign lookup_leaf_o = leaf_q[lookup_index];

`ifndef SYNTHESIS
  initial begin
    if ($bits(fill_leaf) != iommu_spec_pkg::SECOND_LEAF_W)
      $fatal(1, "iommu_second_stage_leaves: SECOND_LEAF_W in iommu_spec_pkg is not the width of its record");
  end

  always_ff @(posedge clk_i) begin
    if (!rst_i) assert ($countones(lookup_match) <= 1) else $error("iommu_second_stage_leaves: two entries of one guest page");
  end
`endif

`ifdef FORMAL
  // Proof `iommu_second_stage_leaves`: a lookup answers with a leaf only if that was filled for its device, guest and page (never
  // foreign) and no invalidation named it since (never stale); at most one entry answers. Any guest page, any leaf.
  wire [KEY_W-1:0]                         f_key;
  wire [iommu_spec_pkg::SECOND_LEAF_W-1:0] f_leaf_bits;
  second_leaf_t                            f_leaf;
  formal_constant #(.WIDTH(KEY_W)) u_f_key (.value_o(f_key));
  formal_constant #(.WIDTH(iommu_spec_pkg::SECOND_LEAF_W)) u_f_leaf (.value_o(f_leaf_bits));
  assign f_leaf = f_leaf_bits;

  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  // RISC-V IOMMU, IOTINVAL.GVMA: the guest's leaves, with AV = 1 those that map a page of the range (AV counts only with GV = 1); IODIR.
  // A leaf of the second stage depends on no first stage and on no process: IOTINVAL.VMA and INVAL_PDT name none.
  wire [51:0] f_mask = iommu_spec_pkg::page_number_mask(f_leaf.page);
  wire f_in_range = ((f_key[51:0] ^ invalidation.vpn) & ~(f_mask | invalidation.vpn_mask)) == '0;
  wire f_named = invalidation.directory ? !invalidation.pv && (!invalidation.dv || f_key[KEY_W-1 -: 24] == invalidation.did)
      : invalidation.gvma && (!invalidation.gv || (f_key[67:52] == invalidation.gscid && (!invalidation.av || f_in_range)));
  wire f_filled = fill_i && ((fill_key ^ f_key) & ~{40'd0, f_mask}) == '0 && fill_leaf_i == f_leaf_bits;
  logic f_live_q;
  always_ff @(posedge clk_i)
    f_live_q <= (f_live_q || f_filled) && !(invalidate_i && (invalidation.everything || f_named)) && !rst_i;

  generate
    for (genvar i = 0; i < ENTRIES; i++) begin : g_f_entry
      wire f_holds = valid_q[i] && leaf_q[i] == f_leaf_bits && ((key_q[i] ^ f_key) & ~{40'd0, f_mask}) == '0;
      second_leaf_t f_held;
      assign f_held = leaf_q[i];
      always_comb
        if (f_started_q) begin
          held_is_live: assert (!f_holds || f_live_q);
          mask_of_the_leaf: assert (!valid_q[i] || mask_q[i] == iommu_spec_pkg::page_number_mask(f_held.page));
        end
      for (genvar j = i + 1; j < ENTRIES; j++) begin : g_f_other
        always_comb
          if (f_started_q) begin
            entries_are_apart: assert (!(valid_q[i] && valid_q[j] &&
                                         ((key_q[i] ^ key_q[j]) & ~{40'd0, mask_q[i] | mask_q[j]}) == '0));
          end
      end
    end
  endgenerate

  wire f_hit = lookup_hit_o && lookup_key == f_key && lookup_leaf_o == f_leaf_bits;

  always_comb begin
    if (f_started_q) begin
      one_entry_matches: assert ((lookup_match & (lookup_match - 1'b1)) == '0);
      never_stale_never_foreign: assert (!f_hit || (f_live_q && used_o));
      hit_of_the_last_entry: cover (f_hit && lookup_match[ENTRIES-1]);
      hit_inside_a_superpage: cover (f_hit && f_leaf.page == iommu_spec_pkg::PAGE_2M && f_key[8:0] != '0);
      survives_an_invalidation: cover (f_hit && invalidate_i && invalidation.gvma && invalidation.gv && invalidation.av &&
                                       f_key[67:52] == invalidation.gscid && !invalidation.everything && !f_named);
    end
  end
`endif

endmodule
`default_nettype wire
