`default_nettype none
// Gives TLPs their payload from local memory: takes headers, reads a beat per cycle, puts out a TLP stream.
// The payload's first byte is `lead` bytes into the first DW; bytes outside the range are 0. A header with length 0 passes as a mark
// without TLP, in order, so that whoever follows the stream sees where an operation ended. Back-to-back TLPs leave no gap;
// header to first beat takes READ_LATENCY + 2 cycles.
module dma_payload_reader #(
  // Bits of payload per beat
  parameter int DATA_W = 256,
  // Width of a local memory byte address
  parameter int LOCAL_ADDRESS_W = 21,
  // Cycles from an accepted memory read to its data
  parameter int READ_LATENCY = 2,
  // Width of what travels beside a TLP unchanged
  parameter int META_W = 1
) (
  input  wire                        clk_i,
  input  wire                        rst_i,

  // Headers; local is the address of the payload's first byte, length its bytes (0..4096)
  input  wire                        header_valid_i,
  output logic                       header_ready_o,
  input  wire  [127:0]               header_i,
  input  wire  [31:0]                header_prefix_i,
  input  wire                        header_prefix_valid_i,
  input  wire  [LOCAL_ADDRESS_W-1:0] header_local_i,
  input  wire  [1:0]                 header_lead_i,
  input  wire  [12:0]                header_length_i,
  input  wire  [META_W-1:0]          header_meta_i,

  // Local memory read, data in order of acceptance
  output logic                       read_valid_o,
  input  wire                        read_ready_i,
  output logic [LOCAL_ADDRESS_W-1:0] read_address_o,
  input  wire                        read_data_valid_i,
  input  wire  [DATA_W-1:0]          read_data_i,

  // 1: no header and no beat is held
  output logic                       idle_o,

  // TLP stream, with marks (out_mark_o: no TLP, sop and eop are 1)
  output logic                       out_valid_o,
  input  wire                        out_ready_i,
  output logic                       out_mark_o,
  output logic                       out_sop_o,
  output logic                       out_eop_o,
  output logic [DATA_W-1:0]          out_data_o,
  output logic [$clog2(DATA_W/32)-1:0] out_empty_o,
  output logic [127:0]               out_hdr_o,
  output logic [31:0]                out_prefix_o,
  output logic                       out_prefix_valid_o,
  output logic [META_W-1:0]          out_meta_o
);

  localparam int LANES = DATA_W / 8;
  localparam int EMPTY_W = $clog2(DATA_W / 32);
  // Beats between an accepted read and the output: room for the latency and a full pipeline.
  localparam int DEPTH = 8;

  // Side band of a beat: what the memory data does not carry.
  typedef struct packed {
    logic               mark;
    logic               sop;
    logic               eop;
    logic [EMPTY_W-1:0] empty;
    logic [127:0]       hdr;
    logic               prefix_valid;
    logic [31:0]        prefix;
    logic [META_W-1:0]  meta;
  } beat_t;

  localparam int BEAT_W = 1 + 1 + 1 + EMPTY_W + 128 + 1 + 32 + META_W;

  // The header whose beats are read, and its position.
  logic                       busy_q;
  logic                       sop_q;
  logic [127:0]               hdr_q;
  logic [31:0]                prefix_q;
  logic                       prefix_valid_q;
  logic [META_W-1:0]          meta_q;
  logic                       mark_q;
  logic [1:0]                 lead_q;
  logic [12:0]                span_q;
  logic [LOCAL_ADDRESS_W-1:0] address_q;

  logic        room;
  logic        last_beat;
  logic        step;
  logic [10:0] span_dwords;
  beat_t       beat;

  logic [3:0]  reserved_q;

  always_comb begin
    last_beat = span_q <= 13'(LANES);
    span_dwords = 11'((span_q + 13'd3) >> 2);
    idle_o = !busy_q && reserved_q == 4'd0;
    room = reserved_q != 4'(DEPTH);
    read_valid_o = busy_q && !mark_q && room;
    read_address_o = address_q;
    step = busy_q && room && (mark_q || read_ready_i);
    header_ready_o = !busy_q || (step && last_beat);

    beat.mark = mark_q;
    beat.sop = sop_q;
    beat.eop = last_beat;
    beat.empty = last_beat && !mark_q ? EMPTY_W'(11'(DATA_W / 32) - span_dwords) : '0;
    beat.hdr = hdr_q;
    beat.prefix_valid = prefix_valid_q;
    beat.prefix = prefix_q;
    beat.meta = meta_q;
  end

  always_ff @(posedge clk_i) begin
    if (header_ready_o) begin
      sop_q <= 1'b1;
      hdr_q <= header_i;
      prefix_q <= header_prefix_i;
      prefix_valid_q <= header_prefix_valid_i;
      meta_q <= header_meta_i;
      mark_q <= header_length_i == 13'd0;
      lead_q <= header_lead_i;
      span_q <= (header_length_i == 13'd0) ? 13'd0 : header_length_i + {11'd0, header_lead_i};
      address_q <= header_local_i - LOCAL_ADDRESS_W'(header_lead_i);
    end else if (step) begin
      sop_q <= 1'b0;
      lead_q <= 2'd0;
      span_q <= span_q - 13'(LANES);
      address_q <= address_q + LOCAL_ADDRESS_W'(LANES);
    end
    if (rst_i) busy_q <= 1'b0;
    else if (header_ready_o) busy_q <= header_valid_i;
  end

  // Side band in step with the memory.
  logic [READ_LATENCY-1:0] flight_q;
  beat_t                   flight_beat [0:READ_LATENCY-1];
  logic [14:0]             flight_range [0:READ_LATENCY-1];
  beat_t                   landing;
  logic [1:0]              landing_lead;
  logic [12:0]             landing_span;
  logic [DATA_W-1:0]       landing_data;
  logic                    out_pop;

  always_ff @(posedge clk_i) begin
    flight_beat[0] <= beat;
    flight_range[0] <= {lead_q, span_q};
    for (int i = 1; i < READ_LATENCY; i++) begin
      flight_beat[i] <= flight_beat[i-1];
      flight_range[i] <= flight_range[i-1];
    end
    if (rst_i) flight_q <= '0;
    else flight_q <= (flight_q << 1) | READ_LATENCY'(step);
    if (rst_i) reserved_q <= 4'd0;
    else reserved_q <= reserved_q + 4'(step) - 4'(out_pop);
  end

  always_comb begin
    landing = flight_beat[READ_LATENCY-1];
    {landing_lead, landing_span} = flight_range[READ_LATENCY-1];
    for (int i = 0; i < LANES; i++)
      landing_data[i*8 +: 8] = (13'(i) < landing_span && (i >= 4 || 2'(i) >= landing_lead)) ? read_data_i[i*8 +: 8] : 8'd0;
  end

  beat_t out_beat;
  logic  in_ready;
  logic  [3:0] unused_count;

  fifo #(
    .WIDTH(BEAT_W + DATA_W),
    .DEPTH(DEPTH)
  ) u_output (
    .clk_i      (clk_i),
    .rst_i      (rst_i),
    .in_valid_i (flight_q[READ_LATENCY-1]),
    .in_ready_o (in_ready),
    .in_data_i  ({landing, landing_data}),
    .out_valid_o(out_valid_o),
    .out_ready_i(out_ready_i),
    .out_data_o ({out_beat, out_data_o}),
    .count_o    (unused_count)
  );

  always_comb begin
    out_pop = out_valid_o && out_ready_i;
    out_mark_o = out_beat.mark;
    out_sop_o = out_beat.sop;
    out_eop_o = out_beat.eop;
    out_empty_o = out_beat.empty;
    out_hdr_o = out_beat.hdr;
    out_prefix_o = out_beat.prefix;
    out_prefix_valid_o = out_beat.prefix_valid;
    out_meta_o = out_beat.meta;
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (read_data_valid_i == (flight_q[READ_LATENCY-1] && !landing.mark)) else $error("memory read data out of step");
      assert (!flight_q[READ_LATENCY-1] || in_ready) else $error("output queue overflow");
    end
  end
`endif

endmodule
`default_nettype wire
