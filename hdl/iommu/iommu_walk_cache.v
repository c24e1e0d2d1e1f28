`default_nettype none
// Walk cache: last-level first-stage tables by requester {DID, PV, PID} and address bits above 2 MiB. Holds the supervisor page of
// the table (both stages combined), the second-stage attributes of that page and G of the pointers on the way. It answers only in the
// address space that the table was found in: a context that has changed since must not meet tables of the one before, whose
// translations would then carry the wrong PSCID and GSCID.
// Fully associative, round-robin replacement, tables in distributed RAM; lookup is combinational.
module iommu_walk_cache #(
    // Entries, 2 or more.
    parameter int ENTRIES = 16
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // Lookup by request_t and by the address space of context_t, which may be known late: a hit counts only if `lookup_other_o`, the bits
    // of {GV, GSCID, PSCID} in which the entry's address space is another one, is 0.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       lookup_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       lookup_context_i,
    output wire                                       lookup_hit_o,
    output wire [36:0]                                lookup_other_o,
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
  context_t      lookup_context, fill_context;
  invalidation_t invalidation;

  assign lookup = lookup_request_i;
  assign fill = fill_request_i;
  assign lookup_context = lookup_context_i;
  assign fill_context = fill_context_i;
  assign invalidation = invalidation_i;

  wire [KEY_W-1:0] lookup_key = {lookup.did, lookup.pv, lookup.pid, lookup.iova[63:21]};
  wire [KEY_W-1:0] fill_key = {fill.did, fill.pv, fill.pid, fill.iova[63:21]};
  // Modes of page tables are 0 (Bare), 8, 9, 10.
  wire             fill_gv = fill_context.second_mode[3];
  // {GV, GSCID, G, PSCID}
  wire [TAG_W-1:0] fill_tag = {fill_gv, fill_context.gscid, fill_g_i, fill_context.pscid};

  wire [36:0]      lookup_space = {lookup_context.second_mode[3], lookup_context.gscid, lookup_context.pscid};

  logic [ENTRIES-1:0] valid_d, valid_q;
  logic [KEY_W-1:0]   key_q [0:ENTRIES-1];
  logic [TAG_W-1:0]   tag_q [0:ENTRIES-1];
  logic [TABLE_W-1:0] table_q [0:ENTRIES-1];
  logic [36:0]        space_q [0:ENTRIES-1];     // of the tag, for the lookup
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
        end
      end
    end
  endgenerate

  // Index of the one that is set.
  function automatic [INDEX_W-1:0] encoded;
    input [ENTRIES-1:0] match;
    begin
      encoded = '0;
      for (int i = 0; i < ENTRIES; i++) if (match[i]) encoded = encoded | INDEX_W'(i);
    end
  endfunction

  wire [INDEX_W-1:0] lookup_index = encoded(lookup_match);
  wire [INDEX_W-1:0] write_index = fill_match != '0 ? encoded(fill_match) : victim_q;

  always_ff @(posedge clk_i) begin
    if (fill_i) begin
      table_q[write_index] <= {fill_g_i, fill_w_i, fill_pbmt_i, fill_ppn_i};
      space_q[write_index] <= {fill_tag[37:21], fill_tag[19:0]};
    end
  end

  always_comb begin
    valid_d = valid_q | write;
    victim_d = victim_q;
    if (fill_i && fill_match == '0) victim_d = victim_q == INDEX_W'(ENTRIES - 1) ? '0 : victim_q + 1'b1;
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

  assign lookup_hit_o = lookup_match != '0;
  assign lookup_other_o = space_q[lookup_index] ^ lookup_space;
  assign {lookup_g_o, lookup_w_o, lookup_pbmt_o, lookup_ppn_o} = table_q[lookup_index];

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) assert ($countones(lookup_match) <= 1) else $error("iommu_walk_cache: two entries of one table");
  end
`endif

`ifdef FORMAL
  // Proof `iommu_walk_cache`: a lookup answers with a table only if that was filled for its {DID, PV, PID}, address and address space
  // (never foreign), and no invalidation named it since (never stale); at most one entry answers. Any key, any table.
  wire [KEY_W-1:0]   f_key;
  wire [TAG_W-1:0]   f_tag;
  wire [TABLE_W-1:0] f_table;
  formal_constant #(.WIDTH(KEY_W)) u_f_key (.value_o(f_key));
  formal_constant #(.WIDTH(TAG_W)) u_f_tag (.value_o(f_tag));
  formal_constant #(.WIDTH(TABLE_W)) u_f_table (.value_o(f_table));

  // RISC-V IOMMU, IOTINVAL and IODIR. IOTINVAL.VMA with AV = 1 names leaf entries unless NL = 1; guest addresses are not stored.
  wire f_gv = f_tag[37];
  wire f_same_guest = !invalidation.gv || f_tag[36:21] == invalidation.gscid;
  wire f_same_process = !invalidation.pscv || (f_tag[19:0] == invalidation.pscid && !f_tag[20]);
  wire f_named = invalidation.directory
      ? !invalidation.dv || (f_key[87:64] == invalidation.did && (!invalidation.pv || f_key[62:43] == invalidation.pid))
      : invalidation.gvma ? f_gv && f_same_guest
      : f_gv == invalidation.gv && f_same_guest && f_same_process && (!invalidation.av || invalidation.nl);
  wire f_filled = fill_i && fill_key == f_key && fill_tag == f_tag && {fill_g_i, fill_w_i, fill_pbmt_i, fill_ppn_i} == f_table;
  wire [TABLE_W-1:0] f_answer = {lookup_g_o, lookup_w_o, lookup_pbmt_o, lookup_ppn_o};
  logic [ENTRIES-1:0] f_same_tag, f_held, f_spaces;
  always_comb
    for (int i = 0; i < ENTRIES; i++) begin
      f_same_tag[i] = tag_q[i] == f_tag;
      f_held[i] = valid_q[i] && key_q[i] == f_key && f_same_tag[i] && table_q[i] == f_table;
      f_spaces[i] = !valid_q[i] || space_q[i] == {tag_q[i][37:21], tag_q[i][19:0]};
    end
  wire f_hit = lookup_hit_o && lookup_other_o == '0 && lookup_key == f_key && f_answer == f_table && (lookup_match & f_same_tag) != '0;

  `include "iommu_cache_formal.vh"

  always_comb begin
    if (f_started_q) begin
      space_of_the_tag: assert (f_spaces == '1);
      of_its_address_space: assert (!f_hit || {f_tag[37:21], f_tag[19:0]} == lookup_space);
    end
  end
`endif

endmodule
`default_nettype wire
