`default_nettype none
// Reads descriptors from host memory in batches, ahead of their use, with tags of its own.
// A batch is one read request: up to BATCH descriptors of the ring that end at a multiple of the batch size (or of Max_Read_Request_Size,
// or at the end of the ring). Batches may be answered in any order; descriptors come out in ring order. A descriptor whose
// field `next` is not 0 is followed by the one at that address, read then. A read that fails gives its status code at the output.
module descriptor_fetcher #(
  // Bits of payload per beat
  parameter int DATA_W = 256,
  // Batches in flight, a power of two; descriptors in the buffer = 8 x TAGS
  parameter int TAGS = 16
) (
  input  wire          clk_i,
  input  wire          rst_i,

  // Function settings, as in dma_engine; while stop_i no request starts
  input  wire  [15:0]  requester_id_i,
  input  wire  [2:0]   max_read_request_i,
  input  wire  [31:0]  completion_timeout_i,
  input  wire          stop_i,

  // Ring: 64-byte aligned base, log2 slots, producer index; restart_i (only while idle_o) begins at index 0
  input  wire          restart_i,
  input  wire  [63:0]  ring_base_i,
  input  wire  [3:0]   ring_log2_i,
  input  wire  [15:0]  tail_i,
  // 1: no request is unanswered
  output logic         idle_o,

  // Descriptors in ring order, with index and status code of their read; data is undefined when the code is not 0
  output logic         descriptor_valid_o,
  input  wire          descriptor_ready_i,
  output logic [511:0] descriptor_data_o,
  output logic [15:0]  descriptor_index_o,
  output logic [3:0]   descriptor_code_o,
  // Part of a chain: 1 = continues the descriptor before it; 1 = is continued by the next one
  output logic         descriptor_continues_o,
  output logic         descriptor_continued_o,

  // Non-posted stream out
  output logic         nonposted_valid_o,
  input  wire          nonposted_ready_i,
  output logic [127:0] nonposted_hdr_o,

  // Completion stream in
  input  wire          completion_valid_i,
  output logic         completion_ready_o,
  input  wire          completion_sop_i,
  input  wire          completion_eop_i,
  input  wire  [DATA_W-1:0] completion_data_i,
  input  wire  [127:0] completion_hdr_i,
  input  wire          completion_err_i,

  // Statistics: a completion nobody waits for was dropped, a read timed out
  output logic         stat_unexpected_o,
  output logic         stat_timeout_o
);

  localparam int TAG_W = $clog2(TAGS);
  localparam int DESCRIPTORS = 8 * TAGS;
  localparam int LANES = DATA_W / 8;
  localparam int LANE_W = $clog2(LANES);
  localparam int ROWS_PER_DESCRIPTOR = 512 / DATA_W;
  // Buffer: the ring's descriptors, then one chained descriptor (in a block of its own size, for a power of two).
  localparam int RING_BYTES = DESCRIPTORS * 64;
  localparam int LOCAL_W = $clog2(RING_BYTES) + 1;
  localparam int ROW_W = LOCAL_W - LANE_W;
  // Batches are numbered modulo 2 x TAGS; the number TAGS x 2 is the chain.
  localparam int BATCH_W = TAG_W + 2;
  localparam int SEGMENT_W = $clog2(ROWS_PER_DESCRIPTOR + 1);

  // Fetch side: next index to ask for.
  logic [15:0]        fetch_q;
  logic [15:0]        consume_q;
  logic [TAG_W:0]     batch_tail_q;
  logic [TAG_W:0]     batch_head_q;
  logic [15:0]        available;
  logic [15:0]        buffered;
  logic [15:0]        room;
  logic [15:0]        to_boundary;
  logic [15:0]        ring_offset;
  logic [15:0]        to_ring_end;
  logic [3:0]         batch_limit;
  logic [15:0]        count;
  logic               batches_full;
  logic               ring_request;
  logic               take_ring;
  logic [15:0]        to_buffer_end;
  logic               chain_request;

  // Batches in flight: size, done, code.
  logic [3:0]         batch_count [0:2*TAGS-1];
  logic [3:0]         batch_code [0:2*TAGS-1];
  logic [2*TAGS-1:0]  batch_done_q;
  logic [2*TAGS-1:0]  batch_failed_q;
  logic [63:6]        chain_address_q;
  logic               chain_ask_q;
  logic               chain_wait_q;
  logic               chain_done_q;
  logic               chain_failed_q;
  logic [3:0]         chain_code_q;

  logic               tag_valid;
  logic               tag_ready;
  logic [TAG_W-1:0]   tag;
  logic               release_valid;
  logic [TAG_W-1:0]   release_tag;
  logic [$clog2(TAGS+1)-1:0] tags_used;

  logic               copy_ready;
  logic               issue_valid;
  logic [TAG_W-1:0]   issue_tag;
  logic [BATCH_W-1:0] issue_batch;
  logic               issue_flush;
  logic [LOCAL_W-1:0] issue_local;
  logic [24:0]        issue_offset;
  logic [6:0]         issue_lower_address;
  logic [12:0]        issue_length;
  logic [1:0]         issue_attributes;
  logic               event_valid;
  logic [BATCH_W-1:0] event_batch;
  logic               event_finished;
  logic [3:0]         event_code;
  logic               write_valid;
  logic [LOCAL_W-1:0] write_address;
  logic [DATA_W-1:0]  write_data;

  logic               unused_flush_ready;
  logic               unused_issued_valid;
  logic [BATCH_W-1:0] unused_issued_operation;
  logic [18:0]        unused_issued_requests;
  logic [3:0]         unused_issued_code;
  logic [24:0]        unused_issued_offset;
  logic [31:0]        unused_prefix;
  logic               unused_prefix_valid;
  logic [24:0]        unused_event_offset;
  logic [LANES-1:0]   unused_write_strobe;
  logic               unused_write_address;

  always_comb begin
    available = tail_i - fetch_q;
    buffered = fetch_q - consume_q;
    room = 16'(DESCRIPTORS) - buffered;
    // 8 descriptors are 512 bytes; a smaller Max_Read_Request_Size (128, 256) asks for 2 or 4.
    batch_limit = (max_read_request_i == 3'd0) ? 4'd2 : (max_read_request_i == 3'd1) ? 4'd4 : 4'd8;
    ring_offset = fetch_q & ~(16'hFFFF << ring_log2_i);
    // Batch boundaries are multiples of the batch size in bus addresses.
    to_boundary = {12'd0, batch_limit} - ((ring_offset + {13'd0, ring_base_i[8:6]}) & ({12'd0, batch_limit} - 16'd1));
    to_ring_end = (16'd1 << ring_log2_i) - ring_offset;
    count = to_boundary;
    if (available < count) count = available;
    if (room < count) count = room;
    to_buffer_end = 16'(DESCRIPTORS) - (fetch_q & 16'(DESCRIPTORS - 1));
    if (to_ring_end < count) count = to_ring_end;
    if (to_buffer_end < count) count = to_buffer_end;
    batches_full = (batch_tail_q - batch_head_q) == (TAG_W + 1)'(TAGS);
    chain_request = chain_ask_q && !stop_i;
    ring_request = count != 16'd0 && !batches_full && !chain_request && !stop_i && !restart_i;
    take_ring = ring_request && copy_ready;
    idle_o = tags_used == '0 && !nonposted_valid_o && !event_valid;
  end

  dma_tag_allocator #(
    .TAGS(TAGS)
  ) u_tags (
    .clk_i           (clk_i),
    .rst_i           (rst_i),
    .limit_i         (($clog2(TAGS + 1))'(TAGS)),
    .restart_i       (1'b0),
    .allocate_valid_o(tag_valid),
    .allocate_ready_i(tag_ready),
    .allocate_tag_o  (tag),
    .release_valid_i (release_valid),
    .release_tag_i   (release_tag),
    .used_o          (tags_used)
  );

  // The place in the buffer is the index modulo its size.
  dma_read_requester #(
    .TAGS           (TAGS),
    .TAG_BASE       (0),
    .OPERATION_W    (BATCH_W),
    .LOCAL_ADDRESS_W(LOCAL_W)
  ) u_requester (
    .clk_i                 (clk_i),
    .rst_i                 (rst_i),
    .requester_id_i        (requester_id_i),
    .stop_code_i           (4'd0),
    .copy_valid_i          (chain_request || ring_request),
    .copy_ready_o          (copy_ready),
    .copy_address_i        (chain_request ? {chain_address_q, 6'd0} : ring_base_i + {42'd0, ring_offset, 6'd0}),
    .copy_local_i          (chain_request ? LOCAL_W'(RING_BYTES) : LOCAL_W'({fetch_q, 6'd0} & 22'(RING_BYTES - 1))),
    .copy_length_i         (chain_request ? 13'd64 : {count[6:0], 6'd0}),
    .copy_offset_i         (25'd0),
    .copy_last_i           (1'b1),
    .copy_cancelled_i      (1'b0),
    .copy_operation_i      (chain_request ? BATCH_W'(2 * TAGS) : BATCH_W'(batch_tail_q)),
    .copy_attributes_i     (3'd0),
    .copy_prefix_valid_i   (1'b0),
    .copy_prefix_i         (32'd0),
    .flush_valid_i         (1'b0),
    .flush_ready_o         (unused_flush_ready),
    .flush_address_i       (64'd0),
    .flush_offset_i        (25'd0),
    .flush_operation_i     (BATCH_W'(0)),
    .flush_prefix_valid_i  (1'b0),
    .flush_prefix_i        (32'd0),
    .tag_valid_i           (tag_valid),
    .tag_ready_o           (tag_ready),
    .tag_i                 (tag),
    .issue_valid_o         (issue_valid),
    .issue_tag_o           (issue_tag),
    .issue_operation_o     (issue_batch),
    .issue_flush_o         (issue_flush),
    .issue_local_o         (issue_local),
    .issue_offset_o        (issue_offset),
    .issue_lower_address_o (issue_lower_address),
    .issue_length_o        (issue_length),
    .issue_attributes_o    (issue_attributes),
    .issued_valid_o        (unused_issued_valid),
    .issued_operation_o    (unused_issued_operation),
    .issued_requests_o     (unused_issued_requests),
    .issued_code_o         (unused_issued_code),
    .issued_offset_o       (unused_issued_offset),
    .request_valid_o       (nonposted_valid_o),
    .request_ready_i       (nonposted_ready_i),
    .request_hdr_o         (nonposted_hdr_o),
    .request_prefix_o      (unused_prefix),
    .request_prefix_valid_o(unused_prefix_valid)
  );

  dma_read_completer #(
    .DATA_W         (DATA_W),
    .TAGS           (TAGS),
    .TAG_BASE       (0),
    .OPERATION_W    (BATCH_W),
    .LOCAL_ADDRESS_W(LOCAL_W)
  ) u_completer (
    .clk_i                (clk_i),
    .rst_i                (rst_i),
    .timeout_i            (completion_timeout_i),
    .requester_id_i       (requester_id_i),
    .issue_valid_i        (issue_valid),
    .issue_tag_i          (issue_tag),
    .issue_operation_i    (issue_batch),
    .issue_flush_i        (issue_flush),
    .issue_local_i        (issue_local),
    .issue_offset_i       (issue_offset),
    .issue_lower_address_i(issue_lower_address),
    .issue_length_i       (issue_length),
    .issue_attributes_i   (issue_attributes),
    .completion_valid_i   (completion_valid_i),
    .completion_ready_o   (completion_ready_o),
    .completion_sop_i     (completion_sop_i),
    .completion_eop_i     (completion_eop_i),
    .completion_data_i    (completion_data_i),
    .completion_hdr_i     (completion_hdr_i),
    .completion_err_i     (completion_err_i),
    .write_valid_o        (write_valid),
    .write_ready_i        (1'b1),
    .write_address_o      (write_address),
    .write_data_o         (write_data),
    .write_strobe_o       (unused_write_strobe),
    .release_valid_o      (release_valid),
    .release_tag_o        (release_tag),
    .event_valid_o        (event_valid),
    .event_operation_o    (event_batch),
    .event_finished_o     (event_finished),
    .event_code_o         (event_code),
    .event_offset_o       (unused_event_offset),
    .stat_unexpected_o    (stat_unexpected_o),
    .stat_timeout_o       (stat_timeout_o)
  );

  // Output side: rows of the buffer, assembled to descriptors.
  logic [SEGMENT_W-1:0] segment_q;
  logic [3:0]           left_q;
  logic                 row_valid_q;
  logic                 row_last_q;
  logic [DATA_W-1:0]    row_data;
  logic [ROW_W-1:0]     row_address;
  logic                 from_chain;
  logic                 batch_ready;
  logic [TAG_W:0]       head_slot;
  logic [3:0]           head_code;
  logic                 read_row;
  logic                 last_segment;
  logic                 source_ready;
  logic                 step_descriptor;
  logic [15:0]          row_index_q;
  logic [3:0]           row_code_q;
  logic                 row_chained_q;
  logic                 row_move;
  logic                 take;
  logic                 take_continued;

  always_comb begin
    unused_write_address = ^write_address[LANE_W-1:0];
    head_slot = batch_head_q;
    from_chain = chain_wait_q;
    batch_ready = batch_head_q != batch_tail_q && batch_done_q[head_slot];
    head_code = from_chain ? chain_code_q : batch_code[head_slot];
    source_ready = from_chain ? chain_done_q : batch_ready;
    last_segment = segment_q == SEGMENT_W'(ROWS_PER_DESCRIPTOR - 1);
    row_address = from_chain ? ROW_W'(RING_BYTES / LANES) + ROW_W'(segment_q) :
        ROW_W'((consume_q & 16'(DESCRIPTORS - 1)) * 16'(ROWS_PER_DESCRIPTOR)) + ROW_W'(segment_q);
    // A row is read when the one before it moves on; the last row of a descriptor waits at the output.
    row_move = !row_valid_q || !row_last_q || descriptor_ready_i;
    take = descriptor_valid_o && descriptor_ready_i;
    take_continued = take && descriptor_continued_o;
    read_row = source_ready && row_move && !restart_i && !take_continued;
    step_descriptor = read_row && last_segment;
  end

  ram_simple_dual_port #(
    .WIDTH(DATA_W),
    .DEPTH(1 << ROW_W)
  ) u_buffer (
    .clk_i          (clk_i),
    .write_i        (write_valid),
    .write_address_i(write_address[LOCAL_W-1:LANE_W]),
    .write_data_i   (write_data),
    .read_i         (read_row),
    .read_address_i (row_address),
    .read_data_o    (row_data)
  );

  generate
    if (ROWS_PER_DESCRIPTOR == 1) begin : g_whole
      assign descriptor_data_o = row_data;
    end else begin : g_assembled
      // Earlier rows of the descriptor, the newest on top.
      logic [511-DATA_W:0] earlier_q;
      always_ff @(posedge clk_i) begin
        if (row_valid_q && row_move) earlier_q <= (512-DATA_W)'({row_data, earlier_q} >> DATA_W);
      end
      assign descriptor_data_o = {row_data, earlier_q};
    end
  endgenerate

  always_comb begin
    descriptor_valid_o = row_valid_q && row_last_q;
    descriptor_index_o = row_index_q;
    descriptor_code_o = row_code_q;
    descriptor_continues_o = row_chained_q;
    descriptor_continued_o = row_code_q == 4'd0 && descriptor_data_o[383:320] != 64'd0;
  end

  always_ff @(posedge clk_i) begin
    if (take_ring) batch_count[batch_tail_q] <= count[3:0];
    if (take_continued) chain_address_q <= descriptor_data_o[383:326];
    // An error event may come before the event that finishes the batch: the first code stays.
    if (event_valid && event_batch != BATCH_W'(2 * TAGS) && (event_code != 4'd0 || !batch_failed_q[event_batch[TAG_W:0]]))
      batch_code[event_batch[TAG_W:0]] <= event_code;
    if (read_row) begin
      row_index_q <= from_chain ? row_index_q : consume_q;
      row_code_q <= head_code;
      row_chained_q <= from_chain;
      row_last_q <= last_segment;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i || restart_i) begin
      fetch_q <= 16'd0;
      consume_q <= 16'd0;
      batch_tail_q <= '0;
      batch_head_q <= '0;
      batch_done_q <= '0;
      batch_failed_q <= '0;
      chain_ask_q <= 1'b0;
      chain_wait_q <= 1'b0;
      chain_done_q <= 1'b0;
      chain_failed_q <= 1'b0;
      chain_code_q <= 4'd0;
      segment_q <= '0;
      left_q <= 4'd0;
      row_valid_q <= 1'b0;
    end else begin
      if (take_ring) begin
        fetch_q <= fetch_q + count;
        batch_tail_q <= batch_tail_q + 1'b1;
        batch_done_q[batch_tail_q] <= 1'b0;
        batch_failed_q[batch_tail_q] <= 1'b0;
      end
      if (chain_request && copy_ready) chain_ask_q <= 1'b0;
      if (take_continued) begin
        chain_wait_q <= 1'b1;
        chain_failed_q <= 1'b0;
        // A misaligned address is not read.
        chain_ask_q <= descriptor_data_o[325:320] == 6'd0;
        chain_done_q <= descriptor_data_o[325:320] != 6'd0;
        chain_code_q <= dma_pkg::STATUS_INVALID_DESCRIPTOR;
      end
      if (event_valid) begin
        if (event_batch == BATCH_W'(2 * TAGS)) begin
          if (event_finished) chain_done_q <= 1'b1;
          if (event_code != 4'd0) chain_failed_q <= 1'b1;
          if (event_code != 4'd0 || !chain_failed_q) chain_code_q <= event_code;
        end else begin
          if (event_finished) batch_done_q[event_batch[TAG_W:0]] <= 1'b1;
          if (event_code != 4'd0) batch_failed_q[event_batch[TAG_W:0]] <= 1'b1;
        end
      end
      if (row_move) row_valid_q <= read_row;
      if (read_row) segment_q <= last_segment ? '0 : segment_q + 1'b1;
      if (step_descriptor) begin
        if (from_chain) begin
          chain_wait_q <= 1'b0;
          chain_done_q <= 1'b0;
        end else begin
          consume_q <= consume_q + 1'b1;
          if (left_q + 4'd1 == batch_count[head_slot]) begin
            left_q <= 4'd0;
            batch_head_q <= batch_head_q + 1'b1;
          end else left_q <= left_q + 1'b1;
        end
      end
    end
  end

  generate
    if (TAGS < 2 || TAGS > 16 || (TAGS & (TAGS - 1)) != 0) begin : g_check_tags
      initial $fatal(1, "descriptor_fetcher: TAGS must be 2, 4, 8 or 16");
    end
  endgenerate

endmodule
`default_nettype wire
