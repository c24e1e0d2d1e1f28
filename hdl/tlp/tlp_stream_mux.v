`default_nettype none
// Merges TLP streams of one class into one, in turns, each TLP whole. Registered output, latency 1 cycle, one beat per cycle
// without a gap between TLPs. Has no credits: for use inside a block, before `tlp_transmit_arbiter`.
// The output register queues one beat, so inputs that must stay in order with other classes may not pass here.
module tlp_stream_mux #(
    // Payload width of a beat: 128, 256 or 512.
    parameter int DATA_W = 512,
    // Streams merged, 1 or more.
    parameter int INPUTS = 2,
    // Derived: bits of `empty`.
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire                      clk_i,
    input  wire                      rst_i,

    // Streams in.
    input  wire [INPUTS-1:0]         in_valid_i,
    output wire [INPUTS-1:0]         in_ready_o,
    input  wire [INPUTS-1:0]         in_sop_i,
    input  wire [INPUTS-1:0]         in_eop_i,
    input  wire [INPUTS*DATA_W-1:0]  in_data_i,
    input  wire [INPUTS*EMPTY_W-1:0] in_empty_i,
    input  wire [INPUTS*128-1:0]     in_hdr_i,
    input  wire [INPUTS*32-1:0]      in_prefix_i,
    input  wire [INPUTS-1:0]         in_prefix_valid_i,
    input  wire [INPUTS-1:0]         in_err_i,

    // Stream out.
    output wire                      out_valid_o,
    input  wire                      out_ready_i,
    output wire                      out_sop_o,
    output wire                      out_eop_o,
    output wire [DATA_W-1:0]         out_data_o,
    output wire [EMPTY_W-1:0]        out_empty_o,
    output wire [127:0]              out_hdr_o,
    output wire [31:0]               out_prefix_o,
    output wire                      out_prefix_valid_o,
    output wire                      out_err_o
);

  localparam int BEAT_W = DATA_W + EMPTY_W + 128 + 32 + 4;
  localparam int INDEX_W = INPUTS > 1 ? $clog2(INPUTS) : 1;

  logic [INPUTS-1:0]        lock_d, lock_q, grant, chosen;
  logic [INPUTS*BEAT_W-1:0] beats;
  logic [BEAT_W-1:0]        beat_d, beat_q;
  logic                     valid_d, valid_q, load, move, eop;
  wire  [INDEX_W-1:0]       unused_index;

  generate
    for (genvar i = 0; i < INPUTS; i++) begin : g_input
      assign beats[i*BEAT_W+:BEAT_W] = {
        in_sop_i[i], in_eop_i[i], in_err_i[i], in_prefix_valid_i[i], in_prefix_i[i*32+:32], in_hdr_i[i*128+:128],
        in_empty_i[i*EMPTY_W+:EMPTY_W], in_data_i[i*DATA_W+:DATA_W]
      };
    end
  endgenerate

  round_robin_arbiter #(
      .REQUESTS(INPUTS)
  ) u_arbiter (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .request_i    (in_valid_i),
      .advance_i    (move && lock_q == '0),
      .grant_o      (grant),
      .grant_index_o(unused_index)
  );

  assign chosen = lock_q != '0 ? lock_q : grant;
  assign load = !valid_q || out_ready_i;
  assign in_ready_o = load ? chosen : '0;
  assign move = (in_valid_i & in_ready_o) != '0;
  assign eop = (in_eop_i & chosen) != '0;
  assign valid_d = load ? move : valid_q;

  always_comb begin
    lock_d = lock_q;
    if (move) lock_d = eop ? '0 : chosen;
    beat_d = '0;
    for (int i = 0; i < INPUTS; i++) if (chosen[i]) beat_d = beat_d | beats[i*BEAT_W+:BEAT_W];
  end

  assign out_valid_o = valid_q;
  assign {out_sop_o, out_eop_o, out_err_o, out_prefix_valid_o, out_prefix_o, out_hdr_o, out_empty_o, out_data_o} = beat_q;

  always_ff @(posedge clk_i) begin
    if (load) beat_q <= beat_d;
    valid_q <= valid_d;
    lock_q <= lock_d;
    if (rst_i) begin
      valid_q <= 1'b0;
      lock_q <= '0;
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && move)
      assert (((in_sop_i & chosen) != '0) == (lock_q == '0))
      else $error("tlp_stream_mux: sop inside a TLP or a beat outside one");
  end
`endif

endmodule
`default_nettype wire
