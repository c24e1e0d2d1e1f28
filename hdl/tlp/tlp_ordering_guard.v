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

`ifdef FORMAL
  // Proof `tlp_ordering_guard`: no TLP that has to wait leaves before the posted TLPs that arrived before it (PCIe ordering), although
  // the counts are modulo and the queue may stand still; and one whose turn it is does not wait longer. Any TLP (f_watch says which).
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  localparam int F_COUNT_W = $clog2(HEADERS + 1) + 1;
  wire                   f_watch;
  formal_free u_f_watch (.value_o(f_watch));
  logic [F_COUNT_W-1:0]  f_stored_q;    // TLPs of the guarded queue
  logic [POSITION_W-1:0] f_left_q;      // posted_left_i of the last cycle
  logic                  f_watching_q;
  logic [F_COUNT_W-1:0]  f_ahead_q;     // TLPs of the guarded queue before the watched one
  logic [POSITION_W-1:0] f_owed_q;      // posted TLPs that must leave before it, of the last cycle

  wire [POSITION_W-1:0] f_leaves = posted_left_i - f_left_q;
  wire [POSITION_W-1:0] f_needs = arrive_wait_i ? arrive_barrier_i - posted_left_i : '0;
  wire [POSITION_W-1:0] f_owed = f_owed_q > f_leaves ? f_owed_q - f_leaves : '0;
  wire                  f_take = arrive_i && f_watch && !f_watching_q;
  wire                  f_head = f_watching_q && f_ahead_q == '0;

  always_ff @(posedge clk_i) begin
    f_stored_q <= f_stored_q + F_COUNT_W'(arrive_i) - F_COUNT_W'(take_i);
    f_left_q <= posted_left_i;
    f_owed_q <= f_take ? f_needs : f_owed;
    if (f_take) f_ahead_q <= f_stored_q - F_COUNT_W'(take_i);
    else if (take_i) f_ahead_q <= f_ahead_q - 1'b1;
    f_watching_q <= f_take || (f_watching_q && !(f_head && take_i));
    if (rst_i) begin
      f_stored_q <= '0;
      f_left_q <= '0;
      f_watching_q <= 1'b0;
    end
  end

  // Stored barriers, oldest first: does it wait, and how many posted TLPs have left since it was reached (negative: are still owed).
  localparam int F_REACH = POSTED_HEADERS + 1;
  logic [ROWS-1:0]                   f_waits;
  logic [ROWS-1:0]                   f_in_range, f_in_order;
  logic signed [POSITION_W-1:0]      f_since [ROWS];
  logic [POSITION_W:0]               f_word;
  logic                              f_before_it;     // the watched TLP is released: its barrier is no longer stored
  logic [POSITION_W-1:0]             f_stored_owed;   // else what its barrier says
  always_comb begin
    f_before_it = f_ahead_q < F_COUNT_W'(released_q);
    f_stored_owed = '0;
    for (int i = 0; i < ROWS; i++) begin
      f_word = u_barriers.u_storage.memory_q[(32'(u_barriers.read_pointer_q) + i) % ROWS];
      f_waits[i] = i < 32'(unused_count) && f_word[POSITION_W];
      f_since[i] = posted_left_i - f_word[POSITION_W-1:0];
      f_in_range[i] = !f_waits[i] || (32'(f_since[i]) >= -F_REACH && 32'(f_since[i]) <= F_REACH + ROWS - 1 - i);
      f_in_order[i] = 1'b1;
      for (int j = 0; j < i; j++)
        if (f_waits[j] && f_waits[i] && 32'(f_since[i]) - 32'(f_since[j]) > F_REACH) f_in_order[i] = 1'b0;
      if (32'(f_ahead_q - F_COUNT_W'(released_q)) == i && f_waits[i] && f_since[i] < 0) f_stored_owed = -f_since[i];
    end
  end

  always_comb begin
    // The queues (tlp_receive_buffer): a TLP arrives where there is room; the head leaves once it is released; posted TLPs leave one
    // in a cycle, and a barrier names posted TLPs that are in their queue or have just left.
    assume (!arrive_i || 32'(f_stored_q) < HEADERS);
    assume (!take_i || (released_o && f_stored_q != '0));
    assume (!f_started_q || rst_i || f_leaves <= POSITION_W'(1));
    if (rst_i) assume (posted_left_i == '0 && !arrive_i && !take_i);
    assume (!(arrive_i && arrive_wait_i) || 32'(f_needs) <= POSTED_HEADERS + 1);
    if (f_started_q && !rst_i) begin
      // The queue below: its pointers span its count, its head is what is stored there (proof `fifo`).
      rows_spanned: assert (32'(unused_count) <= ROWS && 32'(u_barriers.read_pointer_q) < ROWS && 32'(u_barriers.write_pointer_q) ==
          (32'(u_barriers.read_pointer_q) + 32'(unused_count)) % ROWS && u_barriers.out_valid_o == (unused_count != '0));
      head_stored: assert (unused_count == '0 ||
          u_barriers.out_data_o == u_barriers.u_storage.memory_q[u_barriers.read_pointer_q]);
      // Why a count modulo suffices: a barrier is at most F_REACH ahead. A later one is at most F_REACH before an earlier one, so while
      // the head waits none falls behind; once it is reached, one of them goes in each cycle in which a posted TLP may.
      barriers_in_range: assert (f_in_range == '1);
      barriers_in_order: assert (f_in_order == '1);
      // Every TLP is released or has its barrier stored; the watched one is among them, and what it is owed is what its barrier says.
      all_accounted: assert (32'(f_stored_q) <= HEADERS && 32'(f_stored_q) == 32'(released_q) + 32'(unused_count));
      watched_is_stored: assert (!f_watching_q || f_ahead_q < f_stored_q);
      released_is_owed_nothing: assert (!(f_watching_q && f_before_it) || f_owed == '0);
      owed_is_its_barrier: assert (!f_watching_q || f_before_it || f_owed == f_stored_owed);
      never_passes_a_posted: assert (!(f_head && take_i) || f_owed == '0);
      never_waits_for_nothing: assert (!f_head || f_owed != '0 || released_o);
      waits_and_leaves: cover (f_head && take_i && f_leaves == POSITION_W'(1) && f_owed_q == POSITION_W'(1));
      full_and_owed: cover (f_head && f_owed != '0 && 32'(f_stored_q) == HEADERS);
    end
  end
`endif

endmodule
`default_nettype wire
