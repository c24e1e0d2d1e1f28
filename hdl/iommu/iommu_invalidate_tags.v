`default_nettype none
// Tags of the invalidate requests that devices have not completed (Command-Queue: ATS.INVAL; PCIe ATS: Invalidate Completion). A tag is
// retired by as many completion messages of its device as the first of them announces, or by its timeout. Tags are given out round
// robin, so that a late completion meets a tag in use again as late as possible.
module iommu_invalidate_tags #(
    // Tags, 1 to 32 (PCIe: Invalidate Queue Depth).
    parameter int TAGS = 32,
    // Cycles that a device has to complete, 8 or more: a tag times out between TIMEOUT and 9/8 of it plus 8.
    parameter [39:0] TIMEOUT = 40'd15_000_000_000
) (
    input  wire        clk_i,
    input  wire        rst_i,

    // Next tag, valid while one is free, and the same until it is taken for a device (segment, requester ID). The one after it is looked
    // for one by one.
    output wire        free_o,
    output wire [4:0]  tag_o,
    input  wire        take_i,
    input  wire [23:0] take_did_i,

    // Invalidate completion message: device, one bit per tag, number of completions in all (0 = 8). Always accepted.
    input  wire        completion_valid_i,
    input  wire [23:0] completion_did_i,
    input  wire [31:0] completion_tags_i,
    input  wire [2:0]  completion_count_i,

    // Tags are out, known two cycles later; a tag timed out since `timed_out_clear_i`.
    output wire        out_o,
    output wire        timed_out_o,
    input  wire        timed_out_clear_i,

    // Statistics, a cycle late: a completion named a tag that its device does not owe; a tag timed out.
    output wire        stat_unexpected_o,
    output wire        stat_timeout_o
);

  // A tag times out at its ninth tick: eight whole periods after it was taken.
  localparam [39:0] PERIOD = TIMEOUT >> 3;
  localparam [3:0]  LAST_TICK = 4'd8;
  localparam int    TAG_W = TAGS > 1 ? $clog2(TAGS) : 1;

  logic [39:0]      period_d, period_q;
  wire  [TAGS-1:0]  busy_d, started_d, hit, last, expired;
  logic [TAGS-1:0]  busy_q, started_q;
  logic             timed_out_d, timed_out_q, expired_q, unexpected_q;
  logic             tick_q;

  // The next tag, looked for ahead, one in a cycle; what is out, a cycle late: a tag is taken well before the next command asks.
  logic             free_d, free_q, out_q;
  logic [TAG_W-1:0] next_d, next_q;

  // The completion of the cycle before; the tags of it that its device owed then.
  logic             completion_q;
  logic [31:0]      completion_tags_q;
  logic [3:0]       announced_q;
  wire  [TAGS-1:0]  owed_d;
  logic [TAGS-1:0]  owed_q;

  generate
    for (genvar i = 0; i < TAGS; i++) begin : g_tag
      logic [23:0] did_q;
      logic [3:0]  remaining_d, remaining_q;
      logic [3:0]  age_d, age_q;
      wire         taken = take_i && next_q == TAG_W'(i);

      assign owed_d[i] = completion_valid_i && completion_tags_i[i] && busy_q[i] && did_q == completion_did_i;
      assign hit[i] = owed_q[i] && busy_q[i];
      assign last[i] = hit[i] && remaining_d == 4'd0;
      assign expired[i] = busy_q[i] && tick_q && age_q == LAST_TICK && !last[i];
      assign busy_d[i] = taken || (busy_q[i] && !last[i] && !expired[i]);
      assign started_d[i] = !taken && (started_q[i] || hit[i]);

      always_comb begin
        remaining_d = remaining_q;
        if (hit[i]) remaining_d = (started_q[i] ? remaining_q : announced_q) - 4'd1;
        age_d = taken ? 4'd0 : tick_q ? age_q + 4'd1 : age_q;
      end

      always_ff @(posedge clk_i) begin
        if (taken) did_q <= take_did_i;
        remaining_q <= remaining_d;
        age_q <= age_d;
      end
    end

    if (TAGS < 1 || TAGS > 32) begin : g_check_tags
      initial $fatal(1, "iommu_invalidate_tags: TAGS must be 1 to 32");
    end
    if (TIMEOUT < 40'd8) begin : g_check_timeout
      initial $fatal(1, "iommu_invalidate_tags: TIMEOUT must be 8 or more");
    end
  endgenerate

  always_comb begin
    period_d = period_q == 40'd0 ? PERIOD - 40'd1 : period_q - 40'd1;
    free_d = free_q ? !take_i : !busy_q[next_q];
    next_d = next_q;
    if (free_q ? take_i : busy_q[next_q]) next_d = next_q == TAG_W'(TAGS - 1) ? '0 : next_q + 1'b1;
    timed_out_d = (timed_out_q && !timed_out_clear_i) || expired_q;
  end

  always_ff @(posedge clk_i) begin
    period_q <= period_d;
    busy_q <= busy_d;
    started_q <= started_d;
    timed_out_q <= timed_out_d;
    tick_q <= period_q == 40'd0;
    free_q <= free_d;
    next_q <= next_d;
    out_q <= busy_q != '0;
    expired_q <= expired != '0;
    unexpected_q <= completion_q && completion_tags_q != 32'(hit);
    completion_q <= completion_valid_i;
    owed_q <= owed_d;
    completion_tags_q <= completion_tags_i;
    announced_q <= {completion_count_i == 3'd0, completion_count_i};
    if (rst_i) begin
      period_q <= '0;
      busy_q <= '0;
      started_q <= '0;
      timed_out_q <= 1'b0;
      free_q <= 1'b0;
      next_q <= '0;
      out_q <= 1'b0;
      completion_q <= 1'b0;
      owed_q <= '0;
      expired_q <= 1'b0;
      unexpected_q <= 1'b0;
      tick_q <= 1'b0;
    end
  end

  assign free_o = free_q;
  assign tag_o = 5'(next_q);
  assign out_o = out_q;
  assign timed_out_o = timed_out_q;
  assign stat_unexpected_o = unexpected_q;
  assign stat_timeout_o = expired_q;

endmodule
`default_nettype wire
