// Never stale, never foreign, for `include in the formal sections of the walker's caches whose fills are found by their hash. The module
// has said before: `f_started_q`, 0 in the first cycle; of a key and a content that the solver chooses: `f_key` (KEY_W bits); `f_filled`,
// it is filled in this cycle; `f_named`, `invalidation` names it if it is more than `everything`; `f_held`, the entries that hold it;
// `f_hit`, it is what the lookup answers. Entry i is {hash, ..., key} in `stored`.

always_comb if (!f_started_q) assume (rst_i && !fill_i);

// It was filled, and nothing has named it before the last cycle.
logic f_live_q, f_invalidated_q;
always_ff @(posedge clk_i) begin
  f_live_q <= ((f_live_q && !f_invalidated_q) || (f_filled && !invalidate_i && !invalidate_q)) && !rst_i;
  f_invalidated_q <= invalidate_i && (invalidation.everything || f_named) && !rst_i;
end

// What is filled was announced in the cycle before (iommu_walker.v).
logic [KEY_W-1:0] f_next_key_q;
always_ff @(posedge clk_i) f_next_key_q <= next_key;
always_comb if (f_started_q) assume (!fill_i || fill_key == f_next_key_q);


generate
  for (genvar i = 0; i < ENTRIES; i++) begin : g_f_entry
    wire [KEY_W-1:0]  f_entry_key = stored[STORED_W*i +: KEY_W];
    wire [HASH_W-1:0] f_entry_hash = stored[STORED_W*(i+1)-1 -: HASH_W];
    always_comb
      if (f_started_q) begin
        hash_of_the_key: assert (!u_entries.valid_q[i] || f_entry_hash == iommu_spec_pkg::hash({{(96-KEY_W){1'b0}}, f_entry_key}));
        same_is_found: assert (!(u_entries.valid_q[i] && !filled_q && f_entry_hash == fill_hash_q) || same_q[i]);
        named_is_dropped: assert (!(f_held[i] && f_invalidated_q) || (invalidate_q && named[i]));
      end
    for (genvar j = i + 1; j < ENTRIES; j++) begin : g_f_other
      always_comb
        if (f_started_q) begin
          entries_differ: assert (!(u_entries.valid_q[i] && u_entries.valid_q[j] && f_entry_hash == stored[STORED_W*(j+1)-1 -: HASH_W]));
        end
    end
  end
endgenerate

always_comb begin
  if (f_started_q) begin
    announced: assert (fill_hash_q == iommu_spec_pkg::hash({{(96-KEY_W){1'b0}}, f_next_key_q}));
    one_is_replaced: assert (any_q == (same_q != '0) && (same_q & (same_q - 1'b1)) == '0 &&
        u_entries.victim_q != '0 && (u_entries.victim_q & (u_entries.victim_q - 1'b1)) == '0);
    held_is_live: assert (f_held == '0 || f_live_q);
    one_entry_matches: assert ((u_entries.match & (u_entries.match - 1'b1)) == '0);
    never_stale_never_foreign: assert (!f_hit || f_live_q);
    hit_of_the_last_entry: cover (f_hit && u_entries.match[ENTRIES-1]);
    survives_an_invalidation: cover (f_hit && invalidate_q && !everything_q && !f_invalidated_q);
  end
end
