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

endmodule
`default_nettype wire
