`default_nettype none
// Queue of one flow control class in a receiver, with its credit counters.
// Beats and headers are stored apart. A TLP takes at most one beat more than its full beats, so
// HEADERS + DATA_CREDITS / (credits of a beat) rows hold everything that the granted credits allow.
// A beat can leave one cycle after it arrived; one beat in and one out per cycle.
module tlp_class_queue #(
    // Payload width of a beat: 128, 256 or 512.
    parameter int DATA_W = 512,
    // Header credits, 1..127, and data credits (16 bytes each), 0..2047.
    parameter int HEADERS = 32,
    parameter int DATA_CREDITS = 256,
    // 1: headers and data are advertised as infinite; the user has reserved the room before.
    parameter bit INFINITE = 1'b0,
    // Derived: bits of `empty`.
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire               clk_i,
    input  wire               rst_i,
    input  wire               link_up_i,

    // One beat of this class arrives; there is always room for it.
    input  wire               in_valid_i,
    input  wire               in_sop_i,
    input  wire               in_eop_i,
    input  wire [DATA_W-1:0]  in_data_i,
    input  wire [EMPTY_W-1:0] in_empty_i,
    input  wire [127:0]       in_hdr_i,
    input  wire [31:0]        in_prefix_i,
    input  wire               in_prefix_valid_i,
    input  wire               in_err_i,

    // TLP stream out; header and prefix stay for all beats of the TLP.
    output wire               out_valid_o,
    input  wire               out_ready_i,
    output wire               out_sop_o,
    output wire               out_eop_o,
    output wire [DATA_W-1:0]  out_data_o,
    output wire [EMPTY_W-1:0] out_empty_o,
    output wire [127:0]       out_hdr_o,
    output wire [31:0]        out_prefix_o,
    output wire               out_prefix_valid_o,
    output wire               out_err_o,

    // Cumulative limits granted to the sender.
    output wire [7:0]         header_limit_o,
    output wire [11:0]        data_limit_o
);

  localparam int CREDITS_PER_BEAT = DATA_W / 128;
  localparam int ROWS = HEADERS + (DATA_CREDITS + CREDITS_PER_BEAT - 1) / CREDITS_PER_BEAT;
  // A queue has two rows at least.
  localparam int BEAT_ROWS = ROWS < 2 ? 2 : ROWS;
  localparam int HEADER_ROWS = HEADERS < 2 ? 2 : HEADERS;
  localparam int BEAT_W = DATA_W + EMPTY_W + 3;
  localparam int HEADER_W = 128 + 32 + 1;

  wire [$clog2(BEAT_ROWS+1)-1:0]   unused_beat_count;
  wire [$clog2(HEADER_ROWS+1)-1:0] unused_header_count;

  logic       beat_ready, header_ready, header_valid;
  logic       arrives, leaves;
  logic [7:0] header_consumed, header_returned;
  logic [11:0] data_consumed, data_returned;

  assign arrives = in_valid_i && in_sop_i;
  assign leaves = out_valid_o && out_ready_i && out_eop_o;

  fifo #(
      .WIDTH(BEAT_W),
      .DEPTH(BEAT_ROWS)
  ) u_beats (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (in_valid_i),
      .in_ready_o (beat_ready),
      .in_data_i  ({in_sop_i, in_eop_i, in_err_i, in_empty_i, in_data_i}),
      .out_valid_o(out_valid_o),
      .out_ready_i(out_ready_i),
      .out_data_o ({out_sop_o, out_eop_o, out_err_o, out_empty_o, out_data_o}),
      .count_o    (unused_beat_count)
  );

  fifo #(
      .WIDTH(HEADER_W),
      .DEPTH(HEADER_ROWS)
  ) u_headers (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (arrives),
      .in_ready_o (header_ready),
      .in_data_i  ({in_prefix_valid_i, in_prefix_i, in_hdr_i}),
      .out_valid_o(header_valid),
      .out_ready_i(leaves),
      .out_data_o ({out_prefix_valid_o, out_prefix_o, out_hdr_o}),
      .count_o    (unused_header_count)
  );

  assign header_consumed = {7'd0, arrives};
  assign header_returned = {7'd0, leaves};
  assign data_consumed = arrives ? {3'd0, tlp_pkg::data_credits(in_hdr_i)} : 12'd0;
  assign data_returned = leaves ? {3'd0, tlp_pkg::data_credits(out_hdr_o)} : 12'd0;

  tlp_credit_counter #(
      .COUNT_W (8),
      .ROOM    (HEADERS),
      .INFINITE(INFINITE)
  ) u_header_credits (
      .clk_i     (clk_i),
      .rst_i     (rst_i),
      .link_up_i (link_up_i),
      .consumed_i(header_consumed),
      .returned_i(header_returned),
      .limit_o   (header_limit_o)
  );

  tlp_credit_counter #(
      .COUNT_W (12),
      .ROOM    (DATA_CREDITS),
      .INFINITE(INFINITE)
  ) u_data_credits (
      .clk_i     (clk_i),
      .rst_i     (rst_i),
      .link_up_i (link_up_i),
      .consumed_i(data_consumed),
      .returned_i(data_returned),
      .limit_o   (data_limit_o)
  );

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!in_valid_i || beat_ready) else $error("tlp_class_queue: overflow of the beat rows");
      assert (!arrives || header_ready) else $error("tlp_class_queue: overflow of the headers");
      assert (!out_valid_o || header_valid) else $error("tlp_class_queue: a beat without its header");
    end
  end
`endif

endmodule
`default_nettype wire
