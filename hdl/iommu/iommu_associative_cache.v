`default_nettype none
// Entries of a fully associative cache: what the caches of the walker have in common. Keys are in registers and compared by the module
// around it (iommu_key_compare.v); data are in distributed RAM. Replacement in turn.
module iommu_associative_cache #(
    // Entries, 2 or more; bits of a key, of what an entry holds.
    parameter int ENTRIES = 8,
    parameter int KEY_W = 64,
    parameter int DATA_W = 64
) (
    input  wire                      clk_i,
    input  wire                      rst_i,

    // Keys of all entries, that of entry 0 lowest, and which are valid.
    output wire [ENTRIES*KEY_W-1:0]  keys_o,
    output wire [ENTRIES-1:0]        valid_o,

    // Lookup, combinational: the entries whose key matches, at most one of them valid.
    input  wire [ENTRIES-1:0]        match_i,
    output wire                      hit_o,
    output wire [DATA_W-1:0]         data_o,

    // Fill, and the entry that it is written to: in the place of entry `fill_same_i` (one-hot) if there is one, else of the next one in
    // turn.
    input  wire                      fill_i,
    input  wire                      fill_any_i,
    input  wire [ENTRIES-1:0]        fill_same_i,
    input  wire [KEY_W-1:0]          fill_key_i,
    input  wire [DATA_W-1:0]         fill_data_i,
    output wire [ENTRIES-1:0]        write_o,

    // Entries that are no longer valid; 1: nor is what is filled in this cycle.
    input  wire [ENTRIES-1:0]        drop_i,
    input  wire                      drop_fill_i
);

  localparam int INDEX_W = $clog2(ENTRIES);

  logic [ENTRIES-1:0] valid_d, valid_q;
  logic [KEY_W-1:0]   key_q [0:ENTRIES-1];
  logic [DATA_W-1:0]  data_q [0:ENTRIES-1];
  logic [ENTRIES-1:0] victim_q;                    // one-hot, in turn

  wire  [ENTRIES-1:0] match = match_i & valid_q;
  wire  [ENTRIES-1:0] place = fill_any_i ? fill_same_i : victim_q;
  wire  [ENTRIES-1:0] write = place & {ENTRIES{fill_i}};

  generate
    for (genvar i = 0; i < ENTRIES; i++) begin : g_entry
      assign keys_o[KEY_W*i +: KEY_W] = key_q[i];

      always_ff @(posedge clk_i) if (write[i]) key_q[i] <= fill_key_i;
    end
  endgenerate

  // Index of the one that is set.
  function automatic [INDEX_W-1:0] encoded;
    input [ENTRIES-1:0] one;
    begin
      encoded = '0;
      for (int i = 0; i < ENTRIES; i++) if (one[i]) encoded = encoded | INDEX_W'(i);
    end
  endfunction

  wire [INDEX_W-1:0] index = encoded(match);
  wire [INDEX_W-1:0] write_index = encoded(place);

  always_ff @(posedge clk_i) if (fill_i) data_q[write_index] <= fill_data_i;

  always_comb begin
    valid_d = drop_fill_i ? valid_q & ~drop_i & ~write : (valid_q & ~drop_i) | write;
  end

  always_ff @(posedge clk_i) begin
    valid_q <= valid_d;
    if (fill_i && !fill_any_i) victim_q <= {victim_q[ENTRIES-2:0], victim_q[ENTRIES-1]};
    if (rst_i) begin
      valid_q <= '0;
      victim_q <= ENTRIES'(1);
    end
  end

  assign write_o = write;
  assign valid_o = valid_q;
  assign hit_o = match != '0;
  assign data_o = data_q[index];

  generate
    if (ENTRIES < 2) begin : g_check_entries
      initial $fatal(1, "iommu_associative_cache: ENTRIES must be 2 or more");
    end
  endgenerate

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert ($countones(match) <= 1) else $error("iommu_associative_cache: two entries answer");
      assert (!fill_i || $countones(place) == 1) else $error("iommu_associative_cache: a fill takes no place, or two");
    end
  end
`endif

endmodule
`default_nettype wire
