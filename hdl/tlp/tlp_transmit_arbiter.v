`default_nettype none
// Sender of a TLP link: merges SOURCES groups of three class streams, each TLP only with credit.
// Within a class the sources take turns; a source whose TLP lacks credit keeps its turn, so small TLPs of others cannot starve a
// large one. Among the classes whose candidate has credit the classes take turns; a class without credit blocks no other. A stream
// that has credit waits for at most 3 x SOURCES - 1 other TLPs. A stream keeps the link from sop to eop.
// Nothing is queued: what was accepted is sent in that order, so ordering established by the sources is kept. Registered
// output, latency 1 cycle, one beat per cycle without a gap between TLPs.
// Link-down: streams wait; the rest of a TLP that was being sent is discarded.
module tlp_transmit_arbiter #(
    // Payload width of a beat: 128, 256 or 512.
    parameter int DATA_W = 512,
    // Groups of three class streams, 1 or more.
    parameter int SOURCES = 1,
    // Derived: bits of `empty`; streams.
    parameter int EMPTY_W = $clog2(DATA_W / 32),
    parameter int STREAMS = SOURCES * 3
) (
    input  wire                       clk_i,
    input  wire                       rst_i,
    input  wire                       link_up_i,

    // TLP streams in, index source*3 + class (0 posted, 1 non-posted, 2 completion).
    input  wire [STREAMS-1:0]         in_valid_i,
    output wire [STREAMS-1:0]         in_ready_o,
    input  wire [STREAMS-1:0]         in_sop_i,
    input  wire [STREAMS-1:0]         in_eop_i,
    input  wire [STREAMS*DATA_W-1:0]  in_data_i,
    input  wire [STREAMS*EMPTY_W-1:0] in_empty_i,
    input  wire [STREAMS*128-1:0]     in_hdr_i,
    input  wire [STREAMS*32-1:0]      in_prefix_i,
    input  wire [STREAMS-1:0]         in_prefix_valid_i,
    input  wire [STREAMS-1:0]         in_err_i,

    // TLP link out.
    output wire                       tx_valid_o,
    input  wire                       tx_ready_i,
    output wire                       tx_sop_o,
    output wire                       tx_eop_o,
    output wire [DATA_W-1:0]          tx_data_o,
    output wire [EMPTY_W-1:0]         tx_empty_o,
    output wire [127:0]               tx_hdr_o,
    output wire [31:0]                tx_prefix_o,
    output wire                       tx_prefix_valid_o,
    output wire                       tx_err_o,
    input  wire [59:0]                tx_credit_limit_i,
    input  wire [5:0]                 tx_credit_infinite_i
);

  localparam int SOURCE_W = SOURCES > 1 ? $clog2(SOURCES) : 1;

  // Candidate of each class: its payload in credits; classes with a candidate, with credit for it, and the one that goes.
  logic [26:0]        class_need;
  logic [2:0]         class_pending, class_allowed, class_winner;
  wire  [1:0]         unused_class_index;

  // Stream being sent, one-hot; 0 between TLPs.
  logic [STREAMS-1:0] lock_d, lock_q, winner, chosen;
  logic               discard_d, discard_q;
  logic               room, move, start;

  logic               out_valid_d, out_valid_q;
  logic               out_sop_d, out_sop_q, out_eop_d, out_eop_q, out_err_d, out_err_q;
  logic [DATA_W-1:0]  out_data_d, out_data_q;
  logic [EMPTY_W-1:0] out_empty_d, out_empty_q;
  logic [127:0]       out_hdr_d, out_hdr_q;
  logic [31:0]        out_prefix_d, out_prefix_q;
  logic               out_prefix_valid_d, out_prefix_valid_q;

  assign tx_valid_o = out_valid_q && link_up_i;
  assign tx_sop_o = out_sop_q;
  assign tx_eop_o = out_eop_q;
  assign tx_data_o = out_data_q;
  assign tx_empty_o = out_empty_q;
  assign tx_hdr_o = out_hdr_q;
  assign tx_prefix_o = out_prefix_q;
  assign tx_prefix_valid_o = out_prefix_valid_q;
  assign tx_err_o = out_err_q;

  generate
    for (genvar c = 0; c < 3; c++) begin : g_class
      logic [SOURCES-1:0]   request, grant;
      logic [SOURCES*9-1:0] need;
      logic [8:0]           granted_need;
      wire  [SOURCE_W-1:0]  unused_index;

      for (genvar s = 0; s < SOURCES; s++) begin : g_source
        assign request[s] = in_valid_i[s*3+c];
        assign need[s*9+:9] = tlp_pkg::data_credits(in_hdr_i[(s*3+c)*128+:128]);
        assign winner[s*3+c] = class_winner[c] && grant[s];
      end

      assign class_pending[c] = request != '0;
      assign class_need[c*9+:9] = granted_need;

      always_comb begin
        granted_need = '0;
        for (int i = 0; i < SOURCES; i++) if (grant[i]) granted_need = granted_need | need[i*9+:9];
      end

      round_robin_arbiter #(
          .REQUESTS(SOURCES)
      ) u_source (
          .clk_i        (clk_i),
          .rst_i        (rst_i),
          .request_i    (request),
          .advance_i    (start && class_winner[c]),
          .grant_o      (grant),
          .grant_index_o(unused_index)
      );
    end
  endgenerate

  tlp_credit_gate u_credit_gate (
      .clk_i            (clk_i),
      .rst_i            (rst_i),
      .link_up_i        (link_up_i),
      .credit_limit_i   (tx_credit_limit_i),
      .credit_infinite_i(tx_credit_infinite_i),
      .need_data_i      (class_need),
      .allowed_o        (class_allowed),
      .consume_i        (start ? class_winner : 3'b000)
  );

  round_robin_arbiter #(
      .REQUESTS(3)
  ) u_class (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .request_i    (class_pending & class_allowed),
      .advance_i    (start),
      .grant_o      (class_winner),
      .grant_index_o(unused_class_index)
  );

  assign room = !out_valid_q || tx_ready_i;
  assign chosen = lock_q != '0 ? lock_q : winner;
  // What is left of a TLP after link-down flows off without reaching the output.
  assign in_ready_o = (room || discard_d) ? chosen : '0;
  assign move = (in_valid_i & in_ready_o) != '0;
  assign start = move && lock_q == '0;
  assign discard_d = lock_q != '0 && (discard_q || !link_up_i);

  always_comb begin
    lock_d = lock_q;
    if (move) lock_d = (in_eop_i & chosen) != '0 ? '0 : chosen;
    out_valid_d = link_up_i && (room ? move && !discard_d : out_valid_q);
  end

  // AND-OR selection of the beat.
  always_comb begin
    out_sop_d = (in_sop_i & chosen) != '0;
    out_eop_d = (in_eop_i & chosen) != '0;
    out_err_d = (in_err_i & chosen) != '0;
    out_prefix_valid_d = (in_prefix_valid_i & chosen) != '0;
    out_data_d = '0;
    out_empty_d = '0;
    out_hdr_d = '0;
    out_prefix_d = '0;
    for (int i = 0; i < STREAMS; i++) begin
      if (chosen[i]) begin
        out_data_d = out_data_d | in_data_i[i*DATA_W+:DATA_W];
        out_empty_d = out_empty_d | in_empty_i[i*EMPTY_W+:EMPTY_W];
        out_hdr_d = out_hdr_d | in_hdr_i[i*128+:128];
        out_prefix_d = out_prefix_d | in_prefix_i[i*32+:32];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (room) begin
      out_sop_q <= out_sop_d;
      out_eop_q <= out_eop_d;
      out_err_q <= out_err_d;
      out_data_q <= out_data_d;
      out_empty_q <= out_empty_d;
      out_hdr_q <= out_hdr_d;
      out_prefix_q <= out_prefix_d;
      out_prefix_valid_q <= out_prefix_valid_d;
    end
    lock_q <= lock_d;
    discard_q <= discard_d && lock_d != '0;
    out_valid_q <= out_valid_d;
    if (rst_i) begin
      lock_q <= '0;
      discard_q <= 1'b0;
      out_valid_q <= 1'b0;
    end
  end

  generate
    if (DATA_W != 128 && DATA_W != 256 && DATA_W != 512) begin : g_check_width
      initial $fatal(1, "tlp_transmit_arbiter: DATA_W must be 128, 256 or 512");
    end
  endgenerate

`ifndef SYNTHESIS
  wire [2:0] out_class = 3'd1 << tlp_pkg::tlp_class(out_hdr_d[127:120]);

  always_ff @(posedge clk_i) begin
    if (!rst_i && move) begin
      assert (out_sop_d == (lock_q == '0)) else $error("tlp_transmit_arbiter: sop inside a TLP or a beat outside one");
      assert (!start || (class_winner & out_class) != '0) else $error("tlp_transmit_arbiter: TLP in a stream of another class");
    end
  end
`endif

endmodule
`default_nettype wire
