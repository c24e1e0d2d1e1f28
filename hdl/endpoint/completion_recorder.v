`default_nettype none
// Writes completion records and MSI-X messages, in that order: a record of 16 bytes per ring slot, in one TLP without relaxed ordering.
// The engine's status comes when its data has left, and this block's stream shares the transmit arbiter with the engine's, so data,
// record and interrupt reach the link in order. Parts of a chain are joined: bytes added, first error kept, cookie of the first part.
// One record per cycle.
module completion_recorder #(
  // Bits of payload per beat
  parameter int DATA_W = 256,
  // Derived: bits of `empty`
  parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
  input  wire                clk_i,
  input  wire                rst_i,

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

  // Statistics: record sent, message sent
  output logic               stat_record_o,
  output logic               stat_message_o
);

  logic        free;
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

  logic [15:0] next_q;
  logic [15:0] sent_q;
  logic        phase;
  logic        is_record_q;
  logic        is_interrupt_q;

  logic [7:0]  waiting_q;
  logic [31:0] waited_q;
  logic        request;

  always_comb begin
    free = !posted_valid_o || posted_ready_i;
    last_part = status_id_i[14];
    slot = status_id_i[13:0];
    // Records go first, so that none waits for an interrupt; a message follows its record in any case.
    take_status = status_valid_i && (!last_part || discard_i || (free && bus_master_enable_i));
    load_record = take_status && last_part && !discard_i;
    take_message = message_valid_i && !load_record && (discard_i || (free && bus_master_enable_i));
    status_ready_o = take_status;
    message_ready_o = take_message;

    cookie = open_q ? cookie_q : status_cookie_i;
    code = (open_q && code_q != 8'd0) ? code_q : status_code_i;
    sum = {1'b0, status_bytes_i} + (open_q ? {1'b0, bytes_q} : 26'd0);
    // Bytes behind the first error do not count.
    bytes = (open_q && code_q != 8'd0) ? bytes_q : sum[25] ? 25'h1FFFFFF : sum[24:0];
    wants_interrupt = status_id_i[15] || (open_q && wants_interrupt_q);

    phase = !next_q[ring_log2_i];
    tail_o = sent_q;
    phase_o = phase;
    idle_o = !posted_valid_o && !status_valid_i && !message_valid_i;
    quiet_o = !posted_valid_o;

    stat_record_o = posted_valid_o && posted_ready_i && is_record_q;
    stat_message_o = posted_valid_o && posted_ready_i && !is_record_q;
    request = stat_record_o && is_interrupt_q;
    interrupt_o = waiting_q != 8'd0 &&
        (waiting_q >= interrupt_count_i || (interrupt_cycles_i != 32'd0 && waited_q >= interrupt_cycles_i));
  end

  always_ff @(posedge clk_i) begin
    if (load_record) begin
      posted_hdr_o <= dma_pkg::memory_request_header(1'b1, base_i + {46'd0, next_q[13:0] & ~(14'h3FFF << ring_log2_i), 4'd0},
                                                     13'd16, requester_id_i, 8'd0, 3'd0);
      posted_data_o <= DATA_W'({phase, 7'd0, 2'd0, slot, code, 7'd0, bytes, cookie});
      posted_empty_o <= EMPTY_W'(DATA_W / 32 - 4);
      is_interrupt_q <= wants_interrupt;
    end else if (take_message && !discard_i) begin
      posted_hdr_o <= dma_pkg::memory_request_header(1'b1, message_address_i, 13'd4, requester_id_i, 8'd0, 3'd0);
      posted_data_o <= DATA_W'(message_data_i);
      posted_empty_o <= EMPTY_W'(DATA_W / 32 - 1);
    end
    if (load_record || (take_message && !discard_i)) is_record_q <= load_record;
    if (take_status) begin
      cookie_q <= cookie;
      code_q <= code;
      bytes_q <= bytes;
      wants_interrupt_q <= wants_interrupt;
    end
    if (rst_i) posted_valid_o <= 1'b0;
    else if (free) posted_valid_o <= load_record || (take_message && !discard_i);
    if (rst_i || restart_i) open_q <= 1'b0;
    else if (take_status) open_q <= !last_part;
    if (rst_i || restart_i) begin
      next_q <= 16'd0;
      sent_q <= 16'd0;
      waiting_q <= 8'd0;
      waited_q <= 32'd0;
    end else begin
      if (load_record) next_q <= next_q + 1'b1;
      if (stat_record_o) sent_q <= sent_q + 1'b1;
      // A request in the cycle of an interrupt begins the next count.
      if (interrupt_o) waiting_q <= {7'd0, request};
      else if (request && waiting_q != 8'hFF) waiting_q <= waiting_q + 1'b1;
      if (interrupt_o || waiting_q == 8'd0) waited_q <= 32'd0;
      else waited_q <= waited_q + 1'b1;
    end
  end

endmodule
`default_nettype wire
