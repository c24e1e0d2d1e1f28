`default_nettype none
// Sender side of flow control: says for each class whether a TLP of a given payload may be presented now, and counts what was.
// Rule: (limit - (consumed + need)) mod 2^n <= 2^(n-1), n = 8 for headers, 12 for data (docs/interfaces.md section 1).
module tlp_credit_gate (
    input  wire        clk_i,
    input  wire        rst_i,
    // 0: counters are reset, nothing is allowed.
    input  wire        link_up_i,

    // From the receiver: cumulative limits {CPLD, CPLH, NPD, NPH, PD, PH} and the kinds that are never limited.
    input  wire [59:0] credit_limit_i,
    input  wire [5:0]  credit_infinite_i,

    // For each class (0 posted, 1 non-posted, 2 completion): data credits of the candidate, and whether it may go.
    input  wire [26:0] need_data_i,
    output wire [2:0]  allowed_o,

    // The candidate of this class is presented; at most one class per cycle, only when allowed.
    input  wire [2:0]  consume_i
);

  logic [2:0] allowed;

  assign allowed_o = allowed;

  generate
    for (genvar c = 0; c < 3; c++) begin : g_class
      logic [7:0]  header_consumed_d, header_consumed_q, header_room;
      logic [11:0] data_consumed_d, data_consumed_q, data_room, need_data;
      logic        header_allowed, data_allowed;

      assign need_data = {3'd0, need_data_i[c*9+:9]};
      assign header_room = credit_limit_i[c*20+:8] - (header_consumed_q + 8'd1);
      assign data_room = credit_limit_i[c*20+8+:12] - (data_consumed_q + need_data);
      assign header_allowed = credit_infinite_i[c*2] || header_room <= 8'd128;
      assign data_allowed = credit_infinite_i[c*2+1] || data_room <= 12'd2048;
      assign allowed[c] = link_up_i && header_allowed && data_allowed;

      always_comb begin
        header_consumed_d = header_consumed_q;
        data_consumed_d = data_consumed_q;
        if (!link_up_i) begin
          header_consumed_d = '0;
          data_consumed_d = '0;
        end else if (consume_i[c]) begin
          header_consumed_d = header_consumed_q + 8'd1;
          data_consumed_d = data_consumed_q + need_data;
        end
      end

      always_ff @(posedge clk_i) begin
        header_consumed_q <= header_consumed_d;
        data_consumed_q <= data_consumed_d;
        if (rst_i) begin
          header_consumed_q <= '0;
          data_consumed_q <= '0;
        end
      end
    end
  endgenerate

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert ((consume_i & ~allowed) == '0) else $error("tlp_credit_gate: credit used that was not granted");
      assert ($countones(consume_i) <= 1) else $error("tlp_credit_gate: two TLPs in one cycle");
    end
  end
`endif

endmodule
`default_nettype wire
