`default_nettype none
// Context cache: resolved contexts (iommu_records.vh: context_t) by requester {DID, PV, PID}. Fully associative, round-robin
// replacement, contexts in distributed RAM; lookup is combinational. Only valid, well-configured contexts are ever filled.
// A fill takes the place of the entry whose hash is its own, which is found in the cycle before; one that follows another one in the next
// cycle is lost. So of one requester there is one entry at most.
module iommu_context_cache #(
    // Entries, 2 or more.
    parameter int ENTRIES = 8
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // Lookup, combinational, if `lookup_start_i` of `start_request_i`, which is replaced by `next_start_i` in the next cycle where
    // `start_load_i`, else of what `next_again_i` was in the cycle before (request_t).
    input  wire                                       start_load_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       next_start_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       start_request_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       next_again_i,
    input  wire                                       lookup_start_i,
    output wire                                       lookup_hit_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       lookup_context_o,

    // Fill, and the request whose fill may come in the next cycle.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       next_request_i,
    input  wire                                       fill_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       fill_context_i,

    // Invalidation (invalidation_t). It takes effect in two cycles: what answers in its cycle or in the next one may still be named by
    // it. Fills in those cycles are lost.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i
);
  `include "iommu_records.vh"

  localparam int KEY_W = 45;
  localparam int HASH_W = iommu_spec_pkg::HASH_W;
  localparam int STORED_W = HASH_W + KEY_W;

  request_t      start, next_start, next_again, fill, coming;
  invalidation_t invalidation;

  assign start = start_request_i;
  assign next_start = next_start_i;
  assign next_again = next_again_i;
  assign fill = fill_request_i;
  assign coming = next_request_i;
  assign invalidation = invalidation_i;

  wire  [KEY_W-1:0]  start_key = {start.did, start.pv, start.pid};
  wire  [KEY_W-1:0]  next_start_key = {next_start.did, next_start.pv, next_start.pid};
  wire  [KEY_W-1:0]  next_again_key = {next_again.did, next_again.pv, next_again.pid};
  wire  [KEY_W-1:0]  fill_key = {fill.did, fill.pv, fill.pid};
  wire  [KEY_W-1:0]  next_key = {coming.did, coming.pv, coming.pid};
  wire  [HASH_W-1:0] next_hash = iommu_spec_pkg::hash({51'd0, next_key});
  logic [HASH_W-1:0] fill_hash_q;
  logic              filled_q;                 // an entry was filled in the cycle before, which the compare did not see
  wire               take_fill = fill_i && !filled_q;
  logic              invalidate_q, everything_q, directory_q;

  wire [ENTRIES*STORED_W-1:0] stored;
  wire [ENTRIES*KEY_W-1:0]    keys;
  wire [ENTRIES-1:0]          valid, start_same, again_same, write, named;
  logic [ENTRIES-1:0]         same_d, same_q;   // the valid entry of the hash of what may be filled
  logic                       any_q;            // there is one

  generate
    for (genvar i = 0; i < ENTRIES; i++) begin : g_entry
      wire [KEY_W-1:0] key = stored[STORED_W*i +: KEY_W];
      // What of the invalidation of the cycle before fits.
      logic            device_q, process_q;

      assign same_d[i] = valid[i] && stored[STORED_W*(i+1)-1 -: HASH_W] == next_hash;
      assign keys[KEY_W*i +: KEY_W] = key;
      assign named[i] = everything_q || (directory_q && device_q && process_q);

      always_ff @(posedge clk_i) begin
        device_q <= !invalidation.dv || key[44:21] == invalidation.did;
        process_q <= !invalidation.dv || !invalidation.pv || key[19:0] == invalidation.pid;
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
    invalidate_q <= invalidate_i && !rst_i;
  end

  iommu_key_compare #(
      .ENTRIES(ENTRIES),
      .KEY_W  (KEY_W),
      .PARTS  (3)
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
      .PARTS  (3)
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
      .DATA_W (iommu_spec_pkg::CONTEXT_W)
  ) u_entries (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .keys_o     (stored),
      .valid_o    (valid),
      .match_i    (lookup_start_i ? start_same : again_same),
      .hit_o      (lookup_hit_o),
      .data_o     (lookup_context_o),
      .fill_i     (take_fill),
      .fill_any_i (any_q),
      .fill_same_i(same_q),
      .fill_key_i ({fill_hash_q, fill_key}),
      .fill_data_i(fill_context_i),
      .write_o    (write),
      .drop_i     (named & {ENTRIES{invalidate_q}}),
      .drop_fill_i(invalidate_i || invalidate_q)
  );

`ifdef FORMAL
  // Proof `iommu_context_cache`: a lookup answers with a context only if that was filled for its {DID, PV, PID} (never foreign) and
  // no IODIR command named it before the last cycle (never stale); at most one entry answers. Any requester, any context.
  wire [KEY_W-1:0]                     f_key;
  wire [iommu_spec_pkg::CONTEXT_W-1:0] f_context;
  formal_constant #(.WIDTH(KEY_W)) u_f_key (.value_o(f_key));
  formal_constant #(.WIDTH(iommu_spec_pkg::CONTEXT_W)) u_f_context (.value_o(f_context));

  // RISC-V IOMMU, IODIR.INVAL_DDT (all, or every context of a device) and INVAL_PDT (one process of a device).
  wire f_named = invalidation.directory &&
      (!invalidation.dv || (f_key[44:21] == invalidation.did && (!invalidation.pv || f_key[19:0] == invalidation.pid)));
  wire f_filled = take_fill && fill_key == f_key && fill_context_i == f_context;
  logic [ENTRIES-1:0] f_same_key, f_held;
  always_comb
    for (int i = 0; i < ENTRIES; i++) begin
      f_same_key[i] = stored[STORED_W*i +: KEY_W] == f_key;
      f_held[i] = u_entries.valid_q[i] && f_same_key[i] && u_entries.data_q[i] == f_context;
    end
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;

  `include "iommu_key_compare_formal.vh"

  wire f_hit = lookup_hit_o && f_lookup_key == f_key && lookup_context_o == f_context;

  `include "iommu_cache_formal.vh"
`endif

endmodule
`default_nettype wire
