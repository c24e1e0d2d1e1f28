`default_nettype none
// Walk cache: last-level first-stage tables by requester {DID, PV, PID} and address bits above 2 MiB. Holds the supervisor page of
// the table (both stages combined), the second-stage attributes of that page and G of the pointers on the way.
// Fully associative, one-hot select, round-robin replacement; lookup is combinational.
module iommu_walk_cache #(
    // Entries, 2 or more.
    parameter int ENTRIES = 16
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // Lookup by request_t.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       lookup_request_i,
    output wire                                       lookup_hit_o,
    output wire [43:0]                                lookup_ppn_o,
    output wire [1:0]                                 lookup_pbmt_o,
    output wire                                       lookup_w_o,
    output wire                                       lookup_g_o,

    // Fill: request_t, context_t (tags) and the table; replaces an entry of the same key.
    input  wire                                       fill_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       fill_context_i,
    input  wire [43:0]                                fill_ppn_i,
    input  wire [1:0]                                 fill_pbmt_i,
    input  wire                                       fill_w_i,
    input  wire                                       fill_g_i,

    // Invalidation (invalidation_t); wins over a fill in the same cycle. IOTINVAL.VMA with AV = 1 and NL = 0 names leaf entries
    // only and leaves this cache alone.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i
);
  `include "iommu_records.vh"

  localparam int INDEX_W = $clog2(ENTRIES);
  localparam int KEY_W = 45 + 43;
  localparam int TAG_W = 38;
  localparam int TABLE_W = 48;

  request_t      lookup, fill;
  context_t      fill_context;
  invalidation_t invalidation;

  assign lookup = lookup_request_i;
  assign fill = fill_request_i;
  assign fill_context = fill_context_i;
  assign invalidation = invalidation_i;

  wire [KEY_W-1:0] lookup_key = {lookup.did, lookup.pv, lookup.pid, lookup.iova[63:21]};
  wire [KEY_W-1:0] fill_key = {fill.did, fill.pv, fill.pid, fill.iova[63:21]};
  wire             fill_gv = fill_context.second_mode != 4'd0;
  // {GV, GSCID, G, PSCID}
  wire [TAG_W-1:0] fill_tag = {fill_gv, fill_context.gscid, fill_g_i, fill_context.pscid};

  logic [ENTRIES-1:0] valid_d, valid_q;
  logic [KEY_W-1:0]   key_q [0:ENTRIES-1];
  logic [TAG_W-1:0]   tag_q [0:ENTRIES-1];
  logic [TABLE_W-1:0] table_q [0:ENTRIES-1];
  logic [INDEX_W-1:0] victim_d, victim_q;

  wire [ENTRIES-1:0] lookup_match, fill_match, invalidate_match, write;

  generate
    for (genvar i = 0; i < ENTRIES; i++) begin : g_entry
      wire [KEY_W-1:0] key = key_q[i];
      wire [TAG_W-1:0] tag = tag_q[i];
      wire same_guest = tag[36:21] == invalidation.gscid;

      assign lookup_match[i] = valid_q[i] && key == lookup_key;
      assign fill_match[i] = valid_q[i] && key == fill_key;
      assign invalidate_match[i] = invalidation.everything ||
          (invalidation.directory
               ? !invalidation.dv || (key[87:64] == invalidation.did && (!invalidation.pv || key[62:43] == invalidation.pid))
           : invalidation.gvma ? tag[37] && (!invalidation.gv || same_guest)
           : tag[37] == invalidation.gv && (!invalidation.gv || same_guest) && (!invalidation.av || invalidation.nl) &&
             (!invalidation.pscv || (tag[19:0] == invalidation.pscid && !tag[20])));
      assign write[i] = fill_i && (fill_match != '0 ? fill_match[i] : victim_q == INDEX_W'(i));

      always_ff @(posedge clk_i) begin
        if (write[i]) begin
          key_q[i] <= fill_key;
          tag_q[i] <= fill_tag;
          table_q[i] <= {fill_g_i, fill_w_i, fill_pbmt_i, fill_ppn_i};
        end
      end
    end
  endgenerate

  logic [TABLE_W-1:0] selected;

  always_comb begin
    selected = '0;
    for (int i = 0; i < ENTRIES; i++) selected = selected | ({TABLE_W{lookup_match[i]}} & table_q[i]);
  end

  always_comb begin
    valid_d = valid_q | write;
    victim_d = victim_q;
    if (fill_i && fill_match == '0) victim_d = victim_q == INDEX_W'(ENTRIES - 1) ? '0 : victim_q + 1'b1;
    if (invalidate_i) valid_d = valid_q & ~invalidate_match;
  end

  always_ff @(posedge clk_i) begin
    valid_q <= valid_d;
    victim_q <= victim_d;
    if (rst_i) begin
      valid_q <= '0;
      victim_q <= '0;
    end
  end

  assign lookup_hit_o = lookup_match != '0;
  assign {lookup_g_o, lookup_w_o, lookup_pbmt_o, lookup_ppn_o} = selected;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) assert ($countones(lookup_match) <= 1) else $error("iommu_walk_cache: two entries of one table");
  end
`endif

endmodule
`default_nettype wire
