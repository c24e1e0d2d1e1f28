`default_nettype none
// Context cache: resolved contexts (iommu_records.vh: context_t) by requester {DID, PV, PID}. Fully associative, one-hot select,
// round-robin replacement; lookup is combinational. Only valid, well-configured contexts are ever filled.
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
          context_q[i] <= fill_context_i;
        end
      end
    end
  endgenerate

  logic [iommu_spec_pkg::CONTEXT_W-1:0] selected;

  always_comb begin
    selected = '0;
    for (int i = 0; i < ENTRIES; i++) selected = selected | ({iommu_spec_pkg::CONTEXT_W{lookup_match[i]}} & context_q[i]);
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
  assign lookup_context_o = selected;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) assert ($countones(lookup_match) <= 1) else $error("iommu_context_cache: two entries of one requester");
  end
`endif

endmodule
`default_nettype wire
