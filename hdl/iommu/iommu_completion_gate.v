`default_nettype none
// Completions from below on their way past the IOMMU: untranslated, but behind every posted TLP that came before them, as long
// as those wait for their translations or for their receiver (PCIe ordering: a completion does not pass a posted request
// unless it has RO). The completion takes another way than the write, so only the write's arrival is proof.
// No storage and no latency: the stream passes or is held at its sop.
module iommu_completion_gate #(
    // Bits of a posted TLP's number (iommu_posted_queue, accepted_o).
    parameter int NUMBER_W = 5
) (
    input  wire                clk_i,
    input  wire                rst_i,

    // Stream in, and the gate: data and the rest of the stream go around this module.
    input  wire                rx_valid_i,
    output wire                rx_ready_o,
    input  wire                rx_sop_i,
    input  wire                rx_eop_i,
    input  wire                rx_relaxed_i,
    output wire                tx_valid_o,
    input  wire                tx_ready_i,

    // All posted TLPs that left before this cycle have been taken by their receiver (at the end of this cycle).
    input  wire                posted_settled_i,
    // Posted TLPs: one is held now, one will be held after this cycle, number accepted, one leaves.
    input  wire                posted_held_i,
    input  wire                posted_pending_i,
    input  wire [NUMBER_W-1:0] posted_accepted_i,
    input  wire                posted_left_i,
    input  wire [NUMBER_W-1:0] posted_left_number_i
);

  // The TLP at the input was seen before this cycle; it waits for posted TLP `behind_q`; it may pass.
  logic                seen_d, seen_q;
  logic                open_d, open_q;
  logic                waits_d, waits_q;
  logic [NUMBER_W-1:0] behind_d, behind_q;

  wire first_look = rx_valid_i && rx_sop_i && !seen_q;
  // The registered `held` decides here: `pending` depends on ready of the outputs.
  wire open = open_q || (first_look && (rx_relaxed_i || (!posted_held_i && posted_settled_i)));

  assign tx_valid_o = rx_valid_i && open;
  assign rx_ready_o = tx_ready_i && open;

  always_comb begin
    seen_d = seen_q;
    waits_d = waits_q;
    behind_d = behind_q;
    open_d = open || (seen_q && !waits_q && posted_settled_i);
    if (first_look) begin
      seen_d = 1'b1;
      waits_d = posted_pending_i && !rx_relaxed_i;
      behind_d = posted_accepted_i - 1'b1;
    end else if (posted_left_i && posted_left_number_i == behind_q) begin
      waits_d = 1'b0;
    end
    if (rx_valid_i && rx_ready_o && rx_eop_i) begin
      seen_d = 1'b0;
      open_d = 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    seen_q <= seen_d;
    waits_q <= waits_d;
    open_q <= open_d;
    behind_q <= behind_d;
    if (rst_i) begin
      seen_q <= 1'b0;
      open_q <= 1'b0;
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && rx_valid_i && !rx_sop_i)
      assert (open_q) else $error("iommu_completion_gate: a TLP was stopped between its beats");
  end
`endif

endmodule
`default_nettype wire
