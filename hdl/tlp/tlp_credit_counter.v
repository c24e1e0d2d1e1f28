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

endmodule
`default_nettype wire
