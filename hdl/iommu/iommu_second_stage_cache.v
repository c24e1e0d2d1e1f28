`default_nettype none
// Second-stage walk cache: last-level second-stage tables by device and guest address bits above 2 MiB. Serves the walks of table
// pages and of the requests' own pages alike. Fully associative, round-robin replacement, tables in distributed RAM; combinational
// lookup of a guest that was announced in the cycle before. It answers only to the GSCID that the table was found under: a device may
// have moved to another guest since.
// A fill takes the place of the entry whose hash is its own, which is found in the cycle before; one that follows another one in the next
// cycle is lost. So of one device and address there is one entry at most.
module iommu_second_stage_cache #(
    // Entries, 2 or more.
    parameter int ENTRIES = 16
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // 1 when any entry is valid: an empty cache need not be asked.
    output wire                                       used_o,

    // Lookup by device (request_t) and GSCID, announced in the cycle before, and guest address.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       next_again_i,
    input  wire [15:0]                                next_gscid_i,
    input  wire [63:0]                                lookup_guest_i,
    output wire                                       lookup_hit_o,
    output wire [43:0]                                lookup_ppn_o,

    // Fill: key as for the lookup, context (tag) and the page of the table; the key whose fill may come in the next cycle.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       next_request_i,
    input  wire [63:0]                                next_guest_i,
    input  wire                                       fill_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_i,
    input  wire [63:0]                                fill_guest_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       fill_context_i,
    input  wire [43:0]                                fill_ppn_i,

    // Invalidation (invalidation_t). It takes effect in two cycles: what answers in its cycle or in the next one may still be named by
    // it. Fills in those cycles are lost. IOTINVAL.GVMA with AV = 1 and NL = 0 names leaf entries only and leaves this cache alone, as
    // does IOTINVAL.VMA.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i
);
  `include "iommu_records.vh"

  localparam int KEY_W = 24 + 43;
  localparam int GSCID_W = 16;
  localparam int GUEST_W = GSCID_W + 24;
  localparam int HASH_W = iommu_spec_pkg::HASH_W;
  localparam int STORED_W = HASH_W + GSCID_W + KEY_W;

  request_t      next_again, fill, coming;
  context_t      fill_context;
  invalidation_t invalidation;

  assign next_again = next_again_i;
  assign fill = fill_request_i;
  assign coming = next_request_i;
  assign fill_context = fill_context_i;
  assign invalidation = invalidation_i;

  wire  [GUEST_W-1:0] again_guest = {next_gscid_i, next_again.did};
  wire  [KEY_W-1:0]  fill_key = {fill.did, fill_guest_i[63:21]};
  wire  [KEY_W-1:0]  next_key = {coming.did, next_guest_i[63:21]};
  wire  [HASH_W-1:0] next_hash = iommu_spec_pkg::hash({29'd0, next_key});
  logic [HASH_W-1:0] fill_hash_q;
  logic              filled_q;                 // an entry was filled in the cycle before, which the compare did not see
  wire               take_fill = fill_i && !filled_q;
  // Of the invalidation of the cycle before; tables_q: of the second stage.
  logic              invalidate_q, everything_q, directory_q, tables_q;

  wire [ENTRIES*STORED_W-1:0] stored;
  wire [ENTRIES*GUEST_W-1:0]  guests;                 // {GSCID, device} of each entry
  wire [ENTRIES-1:0]          valid, same_guest, lookup_match, write, named;
  logic [ENTRIES-1:0]         same_d, same_q;   // the valid entry of the hash of what may be filled
  logic                       any_q;            // there is one

  generate
    for (genvar i = 0; i < ENTRIES; i++) begin : g_entry
      wire [KEY_W-1:0]   key = stored[STORED_W*i +: KEY_W];
      wire [GSCID_W-1:0] gscid = stored[STORED_W*i + KEY_W +: GSCID_W];
      // What of that invalidation fits.
      logic              device_q, guest_q;

      assign same_d[i] = valid[i] && stored[STORED_W*(i+1)-1 -: HASH_W] == next_hash;
      assign guests[GUEST_W*i +: GUEST_W] = {gscid, key[KEY_W-1 -: 24]};
      assign lookup_match[i] = same_guest[i] && key[42:0] == lookup_guest_i[63:21];
      assign named[i] = everything_q || (directory_q ? device_q : tables_q && guest_q);

      always_ff @(posedge clk_i) begin
        device_q <= !invalidation.dv || key[KEY_W-1 -: 24] == invalidation.did;
        guest_q <= !invalidation.gv || gscid == invalidation.gscid;
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
    // AV counts only with GV = 1.
    tables_q <= invalidation.gvma && (!invalidation.gv || !invalidation.av || invalidation.nl);
    invalidate_q <= invalidate_i && !rst_i;
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
      .write_key_i({fill_context.gscid, fill.did}),
      .same_o     (same_guest)
  );

  iommu_associative_cache #(
      .ENTRIES(ENTRIES),
      .KEY_W  (STORED_W),
      .DATA_W (44)
  ) u_entries (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .keys_o     (stored),
      .valid_o    (valid),
      .match_i    (lookup_match),
      .hit_o      (lookup_hit_o),
      .data_o     (lookup_ppn_o),
      .fill_i     (take_fill),
      .fill_any_i (any_q),
      .fill_same_i(same_q),
      .fill_key_i ({fill_hash_q, fill_context.gscid, fill_key}),
      .fill_data_i(fill_ppn_i),
      .write_o    (write),
      .drop_i     (named & {ENTRIES{invalidate_q}}),
      .drop_fill_i(invalidate_i || invalidate_q)
  );

  assign used_o = valid != '0;

