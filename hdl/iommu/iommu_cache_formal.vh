// Never stale, never foreign, for `include in the formal sections of the walker's caches. The module has said before, of a key and a
// content that the solver chooses: `f_key` (KEY_W bits); `f_filled`, it is filled in this cycle; `f_named`, `invalidation` names it
// if it is more than `everything`; `f_held`, the entries that hold it; `f_hit`, it is what the lookup answers.

logic f_started_q = 1'b0;
always_ff @(posedge clk_i) f_started_q <= 1'b1;
always_comb if (!f_started_q) assume (rst_i);

// It was filled, and nothing has named it since.
logic f_live_q;
always_ff @(posedge clk_i)
  f_live_q <= (f_live_q || f_filled) && !(invalidate_i && (invalidation.everything || f_named)) && !rst_i;

generate
  for (genvar i = 0; i < ENTRIES; i++) begin : g_f_entry
    for (genvar j = i + 1; j < ENTRIES; j++) begin : g_f_other
      always_comb
        if (f_started_q) begin
          entries_differ: assert (!(valid_q[i] && valid_q[j] && key_q[i] == key_q[j]));
        end
    end
  end
endgenerate

always_comb begin
  if (f_started_q) begin
    held_is_live: assert (f_held == '0 || f_live_q);
    one_entry_matches: assert ((lookup_match & (lookup_match - 1'b1)) == '0);
    never_stale_never_foreign: assert (!f_hit || f_live_q);
    hit_of_the_last_entry: cover (f_hit && lookup_match[ENTRIES-1]);
    survives_an_invalidation: cover (f_hit && invalidate_i && !invalidation.everything && !f_named);
  end
end
