`default_nettype none
// Keeps the TLPs of one non-posted or completion queue behind the posted TLPs that arrived before them.
// For each TLP the guard queues the number of posted TLPs that must have left before it (its barrier). The oldest barrier
// is compared with the number that have left, one per cycle, so counters of bounded width suffice however long the
// queue itself stands still.
module tlp_ordering_guard #(
    // TLPs that can be in the guarded queue.
    parameter int HEADERS = 32,
    // TLPs that can be in the posted queue.
    parameter int POSTED_HEADERS = 32,
    // Derived: bits of a posted count; both queues fit into half of the range.
    parameter int POSITION_W = $clog2(HEADERS + POSTED_HEADERS + 4) + 1
) (
    input  wire                  clk_i,
    input  wire                  rst_i,

    // A TLP arrives: 1 = it waits until `arrive_barrier_i` posted TLPs have left, 0 = it may go at once.
    input  wire                  arrive_i,
    input  wire                  arrive_wait_i,
    input  wire [POSITION_W-1:0] arrive_barrier_i,

    // Posted TLPs that have left completely, modulo, registered.
    input  wire [POSITION_W-1:0] posted_left_i,

    // The head of the guarded queue may go; `take_i` = its first beat moves.
    output wire                  released_o,
    input  wire                  take_i
);

  localparam int COUNT_W = $clog2(HEADERS + 1);
  localparam int ROWS = HEADERS < 2 ? 2 : HEADERS;

  wire  [$clog2(ROWS+1)-1:0] unused_count;
  logic                  barrier_ready, barrier_valid, barrier_wait, barrier_reached;
  logic [POSITION_W-1:0] barrier, distance;
  logic [COUNT_W-1:0]    released_d, released_q;

  fifo #(
      .WIDTH(POSITION_W + 1),
      .DEPTH(ROWS)
  ) u_barriers (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (arrive_i),
      .in_ready_o (barrier_ready),
      .in_data_i  ({arrive_wait_i, arrive_barrier_i}),
      .out_valid_o(barrier_valid),
      .out_ready_i(barrier_reached),
      .out_data_o ({barrier_wait, barrier}),
      .count_o    (unused_count)
  );

  assign distance = posted_left_i - barrier;
  assign barrier_reached = barrier_valid && (!barrier_wait || !distance[POSITION_W-1]);
  // With no released TLP in the queue the oldest barrier is that of the head.
  assign released_o = released_q != '0 || barrier_reached;

  always_comb begin
    released_d = released_q;
    if (barrier_reached && !take_i) released_d = released_q + 1'b1;
    if (take_i && !barrier_reached) released_d = released_q - 1'b1;
  end

  always_ff @(posedge clk_i) begin
    released_q <= released_d;
    if (rst_i) released_q <= '0;
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!arrive_i || barrier_ready) else $error("tlp_ordering_guard: overflow");
      assert (!take_i || released_o) else $error("tlp_ordering_guard: a TLP left before it was released");
    end
  end
`endif

endmodule
`default_nettype wire
