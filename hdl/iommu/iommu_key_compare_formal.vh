// What a lookup is of, for `include in the formal sections of the walker's caches that know requests waiting to start
// (iommu_key_compare.v):
// of `f_lookup_key`. A request that may start stays until another one is loaded, the first one in reset; the answers of the compares are
// those of the entries as they are.

logic [KEY_W-1:0] f_start_key_q, f_again_key_q;
always_ff @(posedge clk_i) begin
  if (start_load_i) f_start_key_q <= next_start_key;
  f_again_key_q <= next_again_key;
end
always_comb assume (start_load_i || (f_started_q && start_key == f_start_key_q));

wire [KEY_W-1:0] f_lookup_key = lookup_start_i ? f_start_key_q : f_again_key_q;

generate
  for (genvar i = 0; i < ENTRIES; i++) begin : g_f_compare
    always_comb
      if (f_started_q) begin
        start_is_compared: assert (start_same[i] == (stored[STORED_W*i +: KEY_W] == f_start_key_q));
        again_is_compared: assert (again_same[i] == (stored[STORED_W*i +: KEY_W] == f_again_key_q));
      end
  end
endgenerate
