`default_nettype none
// Merging by hash: the walks in flight whose result a request that is to start may share. Hashes of requester and page are compared in the
// cycle before, with that of a walk that starts then as well. A request that waits while a walk is restarted is not merged with that.
module iommu_walk_merge #(
    // Walks in flight, 2 or more.
    parameter int WALKS = 8,
    // Derived: bits of a slot number.
    parameter int SLOT_W = $clog2(WALKS)
) (
    input  wire                              clk_i,

    // The request that may start: its hash, and that it is an untranslated one; `next_hash_i` comes with `load_i` in the cycle before.
    input  wire                              load_i,
    input  wire [iommu_spec_pkg::HASH_W-1:0] next_hash_i,
    input  wire [iommu_spec_pkg::HASH_W-1:0] hash_i,
    input  wire                              untranslated_i,

    // The slot that it would take (one-hot), whether it does or not; the slot whose walk is replaced (one-hot, or 0), with its new request.
    input  wire [WALKS-1:0]                  free_select_i,
    input  wire [WALKS-1:0]                  restart_select_i,
    input  wire [iommu_spec_pkg::HASH_W-1:0] restart_hash_i,
    input  wire                              restart_untranslated_i,

    // Walks whose result may be shared; the step in its second cycle, after which its walk may end.
    input  wire [WALKS-1:0]                  shares_i,
    input  wire                              advance_i,
    input  wire [SLOT_W-1:0]                 advance_slot_i,

    // Those that the request may share with; one of them may end in this cycle.
    output wire [WALKS-1:0]                  merge_o,
    output wire                              hold_o
);

  logic [iommu_spec_pkg::HASH_W-1:0] hash_q [0:WALKS-1];
  logic [WALKS-1:0]                  untranslated_q;
  logic                              loaded_q;
  logic [WALKS-1:0]                  same_next_q, same_kept_q;
  wire  [WALKS-1:0]                  same_hash = loaded_q ? same_next_q : same_kept_q;
  wire                               same_start = hash_i == next_hash_i;

  always_ff @(posedge clk_i) loaded_q <= load_i;

  generate
    for (genvar i = 0; i < WALKS; i++) begin : g_slot
      always_ff @(posedge clk_i) begin
        same_next_q[i] <= !restart_select_i[i] && (free_select_i[i] ? same_start : hash_q[i] == next_hash_i);
        same_kept_q[i] <= !restart_select_i[i] && same_hash[i];
        if (restart_select_i[i]) begin
          hash_q[i] <= restart_hash_i;
          untranslated_q[i] <= restart_untranslated_i;
        end else if (free_select_i[i]) begin
          // Also where none starts: what a free slot holds does not matter.
          hash_q[i] <= hash_i;
          untranslated_q[i] <= untranslated_i;
        end
      end
    end
  endgenerate

  assign merge_o = shares_i & untranslated_q & same_hash & {WALKS{untranslated_i}};
  assign hold_o = advance_i && merge_o[advance_slot_i];

endmodule
`default_nettype wire
