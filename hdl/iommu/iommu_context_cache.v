`default_nettype none
// Context cache: resolved contexts (iommu_records.vh: context_t) by requester {DID, PV, PID}. Fully associative, round-robin
// replacement, contexts in distributed RAM; lookup is combinational. Only valid, well-configured contexts are ever filled.
module iommu_context_cache #(
    // Entries, 2 or more.
    parameter int ENTRIES = 8
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // Lookup by request_t.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       lookup_request_i,
    output wire                                       lookup_hit_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]       lookup_context_o,

    // Fill; replaces an entry of the same requester.
    input  wire                                       fill_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]       fill_context_i,

    // Invalidation (invalidation_t); wins over a fill in the same cycle.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i
);
  `include "iommu_records.vh"

  localparam int INDEX_W = $clog2(ENTRIES);
  localparam int KEY_W = 45;

  request_t      lookup, fill;
  invalidation_t invalidation;

  assign lookup = lookup_request_i;
  assign fill = fill_request_i;
  assign invalidation = invalidation_i;

  wire [KEY_W-1:0] lookup_key = {lookup.did, lookup.pv, lookup.pid};
  wire [KEY_W-1:0] fill_key = {fill.did, fill.pv, fill.pid};

  logic [ENTRIES-1:0]                     valid_d, valid_q;
  logic [KEY_W-1:0]                       key_q [0:ENTRIES-1];
  logic [iommu_spec_pkg::CONTEXT_W-1:0]   context_q [0:ENTRIES-1];
  logic [INDEX_W-1:0]                     victim_d, victim_q;

  wire [ENTRIES-1:0] lookup_match, fill_match, invalidate_match, write;

  generate
    for (genvar i = 0; i < ENTRIES; i++) begin : g_entry
      assign lookup_match[i] = valid_q[i] && key_q[i] == lookup_key;
      assign fill_match[i] = valid_q[i] && key_q[i] == fill_key;
      assign invalidate_match[i] = invalidation.everything ||
          (invalidation.directory &&
           (!invalidation.dv ||
            (key_q[i][44:21] == invalidation.did && (!invalidation.pv || key_q[i][19:0] == invalidation.pid))));
      assign write[i] = fill_i && (fill_match != '0 ? fill_match[i] : victim_q == INDEX_W'(i));

      always_ff @(posedge clk_i) begin
        if (write[i]) begin
          key_q[i] <= fill_key;
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

  always_ff @(posedge clk_i) if (fill_i) context_q[write_index] <= fill_context_i;

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
  assign lookup_context_o = context_q[lookup_index];

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) assert ($countones(lookup_match) <= 1) else $error("iommu_context_cache: two entries of one requester");
  end
`endif

`ifdef FORMAL
  // Proof `iommu_context_cache`: a lookup answers with a context only if that was filled for its {DID, PV, PID} (never foreign) and
  // no IODIR command named it since (never stale); at most one entry answers. Any requester, any context.
  wire [KEY_W-1:0]                     f_key;
  wire [iommu_spec_pkg::CONTEXT_W-1:0] f_context;
  formal_constant #(.WIDTH(KEY_W)) u_f_key (.value_o(f_key));
  formal_constant #(.WIDTH(iommu_spec_pkg::CONTEXT_W)) u_f_context (.value_o(f_context));

  // RISC-V IOMMU, IODIR.INVAL_DDT (all, or every context of a device) and INVAL_PDT (one process of a device).
  wire f_named = invalidation.directory &&
      (!invalidation.dv || (f_key[44:21] == invalidation.did && (!invalidation.pv || f_key[19:0] == invalidation.pid)));
  wire f_filled = fill_i && fill_key == f_key && fill_context_i == f_context;
  logic [ENTRIES-1:0] f_held;
  always_comb for (int i = 0; i < ENTRIES; i++) f_held[i] = valid_q[i] && key_q[i] == f_key && context_q[i] == f_context;
  wire f_hit = lookup_hit_o && lookup_key == f_key && lookup_context_o == f_context;

  `include "iommu_cache_formal.vh"
`endif

endmodule
`default_nettype wire
