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

`ifdef FORMAL
  // Proof `tlp_class_queue`: whatever arrives on credit finds room; every beat leaves with the header that its TLP arrived with, in
  // TLPs as they arrived; every credit comes back (PCI Express, flow control). Any beat is watched (f_watch says which).
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  localparam int F_COUNT_W = $clog2(BEAT_ROWS + 1);

  function automatic [10:0] f_beats(input [127:0] hdr);
    begin
      f_beats = 11'((32'(tlp_pkg::payload_dwords(hdr)) + DATA_W / 32 - 1) / (DATA_W / 32));
      if (f_beats == '0) f_beats = 11'd1;
    end
  endfunction

  // The TLP that arrives, open between its first and last beat; the one that leaves; credits that the sender has used since link-up.
  logic         f_in_open_q, f_out_open_q;
  logic [127:0] f_in_hdr_q;
  logic [10:0]  f_in_beats_q;
  logic [7:0]   f_headers_q;
  logic [11:0]  f_data_q;
  wire  [127:0] f_in_hdr = in_sop_i ? in_hdr_i : f_in_hdr_q;
  wire          f_pop = out_valid_o && out_ready_i;
  always_ff @(posedge clk_i) begin
    if (in_valid_i) begin
      f_in_open_q <= !in_eop_i;
      f_in_hdr_q <= f_in_hdr;
      f_in_beats_q <= in_sop_i ? 11'd1 : f_in_beats_q + 1'b1;
    end
    if (f_pop) f_out_open_q <= !out_eop_o;
    f_headers_q <= link_up_i ? f_headers_q + header_consumed : '0;
    f_data_q <= link_up_i ? f_data_q + data_consumed : '0;
    if (rst_i) begin
      f_in_open_q <= 1'b0;
      f_out_open_q <= 1'b0;
      f_headers_q <= '0;
      f_data_q <= '0;
    end
  end
  wire [7:0]  f_header_grant = header_limit_o - f_headers_q;
  wire [11:0] f_data_grant = data_limit_o - f_data_q;

  // The watched beat: the header it arrived with, and the beats before it.
  wire                  f_watch;
  formal_free u_f_watch (.value_o(f_watch));
  logic                 f_watching_q;
  logic [127:0]         f_hdr_q;
  logic [F_COUNT_W-1:0] f_ahead_q;
  wire                  f_take = in_valid_i && f_watch && !f_watching_q;
  always_ff @(posedge clk_i) begin
    if (f_take) begin
      f_hdr_q <= f_in_hdr;
      f_ahead_q <= unused_beat_count - F_COUNT_W'(f_pop);
    end else if (f_pop) f_ahead_q <= f_ahead_q - 1'b1;
    f_watching_q <= f_take || (f_watching_q && !(f_pop && f_ahead_q == '0));
    if (rst_i) f_watching_q <= 1'b0;
  end

  // What is stored, oldest first. A beat belongs to the TLP behind as many headers as TLPs end before it.
  logic [BEAT_ROWS-1:0]                    f_stored, f_sops, f_eops, f_sops_right;
  logic [HEADER_ROWS-1:0]                  f_beats_right;
  logic [127:0]                            f_header [HEADER_ROWS];
  logic [BEAT_W-1:0]                       f_beat;
  logic [HEADER_W-1:0]                     f_word;
  logic [F_COUNT_W-1:0]                    f_tlp, f_of_tlp, f_tlp_of_watched;
  logic [11:0]                             f_data_held;
  logic                                    f_newest;   // the TLP that still arrives
  always_comb begin
    f_data_held = '0;
    for (int i = 0; i < HEADER_ROWS; i++) begin
      f_word = u_headers.u_storage.memory_q[(32'(u_headers.read_pointer_q) + i) % HEADER_ROWS];
      f_header[i] = f_word[127:0];
      if (i < 32'(unused_header_count)) f_data_held = f_data_held + 12'(tlp_pkg::data_credits(f_header[i]));
    end
    for (int r = 0; r < BEAT_ROWS; r++) begin
      f_beat = u_beats.u_storage.memory_q[(32'(u_beats.read_pointer_q) + r) % BEAT_ROWS];
      f_stored[r] = r < 32'(unused_beat_count);
      f_sops[r] = f_stored[r] && f_beat[BEAT_W-1];
      f_eops[r] = f_stored[r] && f_beat[BEAT_W-2];
    end
    for (int r = 0; r < BEAT_ROWS; r++)
      f_sops_right[r] = !f_stored[r] || f_sops[r] == (r == 0 ? !f_out_open_q : f_eops[r == 0 ? 0 : r-1]);
    f_tlp_of_watched = '0;
    for (int r = 0; r < BEAT_ROWS; r++)
      if (r < 32'(f_ahead_q)) f_tlp_of_watched = f_tlp_of_watched + F_COUNT_W'(f_eops[r]);
    for (int i = 0; i < HEADER_ROWS; i++) begin
      f_tlp = '0;
      f_of_tlp = '0;
      for (int r = 0; r < BEAT_ROWS; r++) begin
        if (f_stored[r] && 32'(f_tlp) == i) f_of_tlp = f_of_tlp + 1'b1;
        if (f_eops[r]) f_tlp = f_tlp + 1'b1;
      end
      f_newest = f_in_open_q && i == 32'(unused_header_count) - 1;
      f_beats_right[i] = i >= 32'(unused_header_count) ||
          (11'(f_of_tlp) <= f_beats(f_header[i]) && (!f_newest || (11'(f_of_tlp) <= f_in_beats_q && f_header[i] == f_in_hdr_q)));
    end
  end

  always_comb begin
    // The receiver (tlp_receive_buffer): beats of a TLP one after another, no more than its length needs; only while the link is up
    // does one begin. The sender (tlp_credit_gate): no TLP without credit for its header and its data.
    assume (!in_valid_i || in_sop_i == !f_in_open_q);
    assume (!in_valid_i || in_sop_i || f_in_beats_q < f_beats(f_in_hdr_q));
    assume (!arrives || (link_up_i && f_header_grant != '0 && data_consumed <= f_data_grant));
    if (f_started_q && !rst_i) begin
      // The queues below (proof `fifo`).
      beat_rows_spanned: assert (32'(unused_beat_count) <= BEAT_ROWS && 32'(u_beats.read_pointer_q) < BEAT_ROWS &&
          32'(u_beats.write_pointer_q) == (32'(u_beats.read_pointer_q) + 32'(unused_beat_count)) % BEAT_ROWS &&
          u_beats.out_valid_o == (unused_beat_count != '0));
      header_rows_spanned: assert (32'(unused_header_count) <= HEADER_ROWS && 32'(u_headers.read_pointer_q) < HEADER_ROWS &&
          32'(u_headers.write_pointer_q) == (32'(u_headers.read_pointer_q) + 32'(unused_header_count)) % HEADER_ROWS &&
          u_headers.out_valid_o == (unused_header_count != '0));
      beat_is_read: assert (!out_valid_o || u_beats.out_data_o == u_beats.u_storage.memory_q[u_beats.read_pointer_q]);
      header_is_read: assert (!header_valid ||
          u_headers.out_data_o == u_headers.u_storage.memory_q[u_headers.read_pointer_q]);
      // As many TLPs as end, and the one that still arrives; each with at most the beats of its header.
      headers_of_tlps: assert (32'(unused_header_count) == 32'($countones(f_eops)) + 32'(f_in_open_q));
      beats_of_tlps: assert (f_beats_right == '1 && (!f_in_open_q || f_in_beats_q <= f_beats(f_in_hdr_q)));
      ends_and_begins: assert (f_sops_right == '1 && (unused_beat_count == '0 ? f_out_open_q == f_in_open_q
          : f_in_open_q == !f_eops[unused_beat_count - 1'b1]));
      watched_header: assert (!f_watching_q || (f_ahead_q < unused_beat_count && f_header[f_tlp_of_watched] == f_hdr_q));
      // Credits: what the sender may use is the room that is free, and what is not free is in the queue.
      header_grant_is_room: assert (f_header_grant == 8'(HEADERS) - 8'(unused_header_count) &&
          f_header_grant == u_header_credits.free_q);
      data_grant_is_room: assert (f_data_grant == 12'(DATA_CREDITS) - f_data_held && 32'(f_data_grant) <= DATA_CREDITS &&
          f_data_grant == u_data_credits.free_q);

      always_room: assert (!in_valid_i || (beat_ready && (!in_sop_i || header_ready)));
      header_of_its_beats: assert (!(f_watching_q && f_ahead_q == '0) || (out_valid_o && out_hdr_o == f_hdr_q));
      whole_tlps: assert (!out_valid_o || out_sop_o == !f_out_open_q);
      every_credit_returns: assert (unused_header_count != '0 ||
          (f_header_grant == 8'(HEADERS) && f_data_grant == 12'(DATA_CREDITS)));
      fills: cover (32'(unused_beat_count) == BEAT_ROWS - 1 && f_pop);
      watched_leaves_second: cover (f_watching_q && f_ahead_q == '0 && f_pop && !out_sop_o && 32'(unused_header_count) == 2);
    end
  end
`endif

endmodule
`default_nettype wire
