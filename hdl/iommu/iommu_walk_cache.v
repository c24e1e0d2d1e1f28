`default_nettype none
// Walk cache: last-level first-stage tables by requester {DID, PV, PID} and address bits above 2 MiB. Holds the supervisor page of
// the table (both stages combined), the second-stage attributes of that page and G of the pointers on the way. It answers only in the
// address space that the table was found in: a context that has changed since must not meet tables of the one before, whose
// translations would then carry the wrong PSCID and GSCID.
// Fully associative, round-robin replacement, tables in distributed RAM; lookup is combinational.
// A fill takes the place of the entry whose hash is its own, which is found in the cycle before; one that follows another one in the next
// cycle is lost. So of one key there is one entry at most.
module iommu_walk_cache #(
    // Entries, 2 or more.
    parameter int ENTRIES = 16
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // Lookup, combinational, if `lookup_start_i` of `start_request_i`, which is replaced by `next_start_i` in the next cycle where
    // `start_load_i`, else of what `next_again_i` was in the cycle before (request_t); and of the address space of context_t, which may
    // be known late: a hit counts only if `lookup_other_o`, the parts of {GV, GSCID, PSCID} in which the entry's address space is another
    // one, is 0.
    input  wire                                       start_load_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       next_start_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       start_request_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       next_again_i,
    input  wire                                       lookup_start_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       lookup_context_i,
    output wire                                       lookup_hit_o,
    output wire [9:0]                                 lookup_other_o,
    output wire [43:0]                                lookup_ppn_o,
    output wire [1:0]                                 lookup_pbmt_o,
    output wire                                       lookup_w_o,
    output wire                                       lookup_g_o,

    // Fill: request_t, context_t (tags) and the table; the request whose fill may come in the next cycle.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       next_request_i,
    input  wire                                       fill_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       fill_context_i,
    input  wire [43:0]                                fill_ppn_i,
    input  wire [1:0]                                 fill_pbmt_i,
    input  wire                                       fill_w_i,
    input  wire                                       fill_g_i,

    // Invalidation (invalidation_t). It takes effect in two cycles: what answers in its cycle or in the next one may still be named by
    // it. Fills in those cycles are lost. IOTINVAL.VMA with AV = 1 and NL = 0 names leaf entries only and leaves this cache alone.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i
);
  `include "iommu_records.vh"

  localparam int KEY_W = 45 + 43;
  localparam int TAG_W = 38;
  localparam int TABLE_W = 48;
  localparam int SPACE_W = 37;
  localparam int HASH_W = iommu_spec_pkg::HASH_W;
  localparam int STORED_W = HASH_W + TAG_W + KEY_W;

  request_t      start, next_start, next_again, fill, coming;
  context_t      lookup_context, fill_context;
  invalidation_t invalidation;

  assign start = start_request_i;
  assign next_start = next_start_i;
  assign next_again = next_again_i;
  assign fill = fill_request_i;
  assign coming = next_request_i;
  assign lookup_context = lookup_context_i;
  assign fill_context = fill_context_i;
  assign invalidation = invalidation_i;

  wire  [KEY_W-1:0]   start_key = {start.did, start.pv, start.pid, start.iova[63:21]};
  wire  [KEY_W-1:0]   next_start_key = {next_start.did, next_start.pv, next_start.pid, next_start.iova[63:21]};
  wire  [KEY_W-1:0]   next_again_key = {next_again.did, next_again.pv, next_again.pid, next_again.iova[63:21]};
  wire  [KEY_W-1:0]   fill_key = {fill.did, fill.pv, fill.pid, fill.iova[63:21]};
  wire  [KEY_W-1:0]   next_key = {coming.did, coming.pv, coming.pid, coming.iova[63:21]};
  // {GV, GSCID, G, PSCID}; modes of page tables are 0 (Bare), 8, 9, 10. For the lookup the address space is kept with the table.
  wire  [TAG_W-1:0]   fill_tag = {fill_context.second_mode[3], fill_context.gscid, fill_g_i, fill_context.pscid};
  wire  [SPACE_W-1:0] fill_space = {fill_tag[37:21], fill_tag[19:0]};
  wire  [SPACE_W-1:0] lookup_space = {lookup_context.second_mode[3], lookup_context.gscid, lookup_context.pscid};
  wire  [SPACE_W-1:0] space;
  wire  [HASH_W-1:0] next_hash = iommu_spec_pkg::hash({8'd0, next_key});
  logic [HASH_W-1:0] fill_hash_q;
  logic              filled_q;                 // an entry was filled in the cycle before, which the compare did not see
  wire               take_fill = fill_i && !filled_q;
  // Of the invalidation of the cycle before.
  logic               invalidate_q, everything_q, directory_q, gvma_q, gv_q, tables_q;

  wire [ENTRIES*STORED_W-1:0] stored;
  wire [ENTRIES*KEY_W-1:0]    keys;
  wire [ENTRIES-1:0]          valid, start_same, again_same, write, named;
  logic [ENTRIES-1:0]         same_d, same_q;   // the valid entry of the hash of what may be filled
  logic                       any_q;            // there is one

  generate
    for (genvar i = 0; i < ENTRIES; i++) begin : g_entry
      wire [KEY_W-1:0] key = stored[STORED_W*i +: KEY_W];
      wire [TAG_W-1:0] tag = stored[STORED_W*i + KEY_W +: TAG_W];
      // What of that invalidation fits.
      logic            device_q, process_q, guest_q, space_q;

      assign same_d[i] = valid[i] && stored[STORED_W*(i+1)-1 -: HASH_W] == next_hash;
      assign keys[KEY_W*i +: KEY_W] = key;
      assign named[i] = everything_q || (directory_q ? device_q && process_q : gvma_q ? tag[37] && guest_q
                                         : tag[37] == gv_q && guest_q && tables_q && space_q);

      always_ff @(posedge clk_i) begin
        device_q <= !invalidation.dv || key[87:64] == invalidation.did;
        process_q <= !invalidation.dv || !invalidation.pv || key[62:43] == invalidation.pid;
        guest_q <= !invalidation.gv || tag[36:21] == invalidation.gscid;
        space_q <= !invalidation.pscv || (tag[19:0] == invalidation.pscid && !tag[20]);
      end
    end
  endgenerate

  always_ff @(posedge clk_i) begin
    fill_hash_q <= next_hash;
    same_q <= rst_i ? '0 : same_d;
    any_q <= same_d != '0 && !rst_i;
    filled_q <= take_fill && !rst_i;
    everything_q <= invalidation.everything;
    directory_q <= invalidation.directory;
    gvma_q <= invalidation.gvma;
    gv_q <= invalidation.gv;
    tables_q <= !invalidation.av || invalidation.nl;
    invalidate_q <= invalidate_i && !rst_i;
  end

  iommu_key_compare #(
      .ENTRIES(ENTRIES),
      .KEY_W  (KEY_W),
      .PARTS  (4)
  ) u_start_compare (
      .clk_i      (clk_i),
      .load_i     (start_load_i),
      .next_i     (next_start_key),
      .key_i      (start_key),
      .keys_i     (keys),
      .write_i    (write),
      .write_key_i(fill_key),
      .same_o     (start_same)
  );

  iommu_key_compare #(
      .ENTRIES(ENTRIES),
      .KEY_W  (KEY_W),
      .PARTS  (4)
  ) u_again_compare (
      .clk_i      (clk_i),
      .load_i     (1'b1),
      .next_i     (next_again_key),
      .key_i      (next_again_key),
      .keys_i     (keys),
      .write_i    (write),
      .write_key_i(fill_key),
      .same_o     (again_same)
  );

  iommu_associative_cache #(
      .ENTRIES(ENTRIES),
      .KEY_W  (STORED_W),
      .DATA_W (SPACE_W + TABLE_W)
  ) u_entries (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .keys_o     (stored),
      .valid_o    (valid),
      .match_i    (lookup_start_i ? start_same : again_same),
      .hit_o      (lookup_hit_o),
      .data_o     ({space, lookup_g_o, lookup_w_o, lookup_pbmt_o, lookup_ppn_o}),
      .fill_i     (take_fill),
      .fill_any_i (any_q),
      .fill_same_i(same_q),
      .fill_key_i ({fill_hash_q, fill_tag, fill_key}),
      .fill_data_i({fill_space, fill_g_i, fill_w_i, fill_pbmt_i, fill_ppn_i}),
      .write_o    (write),
      .drop_i     (named & {ENTRIES{invalidate_q}}),
      .drop_fill_i(invalidate_i || invalidate_q)
  );

  // In parts of 4 bits: the rest of the compare is the caller's, a cycle later.
  wire [39:0] different = {3'd0, space ^ lookup_space};

  generate
    for (genvar i = 0; i < 10; i++) begin : g_other
      assign lookup_other_o[i] = different[4*i +: 4] != '0;
    end
  endgenerate

`ifdef FORMAL
  // Proof `iommu_walk_cache`: a lookup answers with a table only if that was filled for its {DID, PV, PID}, address and address space
  // (never foreign), and no invalidation named it before the last cycle (never stale); at most one entry answers. Any key, any table.
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
  wire f_filled = take_fill && fill_key == f_key && fill_tag == f_tag && {fill_g_i, fill_w_i, fill_pbmt_i, fill_ppn_i} == f_table;
  wire [TABLE_W-1:0] f_answer = {lookup_g_o, lookup_w_o, lookup_pbmt_o, lookup_ppn_o};
  logic [ENTRIES-1:0] f_same_tag, f_held, f_spaces;
  logic [TAG_W-1:0]   f_entry_tag;
  always_comb
    for (int i = 0; i < ENTRIES; i++) begin
      f_entry_tag = stored[STORED_W*i + KEY_W +: TAG_W];
      f_same_tag[i] = f_entry_tag == f_tag;
      f_held[i] = u_entries.valid_q[i] && stored[STORED_W*i +: KEY_W] == f_key && f_same_tag[i] &&
          u_entries.data_q[i][TABLE_W-1:0] == f_table;
      f_spaces[i] = !u_entries.valid_q[i] || u_entries.data_q[i][TABLE_W +: SPACE_W] == {f_entry_tag[37:21], f_entry_tag[19:0]};
    end
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;

  `include "iommu_key_compare_formal.vh"

  wire f_hit = lookup_hit_o && lookup_other_o == '0 && f_lookup_key == f_key && f_answer == f_table &&
      (u_entries.match & f_same_tag) != '0;

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
