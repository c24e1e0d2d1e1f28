`default_nettype none
// Round-robin arbiter: grants the first request at or after the position behind the last winner. Combinational grant;
// the priority moves only with `advance_i`, so a granted request that has to wait keeps its turn.
// A request that stays up is granted after at most REQUESTS - 1 other winners.
module round_robin_arbiter #(
    // Requesters, 1 or more.
    parameter int REQUESTS = 4,
    // Derived: bits of a requester's index.
    parameter int INDEX_W = REQUESTS > 1 ? $clog2(REQUESTS) : 1
) (
    input  wire                clk_i,
    input  wire                rst_i,

    // Requests, and 1 in a cycle in which the granted one is served.
    input  wire [REQUESTS-1:0] request_i,
    input  wire                advance_i,

    // Grant: one-hot (0 without a request) and as an index.
    output wire [REQUESTS-1:0] grant_o,
    output wire [INDEX_W-1:0]  grant_index_o
);

  // Requesters that come before the wrap: 1 from the position behind the last winner upwards.
  logic [REQUESTS-1:0] mask_d, mask_q;
  logic [REQUESTS-1:0] masked, grant;
  logic [INDEX_W-1:0]  grant_index;

  assign grant_o = grant;
  assign grant_index_o = grant_index;

  always_comb begin
    masked = request_i & mask_q;
    // Lowest set bit.
    if (masked != '0) grant = masked & (~masked + 1'b1);
    else grant = request_i & (~request_i + 1'b1);
    grant_index = '0;
    for (int i = 0; i < REQUESTS; i++) if (grant[i]) grant_index = grant_index | INDEX_W'(i);
  end

  always_comb begin
    mask_d = mask_q;
    // Bits above the winner.
    if (advance_i && grant != '0) mask_d = ~(grant | (grant - 1'b1));
  end

  always_ff @(posedge clk_i) begin
    mask_q <= mask_d;
    if (rst_i) mask_q <= '1;
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert ((grant & ~request_i) == '0) else $error("round_robin_arbiter: granted without a request");
      assert ($countones(grant) == ((request_i != '0) ? 1 : 0)) else $error("round_robin_arbiter: grant is not one-hot");
    end
  end
`endif

`ifdef FORMAL
  // Proof `round_robin_arbiter`: whoever keeps asking (f_who, any requester) is granted after at most REQUESTS - 1 other winners.
  localparam int F_COUNT_W = $clog2(REQUESTS) + 2;

  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  wire [INDEX_W-1:0] f_who;
  formal_constant #(.WIDTH(INDEX_W)) u_f_who (.value_o(f_who));
  always_comb assume (32'(f_who) < REQUESTS);

  // Winners other than f_who since it began to ask.
  logic [F_COUNT_W-1:0] f_others_q;
  wire f_loses = request_i[f_who] && advance_i && !grant[f_who];

  always_ff @(posedge clk_i) begin
    if (f_loses) f_others_q <= f_others_q + 1'b1;
    if (!request_i[f_who] || (grant[f_who] && advance_i) || rst_i) f_others_q <= '0;
  end

  // Requesters that come before f_who now: from the first position of the mask up to it, around the end.
  wire [31:0] f_first = mask_q == '0 ? 0 : REQUESTS - $countones(mask_q);
  wire [31:0] f_before = 32'(f_who) >= f_first ? 32'(f_who) - f_first : 32'(f_who) + REQUESTS - f_first;

  always_comb begin
    if (f_started_q) begin
      // The mask is a run of ones up to the last requester.
      mask_is_a_run: assert ((~mask_q & (~mask_q + 1'b1)) == '0);
      index_is_the_grant: assert (grant == '0 || grant == REQUESTS'(1) << grant_index);
      // Every winner that is not f_who is one of those before it, and those come after it from then on.
      losses_are_paid: assert (32'(f_others_q) + f_before < REQUESTS);
      never_starves: assert (!f_loses || 32'(f_others_q) < REQUESTS - 1);
      waits_longest: cover (grant[f_who] && 32'(f_others_q) == REQUESTS - 1);
    end
  end
`endif

endmodule
`default_nettype wire
