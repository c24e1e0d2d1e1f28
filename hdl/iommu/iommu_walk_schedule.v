`default_nettype none
// Which walk does the first cycle of its step in this cycle: that of a memory response first, then the one that has just made a step and
// looks on at once, then a slot that takes a step without memory, then a new walk. The second cycle follows behind it (`advance_o`).
// The slot without memory is picked a cycle ahead, in turn. One that lost the cycle of its look to a response has to be fetched anew: one
// of those is watched, and when it has lost some in a row, new walks wait until it has looked, or responses to those could keep it
// waiting for ever.
module iommu_walk_schedule #(
    // Walks in flight, 2 or more.
    parameter int WALKS = 8,
    // Derived: bits of a slot number.
    parameter int SLOT_W = $clog2(WALKS)
) (
    input  wire              clk_i,
    input  wire              rst_i,

    // Memory response, its slot, and that its walk looks on in the next cycle.
    input  wire              response_i,
    input  wire [SLOT_W-1:0] response_slot_i,
    input  wire              response_looks_i,

    // A request that starts, or begins early without being known to be a miss; not both. Each has its ready and is taken with it.
    input  wire              start_valid_i,
    input  wire              start_early_i,
    output wire              start_ready_o,
    output wire              early_ready_o,
    output wire              take_start_o,

    // Slots that hold a walk; those that take a step without memory from the next cycle on.
    input  wire [WALKS-1:0]  busy_i,
    input  wire [WALKS-1:0]  call_i,

    // Of the step in its second cycle: the walk goes on without memory; an entry of the first stage was read whose A or D is to be set:
    // then it does not look on at once.
    input  wire              again_i,
    input  wire              stale_i,

    // Slots that hold a walk or one that began early in the cycle before, one-hot `early_slot_o`; the first one that does not, one-hot;
    // it is taken in this cycle, for either.
    output wire [WALKS-1:0]  occupied_o,
    output wire [WALKS-1:0]  early_slot_o,
    output wire [WALKS-1:0]  free_select_o,
    output wire [WALKS-1:0]  start_slot_o,

    // The slot that is picked next, with 1 when it becomes the picked one; there is a picked one, and it is fetched in this cycle.
    output wire              pick_load_o,
    output wire [SLOT_W-1:0] pick_next_o,
    output wire              pick_o,
    output wire [SLOT_W-1:0] pick_slot_o,
    output wire              fetch_o,

    // The step in its second cycle: there is one, and its slot; it is that of a request that began early; it may look on in this cycle; no
    // response takes that from it, nor does what it has found.
    output wire              advance_o,
    output wire [SLOT_W-1:0] advance_slot_o,
    output wire              early_o,
    output wire              look_o,
    output wire              take_look_o,
    output wire              goes_on_o,
    // !look_o, for what is looked up.
    output wire              outside_o
);

  logic [WALKS-1:0]  again_d, again_q;       // takes a step without memory, and is not picked yet
  logic              pick_d, pick_q;
  logic [SLOT_W-1:0] pick_slot_q;
  logic              advance_d, advance_q;
  logic [SLOT_W-1:0] advance_slot_q;
  logic              look_d, look_q, outside_q;
  logic              early_q;
  logic [WALKS-1:0]  early_slot_q;
  logic              fetched_q;              // the step in its second cycle is a fetch
  wire  [SLOT_W-1:0] pick_slot;
  wire  [WALKS-1:0]  pick_grant;
  wire               take_look = !response_i && look_q;
  wire               goes_on = take_look && !stale_i;
  wire               take_again = !response_i && !look_q && pick_q;
  wire               pick_load = !pick_q || take_again;
  wire  [WALKS-1:0]  occupied = busy_i | early_slot_q;

  // The one that is watched, and how often it has lost.
  localparam int LOSSES_W = 4;
  logic [LOSSES_W-1:0] losses_d, losses_q;
  logic [SLOT_W-1:0]   loser_q;

  wire               starting = !response_i && !look_q && !pick_q && losses_q != '1;
  wire               take_start = start_valid_i && start_ready_o;
  wire               take_early = start_early_i && early_ready_o;
  wire               free = occupied != '1;
  logic [SLOT_W-1:0] free_slot;
  wire  [WALKS-1:0]  free_select = ~occupied & (occupied + 1'b1);
  wire  [SLOT_W-1:0] slot = response_i ? response_slot_i : look_q ? advance_slot_q : pick_q ? pick_slot_q : free_slot;

  round_robin_arbiter #(
      .REQUESTS(WALKS)
  ) u_again (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .request_i    (again_q),
      .advance_i    (pick_load),
      .grant_o      (pick_grant),
      .grant_index_o(pick_slot)
  );

  always_comb begin
    free_slot = '0;
    for (int i = 0; i < WALKS; i++) if (free_select[i]) free_slot = free_slot | SLOT_W'(i);
    again_d = (pick_load ? again_q & ~pick_grant : again_q) | call_i;
    pick_d = again_q != '0 || (pick_q && !take_again);
    advance_d = response_i || take_again || (goes_on && again_i) || take_start || take_early;
    look_d = response_i ? response_looks_i : take_again;
    losses_d = losses_q;
    if (fetched_q && (losses_q == '0 || advance_slot_q == loser_q)) begin
      if (!response_i) losses_d = '0;
      else if (losses_q != '1) losses_d = losses_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    again_q <= again_d;
    pick_q <= pick_d;
    if (pick_load) pick_slot_q <= pick_slot;
    advance_q <= advance_d;
    advance_slot_q <= slot;
    early_q <= take_early;
    early_slot_q <= take_early ? free_select : '0;
    look_q <= look_d;
    outside_q <= !look_d;
    fetched_q <= take_again;
    losses_q <= losses_d;
    if (losses_q == '0) loser_q <= advance_slot_q;
    if (rst_i) begin
      again_q <= '0;
      pick_q <= 1'b0;
      advance_q <= 1'b0;
      early_q <= 1'b0;
      early_slot_q <= '0;
      look_q <= 1'b0;
      outside_q <= 1'b1;
      fetched_q <= 1'b0;
      losses_q <= '0;
    end
  end

  // One start in a cycle: not beside a commit.
  assign start_ready_o = starting && free && !early_q;
  assign early_ready_o = starting && free;
  assign take_start_o = take_start;
  assign occupied_o = occupied;
  assign early_slot_o = early_slot_q;
  assign free_select_o = free_select;
  assign start_slot_o = take_start || take_early ? free_select : '0;
  assign pick_load_o = pick_load;
  assign pick_next_o = pick_slot;
  assign pick_o = pick_q;
  assign pick_slot_o = pick_slot_q;
  assign fetch_o = take_again;
  assign advance_o = advance_q;
  assign advance_slot_o = advance_slot_q;
  assign early_o = early_q;
  assign look_o = look_q;
  assign take_look_o = take_look;
  assign goes_on_o = goes_on;
  assign outside_o = outside_q;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!response_i || !again_q[response_slot_i])
      else $error("iommu_walk_schedule: memory response for a slot that takes a step without memory");
      assert (!(response_i && advance_q && response_slot_i == advance_slot_q))
      else $error("iommu_walk_schedule: memory response in the cycle of its request");
      assert (!look_q || (advance_q && !early_q)) else $error("iommu_walk_schedule: a step looks that has not begun");
    end
  end
`endif

endmodule
`default_nettype wire
