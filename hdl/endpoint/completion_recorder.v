`default_nettype none
// Writes completion records and MSI-X messages, in that order: a record of 16 bytes per ring slot, without relaxed ordering.
// The engine's status comes when its data has left, and this block's stream shares the transmit arbiter with the engine's, so data,
// record and interrupt reach the link in order. Parts of a chain are joined: bytes added, first error kept, cookie of the first part.
// Records of consecutive slots share a TLP of one beat, in a naturally aligned block of the ring. A record goes at once when the
// engine's posted stream is empty. Otherwise it waits in the beat for more, until the beat is full, the stream is empty, a message
// waits, or 2^WAIT_LOG2 beats of the engine have left: next to those, a beat for few records costs little.
// One record per cycle.
module completion_recorder #(
  // Bits of payload per beat
  parameter int DATA_W = 256,
  // Derived: bits of `empty`
  parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
  input  wire                clk_i,
  input  wire                rst_i,

  // Posted stream of the engine
  input  wire                data_valid_i,
  input  wire                data_ready_i,

  // Function: requester ID, Bus Master Enable (while 0 records and messages wait)
  input  wire  [15:0]        requester_id_i,
  input  wire                bus_master_enable_i,
  // 1: drop what waits (reset by software)
  input  wire                discard_i,
  // Begin at index 0 with phase 1
  input  wire                restart_i,
  // 1: nothing waits
  output logic               idle_o,
  // 1: nothing is at the posted stream
  output logic               quiet_o,

  // Completion ring: 64-byte aligned base, log2 slots; index of the next record; its phase
  input  wire  [63:0]        base_i,
  input  wire  [3:0]         ring_log2_i,
  output logic [15:0]        tail_o,
  output logic               phase_o,

  // Moderation: completions per interrupt, cycles
  input  wire  [7:0]         interrupt_count_i,
  input  wire  [31:0]        interrupt_cycles_i,

  // Statuses of the engine; id = {interrupt, last part, slot[13:0]}
  input  wire                status_valid_i,
  output logic               status_ready_o,
  input  wire  [15:0]        status_id_i,
  input  wire  [63:0]        status_cookie_i,
  input  wire  [7:0]         status_code_i,
  input  wire  [24:0]        status_bytes_i,

  // Interrupt of the ring, and the message it becomes
  output logic               interrupt_o,
  input  wire                message_valid_i,
  output logic               message_ready_o,
  input  wire  [63:0]        message_address_i,
  input  wire  [31:0]        message_data_i,

  // Posted stream out: one beat per TLP
  output logic               posted_valid_o,
  input  wire                posted_ready_i,
  output logic [DATA_W-1:0]  posted_data_o,
  output logic [EMPTY_W-1:0] posted_empty_o,
  output logic [127:0]       posted_hdr_o,

  // Statistics: record sent (one after the other when they share a TLP), message sent
  output logic               stat_record_o,
  output logic               stat_message_o
);

  // Records in a beat; log2 of the beats of the engine that may pass one
  localparam int RECORDS = DATA_W / 128;
  localparam int WAIT_LOG2 = 5;

  logic        free;
  logic        message_turn;
  logic        may_record;
  logic        load_message;
  logic        end_block;
  logic        present;
  logic        take_message;
  logic        take_status;
  logic        load_record;
  logic        last_part;
  logic [13:0] slot;

  // Parts of a chain seen so far.
  logic        open_q;
  logic [63:0] cookie_q;
  logic [7:0]  code_q;
  logic [24:0] bytes_q;
  logic        wants_interrupt_q;

  logic [63:0] cookie;
  logic [7:0]  code;
  logic [25:0] sum;
  logic [24:0] bytes;
  logic        wants_interrupt;

  // Ring indices, each behind the one before it: next record, first that has not left, first that is not counted.
  logic [15:0] next_q;
  logic [15:0] sent_q;
  logic [2:0]  counted_q;
  logic        phase;
  logic        record_left;
  logic [3:0]  is_interrupt_q;

  // The beat: records in it that wait for more; how many they are; beats of the engine that passed; what was last at the stream.
  logic        gathering_q;
  logic [2:0]  records_q;
  logic        data_moved_q;
  logic [WAIT_LOG2:0] passed_q;
  logic [WAIT_LOG2:0] passed;
  logic        is_record_q;
  logic [1:0]  block_mask;
  logic [127:0] entry;

  logic [7:0]  waiting_q;
  logic [31:0] waited_q;
  logic        request;

  always_comb begin
    free = !gathering_q && (!posted_valid_o || posted_ready_i);
    last_part = status_id_i[14];
    slot = status_id_i[13:0];
    // Records and messages take turns; a message follows its record in any case.
    message_turn = message_valid_i && (is_record_q || !status_valid_i || !last_part);
    may_record = bus_master_enable_i && (gathering_q || (free && !message_turn));
    take_status = status_valid_i && (!last_part || discard_i || may_record);
    load_record = status_valid_i && last_part && !discard_i && may_record;
    take_message = message_valid_i && (discard_i || (free && message_turn && bus_master_enable_i));
    load_message = take_message && !discard_i;
    status_ready_o = take_status;
    message_ready_o = take_message;

    cookie = open_q ? cookie_q : status_cookie_i;
    code = (open_q && code_q != 8'd0) ? code_q : status_code_i;
    sum = {1'b0, status_bytes_i} + (open_q ? {1'b0, bytes_q} : 26'd0);
    // Bytes behind the first error do not count.
    bytes = (open_q && code_q != 8'd0) ? bytes_q : sum[25] ? 25'h1FFFFFF : sum[24:0];
    wants_interrupt = status_id_i[15] || (open_q && wants_interrupt_q);

    phase = !next_q[ring_log2_i];
    entry = {phase, 7'd0, 2'd0, slot, code, 7'd0, bytes, cookie};
    // Blocks of a beat, or of the whole ring where that is smaller.
    block_mask = 2'(RECORDS - 1) & ~(2'b11 << ring_log2_i);
    end_block = load_record && (next_q[1:0] & block_mask) == block_mask;
    passed = gathering_q ? passed_q + (WAIT_LOG2 + 1)'(data_moved_q && !passed_q[WAIT_LOG2]) : '0;
    present = (gathering_q || load_record) && bus_master_enable_i && !discard_i &&
        (end_block || !data_valid_i || message_valid_i || (gathering_q && passed_q[WAIT_LOG2]));

    tail_o = sent_q;
    phase_o = phase;
    idle_o = !posted_valid_o && !gathering_q && sent_q[2:0] == counted_q && !status_valid_i && !message_valid_i;
    quiet_o = !posted_valid_o;

    record_left = posted_valid_o && posted_ready_i && is_record_q;
    stat_record_o = record_left || sent_q[2:0] != counted_q;
    stat_message_o = posted_valid_o && posted_ready_i && !is_record_q;
    request = stat_record_o && is_interrupt_q[counted_q[1:0]];
    interrupt_o = waiting_q != 8'd0 &&
        (waiting_q >= interrupt_count_i || (interrupt_cycles_i != 32'd0 && waited_q >= interrupt_cycles_i));
  end

  always_ff @(posedge clk_i) begin
    // A free beat takes what has the turn, there or not; a record that is not taken stays beyond the length.
    if (free && message_turn) begin
      posted_hdr_o <= dma_pkg::memory_request_header(1'b1, message_address_i, 13'd4, requester_id_i, 8'd0, 3'd0);
      posted_data_o <= DATA_W'(message_data_i);
      posted_empty_o <= EMPTY_W'(DATA_W / 32 - 1);
    end else if (free) begin
      posted_hdr_o <= dma_pkg::memory_request_header(1'b1, base_i + {46'd0, next_q[13:0] & ~(14'h3FFF << ring_log2_i), 4'd0},
                                                     13'd16, requester_id_i, 8'd0, 3'd0);
      posted_data_o <= DATA_W'(entry);
      posted_empty_o <= EMPTY_W'(DATA_W / 32 - 4);
    end
    for (int i = 1; i < RECORDS; i++) if (gathering_q && records_q == 3'(i)) posted_data_o[i*128 +: 128] <= entry;
    if (gathering_q && load_record) begin
      // Length in DWs; all byte enables of the first and the last one are set in any case.
      posted_hdr_o[105:96] <= posted_hdr_o[105:96] + 10'd4;
      posted_empty_o <= posted_empty_o - EMPTY_W'(4);
    end
    if (load_record || load_message) is_record_q <= load_record;
    if (load_record) begin
      records_q <= gathering_q ? records_q + 1'b1 : 3'd1;
      is_interrupt_q[next_q[1:0]] <= wants_interrupt;
    end
    data_moved_q <= data_valid_i && data_ready_i;
    passed_q <= passed;
    if (take_status) begin
      cookie_q <= cookie;
      code_q <= code;
      bytes_q <= bytes;
      wants_interrupt_q <= wants_interrupt;
    end
    if (rst_i) begin
      posted_valid_o <= 1'b0;
      gathering_q <= 1'b0;
    end else begin
      posted_valid_o <= present || load_message || (posted_valid_o && !posted_ready_i);
      gathering_q <= (gathering_q || load_record) && !present && !discard_i;
    end
    if (rst_i || restart_i) open_q <= 1'b0;
    else if (take_status) open_q <= !last_part;
    if (rst_i || restart_i) begin
      next_q <= 16'd0;
      sent_q <= 16'd0;
      counted_q <= 3'd0;
      waiting_q <= 8'd0;
      waited_q <= 32'd0;
    end else begin
      if (load_record) next_q <= next_q + 1'b1;
      if (record_left) sent_q <= sent_q + {13'd0, records_q};
      if (stat_record_o) counted_q <= counted_q + 1'b1;
      // A request in the cycle of an interrupt begins the next count.
      if (interrupt_o) waiting_q <= {7'd0, request};
      else if (request && waiting_q != 8'hFF) waiting_q <= waiting_q + 1'b1;
      if (interrupt_o || waiting_q == 8'd0) waited_q <= 32'd0;
      else waited_q <= waited_q + 1'b1;
    end
  end

`ifndef SYNTHESIS
  wire [15:0] uncounted = {13'd0, sent_q[2:0] - counted_q};
  wire [15:0] place = next_q & ~(16'hFFFF << ring_log2_i);
  // Of the write at the stream: DWs, and the place of its first record in 64 bytes.
  wire [9:0]  posted_dwords = posted_hdr_o[105:96];
  wire [1:0]  posted_place = posted_hdr_o[125] ? posted_hdr_o[5:4] : posted_hdr_o[37:36];

  always_ff @(posedge clk_i) begin
    if (!rst_i && !restart_i) begin
      assert (!gathering_q || (records_q != 3'd0 && records_q < 3'(RECORDS))) else $error("a full beat waits for more records");
      assert (!gathering_q || !posted_valid_o || posted_ready_i) else $error("records gather in a beat that is at the stream");
      assert (!(posted_valid_o && is_record_q) || posted_dwords == {5'd0, records_q, 2'd0}) else $error("length of the records");
      assert (!(posted_valid_o && is_record_q) || {1'b0, posted_place & 2'(RECORDS - 1)} + records_q <= 3'(RECORDS))
      else $error("records of two blocks in one write");
      assert (!(load_record && gathering_q) || place != '0) else $error("records are joined over the end of the ring");
      assert (next_q - sent_q <= 16'(RECORDS) && next_q - sent_q + uncounted <= 16'd4) else $error("more records than a beat has");
    end
  end
`endif

  generate
    if (DATA_W != 128 && DATA_W != 256 && DATA_W != 512) begin : g_check_width
      initial $fatal(1, "completion_recorder: DATA_W must be 128, 256 or 512");
    end
  endgenerate

endmodule
`default_nettype wire
