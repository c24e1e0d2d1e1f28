`default_nettype none
// Receiver side of flow control for one kind of credit (headers or data of one class; PCIe transaction layer, flow control).
// Grants exactly the room that is free: while the link is down `limit_o` follows the free room, from link-up on it
// grows by what is returned. TLPs that outlived a link-down keep their room until they leave.
module tlp_credit_counter #(
    // Bits of the counter: 8 for header credits, 12 for data credits.
    parameter int COUNT_W = 8,
    // Credits that exist, 0..2^(COUNT_W-1)-1.
    parameter int ROOM = 32,
    // 1: advertised as infinite; the limit is not used by the sender and the room not checked.
    parameter bit INFINITE = 1'b0
) (
    input  wire               clk_i,
    input  wire               rst_i,
    input  wire               link_up_i,

    // Credits taken by a TLP that arrives in this cycle, and given back by one that leaves; 0 = none.
    input  wire [COUNT_W-1:0] consumed_i,
    input  wire [COUNT_W-1:0] returned_i,

    // Cumulative grant since link-up, modulo 2^COUNT_W.
    output wire [COUNT_W-1:0] limit_o
);

  logic [COUNT_W-1:0] free_d, free_q;
  logic [COUNT_W-1:0] limit_d, limit_q;

  assign limit_o = limit_q;
  assign free_d = free_q - consumed_i + returned_i;
  assign limit_d = link_up_i ? limit_q + returned_i : free_d;

  always_ff @(posedge clk_i) begin
    free_q <= free_d;
    limit_q <= limit_d;
    if (rst_i) begin
      free_q <= COUNT_W'(ROOM);
      limit_q <= COUNT_W'(ROOM);
    end
  end

  generate
    if (ROOM >= (1 << (COUNT_W - 1))) begin : g_check_room
      initial $fatal(1, "tlp_credit_counter: ROOM must stay below half of the counter range");
    end
  endgenerate

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && !INFINITE) begin
      assert (consumed_i <= free_q) else $error("tlp_credit_counter: a TLP arrived without credit");
      assert (32'(free_q) <= ROOM) else $error("tlp_credit_counter: more credits returned than taken");
    end
  end
`endif

`ifdef FORMAL
  // Proof `tlp_credit_counter`: what the sender may still send is exactly the room that is free, and no more than ROOM.
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  // Credits that the sender has used since link-up, modulo 2^COUNT_W (its own counter is reset while the link is down).
  logic [COUNT_W-1:0] f_used_q;
  always_ff @(posedge clk_i) f_used_q <= link_up_i && !rst_i ? f_used_q + consumed_i : '0;
  wire [COUNT_W-1:0] f_granted = limit_q - f_used_q;
  wire [COUNT_W-1:0] f_held = COUNT_W'(ROOM) - free_q;

  always_comb begin
    // The sender obeys the limit (tlp_credit_gate); what leaves had arrived before (the queue that it leaves).
    assume (consumed_i <= f_granted);
    assume (returned_i <= f_held);
    if (f_started_q) begin
      granted_is_free: assert (f_granted == free_q);
      never_beyond_the_room: assert (32'(f_granted) <= ROOM && 32'(free_q) <= ROOM);
      exhausted: cover (link_up_i && f_granted == '0 && limit_q < f_used_q + 1'b1);
      wrapped: cover (link_up_i && 32'(limit_q) < ROOM && f_granted != '0);
    end
  end
`endif

endmodule
`default_nettype wire
