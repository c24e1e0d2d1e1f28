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

`ifdef FORMAL
  // Proof `tlp_credit_gate`: a TLP is presented only with header and data credit, so what was sent never passes the limit.
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);
  // A user presents at most one TLP per cycle, and only an allowed one (tlp_transmit_arbiter).
  always_comb assume ((consume_i & ~allowed) == '0 && $countones(consume_i) <= 1);

  generate
    for (genvar c = 0; c < 3; c++) begin : g_f_class
      // Credits granted and not used: less than half of the range, as a receiver's room is (tlp_credit_counter); it never falls
      // but by use, and starts anew while the link is down.
      logic [7:0]  f_header_left_q;
      logic [11:0] f_data_left_q;
      wire  [7:0]  f_header_left = credit_limit_i[c*20+:8] - g_class[c].header_consumed_q;
      wire  [11:0] f_data_left = credit_limit_i[c*20+8+:12] - g_class[c].data_consumed_q;
      logic        f_held_q;
      always_ff @(posedge clk_i) begin
        f_held_q <= link_up_i && !rst_i;
        f_header_left_q <= f_header_left - 8'(consume_i[c]);
        f_data_left_q <= f_data_left - (consume_i[c] ? g_class[c].need_data : '0);
      end
      always_comb begin
        assume (f_header_left < 8'd128 || (f_held_q && f_header_left_q >= 8'd128));
        assume (f_data_left < 12'd2048 || (f_held_q && f_data_left_q >= 12'd2048));
        assume (!f_held_q || f_header_left >= f_header_left_q || f_header_left_q >= 8'd128);
        assume (!f_held_q || f_data_left >= f_data_left_q || f_data_left_q >= 12'd2048);
        if (f_started_q) begin
          // A value in the upper half would be a debt.
          never_in_debt: assert (!f_held_q || ((credit_infinite_i[c*2] || f_header_left_q < 8'd128) &&
                                               (credit_infinite_i[c*2+1] || f_data_left_q < 12'd2048)));
          presented_with_header_credit: assert (!consume_i[c] || credit_infinite_i[c*2] || f_header_left != '0);
          presented_with_data_credit: assert (!consume_i[c] || credit_infinite_i[c*2+1] || f_data_left >= g_class[c].need_data);
          nothing_while_down: assert (link_up_i || !allowed[c]);
          last_credit: cover (consume_i[c] && f_header_left == 8'd1 && f_data_left == g_class[c].need_data && f_data_left != '0 &&
                              credit_infinite_i == '0);
          refused: cover (link_up_i && !allowed[c] && f_held_q);
        end
      end
    end
  endgenerate

  // Which kinds are infinite is known before link-up.
  logic [5:0] f_infinite_q;
  always_ff @(posedge clk_i) f_infinite_q <= credit_infinite_i;
  always_comb assume (!f_started_q || f_infinite_q == credit_infinite_i);
`endif

endmodule
`default_nettype wire