`ifdef FORMAL
  // Proof `iommu_second_stage_cache`: a lookup answers with a table only if that was filled for its device, guest and address (never
  // foreign) and no invalidation named it before the last cycle (never stale); at most one entry answers. Any key, any table.
  wire [KEY_W-1:0]   f_key;
  wire [GSCID_W-1:0] f_gscid;
  wire [43:0]        f_ppn;
  formal_constant #(.WIDTH(KEY_W)) u_f_key (.value_o(f_key));
  formal_constant #(.WIDTH(GSCID_W)) u_f_gscid (.value_o(f_gscid));
  formal_constant #(.WIDTH(44)) u_f_ppn (.value_o(f_ppn));

  // RISC-V IOMMU, IOTINVAL.GVMA (with AV = 1 it names leaf entries unless NL = 1; AV counts only with GV = 1) and IODIR. A table of the
  // second stage depends on no first stage and on no process: IOTINVAL.VMA and INVAL_PDT name none.
  wire f_named = invalidation.directory ? !invalidation.pv && (!invalidation.dv || f_key[KEY_W-1 -: 24] == invalidation.did)
      : invalidation.gvma && (!invalidation.gv || (f_gscid == invalidation.gscid && (!invalidation.av || invalidation.nl)));
  wire f_filled = take_fill && fill_key == f_key && fill_context.gscid == f_gscid && fill_ppn_i == f_ppn;
  // The guest that was announced in the cycle before.
  logic               f_started_q = 1'b0;
  logic [GUEST_W-1:0] f_again_guest_q;
  always_ff @(posedge clk_i) begin
    f_started_q <= 1'b1;
    f_again_guest_q <= {next_gscid_i, next_again.did};
  end
  logic [ENTRIES-1:0] f_same_guest, f_same_announced, f_held;
  always_comb
    for (int i = 0; i < ENTRIES; i++) begin
      f_same_announced[i] = {stored[STORED_W*i + KEY_W +: GSCID_W], stored[STORED_W*i + KEY_W - 24 +: 24]} == f_again_guest_q;
      f_same_guest[i] = stored[STORED_W*i + KEY_W +: GSCID_W] == f_gscid;
      f_held[i] = u_entries.valid_q[i] && stored[STORED_W*i +: KEY_W] == f_key && f_same_guest[i] && u_entries.data_q[i] == f_ppn;
    end
  wire f_hit = lookup_hit_o && {f_again_guest_q[23:0], lookup_guest_i[63:21]} == f_key && lookup_ppn_o == f_ppn &&
      (u_entries.match & f_same_guest) != '0;

  `include "iommu_cache_formal.vh"

  always_comb begin
    if (f_started_q) begin
      guest_is_compared: assert (same_guest == f_same_announced);
      of_its_guest: assert (!f_hit || f_gscid == f_again_guest_q[GUEST_W-1 -: GSCID_W]);
      used_if_hit: assert (!f_hit || used_o);
    end
  end
`endif

endmodule
`default_nettype wire
