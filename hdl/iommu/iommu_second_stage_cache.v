`default_nettype none
// Second-stage walk cache: last-level second-stage tables by device and guest address bits above 2 MiB. Serves the walks of table
// pages and of the requests' own pages alike. Fully associative, round-robin replacement, tables in distributed RAM; combinational
// lookup. It answers only to the GSCID that the table was found under: a device may have moved to another guest since.
module iommu_second_stage_cache #(
    // Entries, 2 or more.
    parameter int ENTRIES = 16
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // 1 when any entry is valid: an empty cache need not be asked.
    output wire                                       used_o,

    // Lookup by device (request_t), GSCID (context_t) and guest address.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       lookup_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       lookup_context_i,
    input  wire [63:0]                                lookup_guest_i,
    output wire                                       lookup_hit_o,
    output wire [43:0]                                lookup_ppn_o,

    // Fill: key as for the lookup, context (tag) and the page of the table; replaces an entry of the same key.
    input  wire                                       fill_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_i,
    input  wire [63:0]                                fill_guest_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       fill_context_i,
    input  wire [43:0]                                fill_ppn_i,

    // Invalidation (invalidation_t); wins over a fill in the same cycle. IOTINVAL.GVMA with AV = 1 and NL = 0 names leaf entries
    // only and leaves this cache alone, as does IOTINVAL.VMA.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i
);
  `include "iommu_records.vh"

  localparam int INDEX_W = $clog2(ENTRIES);
  localparam int KEY_W = 24 + 43;

  request_t      lookup, fill;
  context_t      lookup_context, fill_context;
  invalidation_t invalidation;

  assign lookup = lookup_request_i;
  assign fill = fill_request_i;
  assign lookup_context = lookup_context_i;
  assign fill_context = fill_context_i;
  assign invalidation = invalidation_i;

  wire [KEY_W-1:0] lookup_key = {lookup.did, lookup_guest_i[63:21]};
  wire [KEY_W-1:0] fill_key = {fill.did, fill_guest_i[63:21]};

  logic [ENTRIES-1:0] valid_d, valid_q;
  logic [KEY_W-1:0]   key_q [0:ENTRIES-1];
  logic [15:0]        gscid_q [0:ENTRIES-1];
  logic [43:0]        ppn_q [0:ENTRIES-1];
  logic [INDEX_W-1:0] victim_d, victim_q;

  wire [ENTRIES-1:0] lookup_match, fill_match, invalidate_match, write;

  generate
    for (genvar i = 0; i < ENTRIES; i++) begin : g_entry
      wire [KEY_W-1:0] entry_key = key_q[i];

      assign lookup_match[i] = valid_q[i] && entry_key == lookup_key && gscid_q[i] == lookup_context.gscid;
      assign fill_match[i] = valid_q[i] && entry_key == fill_key;
      assign invalidate_match[i] = invalidation.everything ||
          (invalidation.directory
               ? !invalidation.dv || entry_key[KEY_W-1 -: 24] == invalidation.did
               : invalidation.gvma && (!invalidation.gv ||
                 (gscid_q[i] == invalidation.gscid && (!invalidation.av || invalidation.nl))));
      assign write[i] = fill_i && (fill_match != '0 ? fill_match[i] : victim_q == INDEX_W'(i));

      always_ff @(posedge clk_i) begin
        if (write[i]) begin
          key_q[i] <= fill_key;
          gscid_q[i] <= fill_context.gscid;
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

  always_ff @(posedge clk_i) if (fill_i) ppn_q[write_index] <= fill_ppn_i;

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

  assign used_o = valid_q != '0;
  assign lookup_hit_o = lookup_match != '0;
  assign lookup_ppn_o = ppn_q[lookup_index];

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) assert ($countones(lookup_match) <= 1) else $error("iommu_second_stage_cache: two entries of one table");
  end
`endif

`ifdef FORMAL
  // Proof `iommu_second_stage_cache`: a lookup answers with a table only if that was filled for its device, guest and address (never
  // foreign) and no invalidation named it since (never stale); at most one entry answers. Any key, any table.
  wire [KEY_W-1:0] f_key;
  wire [15:0]      f_gscid;
  wire [43:0]      f_ppn;
  formal_constant #(.WIDTH(KEY_W)) u_f_key (.value_o(f_key));
  formal_constant #(.WIDTH(16)) u_f_gscid (.value_o(f_gscid));
  formal_constant #(.WIDTH(44)) u_f_ppn (.value_o(f_ppn));

  // RISC-V IOMMU, IOTINVAL.GVMA (with AV = 1 it names leaf entries unless NL = 1; AV counts only with GV = 1) and IODIR. A table of the
  // second stage depends on no first stage and on no process: IOTINVAL.VMA and INVAL_PDT name none.
  wire f_named = invalidation.directory ? !invalidation.pv && (!invalidation.dv || f_key[KEY_W-1 -: 24] == invalidation.did)
      : invalidation.gvma && (!invalidation.gv || (f_gscid == invalidation.gscid && (!invalidation.av || invalidation.nl)));
  wire f_filled = fill_i && fill_key == f_key && fill_context.gscid == f_gscid && fill_ppn_i == f_ppn;
  logic [ENTRIES-1:0] f_same_guest, f_held;
  always_comb
    for (int i = 0; i < ENTRIES; i++) begin
      f_same_guest[i] = gscid_q[i] == f_gscid;
      f_held[i] = valid_q[i] && key_q[i] == f_key && f_same_guest[i] && ppn_q[i] == f_ppn;
    end
  wire f_hit = lookup_hit_o && lookup_key == f_key && lookup_ppn_o == f_ppn && (lookup_match & f_same_guest) != '0;

  `include "iommu_cache_formal.vh"

  always_comb begin
    if (f_started_q) begin
      of_its_guest: assert (!f_hit || f_gscid == lookup_context.gscid);
      used_if_hit: assert (!f_hit || used_o);
    end
  end
`endif

endmodule
`default_nettype wire
