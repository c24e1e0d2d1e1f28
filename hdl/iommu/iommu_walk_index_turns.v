`default_nettype none
// Turns at the interrupt file unit (iommu_msi_index.v), which works out one number at a time, in 14 cycles: who finds it busy looks again
// when it is free and its turn has come. Who was called and has not looked again has the unit: nobody else gets it, or one of them might
// be passed for ever.
module iommu_walk_index_turns #(
    // Walks in flight, 2 or more.
    parameter int WALKS = 8,
    // Derived: bits of a slot number.
    parameter int SLOT_W = $clog2(WALKS)
) (
    input  wire              clk_i,
    input  wire              rst_i,

    // The step in its second cycle: its slot, as a number and one-hot; its walk needs the number of a guest page under a mask; it does not
    // go on without memory.
    input  wire [SLOT_W-1:0] slot_i,
    input  wire [WALKS-1:0]  step_slot_i,
    input  wire              ask_i,
    input  wire [51:0]       page_i,
    input  wire [51:0]       mask_i,
    input  wire              rests_i,

    // Slots that take a step for it: to look at the guest address again, or at the number, which is there until it is taken.
    output wire [WALKS-1:0]  call_o,
    output wire              called_o,           // from the cycle after that call, the walk of slot `called_slot_o` looks at the number
    output wire [SLOT_W-1:0] called_slot_o,
    output wire [51:0]       index_o,
    input  wire              taken_i
);

  logic [WALKS-1:0]  refused_d, refused_q;       // found it busy
  logic [WALKS-1:0]  turn_d, turn_q;             // was called and has not looked again
  logic [SLOT_W-1:0] slot_q;                     // the walk that it works for
  logic              called_d, called_q;
  wire  [WALKS-1:0]  next_turn;
  wire  [SLOT_W-1:0] unused_turn_index;
  wire               busy, done;
  wire  [WALKS-1:0]  number_call = done && !called_q ? WALKS'(1) << slot_q : '0;
  wire  [WALKS-1:0]  recalled = !busy && turn_q == '0 ? next_turn : '0;
  wire               admits = !busy && (turn_q == '0 ? refused_q == '0 : turn_q == step_slot_i);

  round_robin_arbiter #(
      .REQUESTS(WALKS)
  ) u_turn (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .request_i    (refused_q),
      .advance_i    (recalled != '0),
      .grant_o      (next_turn),
      .grant_index_o(unused_turn_index)
  );

  iommu_msi_index u_msi_index (
      .clk_i    (clk_i),
      .rst_i    (rst_i),
      .start_i  (ask_i && admits),
      .page_i   (page_i),
      .mask_i   (mask_i),
      .busy_o   (busy),
      .done_o   (done),
      .index_o  (index_o),
      .release_i(taken_i)
  );

  always_comb begin
    refused_d = refused_q & ~recalled;
    if (ask_i && !admits) refused_d = refused_d | step_slot_i;
    turn_d = recalled | (rests_i ? turn_q & ~step_slot_i : turn_q);
    called_d = done && !taken_i;
  end

  always_ff @(posedge clk_i) begin
    refused_q <= refused_d;
    turn_q <= turn_d;
    called_q <= called_d;
    if (ask_i && admits) slot_q <= slot_i;
    if (rst_i) begin
      refused_q <= '0;
      turn_q <= '0;
      called_q <= 1'b0;
    end
  end

  assign call_o = recalled | number_call;
  assign called_o = called_q;
  assign called_slot_o = slot_q;

endmodule
`default_nettype wire
