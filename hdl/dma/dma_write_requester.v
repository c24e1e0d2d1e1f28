`default_nettype none
// Turns write operations into posted memory writes, cut at Max_Payload_Size, and reports each operation once its last TLP has left.
// An operation without data (no operation, flush, error found at dispatch) passes as a mark, so all keep their order.
// When an operation with flush has left, its range goes to the flush output. One beat per cycle, no gap between TLPs.
module dma_write_requester #(
  // Bits of payload per beat
  parameter int DATA_W = 256,
  // Bits of an operation's index
  parameter int OPERATION_W = 7,
  // Width of a local memory byte address
  parameter int LOCAL_ADDRESS_W = 21,
  // Cycles from an accepted memory read to its data
  parameter int READ_LATENCY = 2
) (
  input  wire                        clk_i,
  input  wire                        rst_i,

  // Identity of the function, Max_Payload_Size code 0..5
  input  wire  [15:0]                requester_id_i,
  input  wire  [2:0]                 max_payload_i,
  // Why operations end now: status code, 0 = go on
  input  wire  [3:0]                 stop_code_i,

  // Operations; attributes {IDO, RO, NS}; code not 0 reports that status and sends nothing (length 0 then)
  input  wire                        operation_valid_i,
  output logic                       operation_ready_o,
  input  wire  [OPERATION_W-1:0]     operation_i,
  input  wire  [63:0]                operation_address_i,
  input  wire  [LOCAL_ADDRESS_W-1:0] operation_local_i,
  input  wire  [24:0]                operation_length_i,
  input  wire  [2:0]                 operation_attributes_i,
  input  wire                        operation_prefix_valid_i,
  input  wire  [31:0]                operation_prefix_i,
  input  wire                        operation_flush_i,
  input  wire  [3:0]                 operation_code_i,

  // Local memory read
  output logic                       read_valid_o,
  input  wire                        read_ready_i,
  output logic [LOCAL_ADDRESS_W-1:0] read_address_o,
  input  wire                        read_data_valid_i,
  input  wire  [DATA_W-1:0]          read_data_i,

  // Posted stream
  output logic                       request_valid_o,
  input  wire                        request_ready_i,
  output logic                       request_sop_o,
  output logic                       request_eop_o,
  output logic [DATA_W-1:0]          request_data_o,
  output logic [$clog2(DATA_W/32)-1:0] request_empty_o,
  output logic [127:0]               request_hdr_o,
  output logic [31:0]                request_prefix_o,
  output logic                       request_prefix_valid_o,

  // Range to flush: address of its first byte and length (0 counts as one byte)
  output logic                       flush_valid_o,
  input  wire                        flush_ready_i,
  output logic [OPERATION_W-1:0]     flush_operation_o,
  output logic [63:0]                flush_address_o,
  output logic [24:0]                flush_length_o,
  output logic                       flush_prefix_valid_o,
  output logic [31:0]                flush_prefix_o,

  // 1: no TLP between the splitter and the stream
  output logic                       idle_o,

  // An operation has left: flush requests that follow, error code and offset
  output logic                       issued_valid_o,
  output logic [OPERATION_W-1:0]     issued_operation_o,
  output logic [18:0]                issued_requests_o,
  output logic [3:0]                 issued_code_o,
  output logic [24:0]                issued_offset_o
);

  localparam int SPLIT_META_W = OPERATION_W + 3 + 1 + 32 + 1 + 4;
  // Beside a TLP: last of its operation, operation, flush, code, end address, bytes of the operation so far.
  localparam int TLP_META_W = 1 + OPERATION_W + 1 + 4 + 64 + 25;

  logic                       chunk_valid;
  logic                       chunk_ready;
  logic [63:0]                chunk_address;
  logic [LOCAL_ADDRESS_W-1:0] chunk_local;
  logic [12:0]                chunk_length;
  logic [24:0]                chunk_offset;
  logic                       chunk_last;
  logic                       chunk_cancelled;
  logic [OPERATION_W-1:0]     chunk_operation;
  logic [2:0]                 chunk_attributes;
  logic                       chunk_prefix_valid;
  logic [31:0]                chunk_prefix;
  logic                       chunk_flush;
  logic [3:0]                 chunk_code;

  dma_chunk_splitter #(
    .LOCAL_ADDRESS_W(LOCAL_ADDRESS_W),
    .META_W         (SPLIT_META_W)
  ) u_splitter (
    .clk_i              (clk_i),
    .rst_i              (rst_i),
    .boundary_code_i    (max_payload_i),
    .cancel_i           (stop_code_i != 4'd0),
    .operation_valid_i  (operation_valid_i),
    .operation_ready_o  (operation_ready_o),
    .operation_address_i(operation_address_i),
    .operation_local_i  (operation_local_i),
    .operation_length_i (operation_length_i),
    .operation_meta_i   ({operation_i, operation_attributes_i, operation_prefix_valid_i, operation_prefix_i, operation_flush_i,
                          operation_code_i}),
    .chunk_valid_o      (chunk_valid),
    .chunk_ready_i      (chunk_ready),
    .chunk_address_o    (chunk_address),
    .chunk_local_o      (chunk_local),
    .chunk_length_o     (chunk_length),
    .chunk_offset_o     (chunk_offset),
    .chunk_last_o       (chunk_last),
    .chunk_cancelled_o  (chunk_cancelled),
    .chunk_meta_o       ({chunk_operation, chunk_attributes, chunk_prefix_valid, chunk_prefix, chunk_flush, chunk_code})
  );

  // A stop also suppresses the flush of what it finds, with or without data.
  logic [3:0]             tlp_code;
  logic                   tlp_flush;
  logic                   out_valid;
  logic                   out_ready;
  logic                   out_mark;
  logic                   out_last;
  logic [OPERATION_W-1:0] out_operation;
  logic                   out_flush;
  logic [3:0]             out_code;
  logic [63:0]            out_end_address;
  logic [24:0]            out_bytes;

  always_comb begin
    tlp_code = chunk_code;
    if (chunk_code == 4'd0 && (chunk_cancelled || (chunk_flush && stop_code_i != 4'd0))) tlp_code = stop_code_i;
    tlp_flush = chunk_flush && tlp_code == 4'd0;
  end

  dma_payload_reader #(
    .DATA_W         (DATA_W),
    .LOCAL_ADDRESS_W(LOCAL_ADDRESS_W),
    .READ_LATENCY   (READ_LATENCY),
    .META_W         (TLP_META_W)
  ) u_payload (
    .clk_i                (clk_i),
    .rst_i                (rst_i),
    .header_valid_i       (chunk_valid),
    .header_ready_o       (chunk_ready),
    .header_i             (dma_pkg::memory_request_header(1'b1, chunk_address, chunk_length, requester_id_i, 8'd0,
                                                          chunk_attributes)),
    .header_prefix_i      (chunk_prefix),
    .header_prefix_valid_i(chunk_prefix_valid),
    .header_local_i       (chunk_local),
    .header_lead_i        (chunk_address[1:0]),
    .header_length_i      (chunk_length),
    .header_meta_i        ({chunk_last, chunk_operation, tlp_flush, tlp_code, chunk_address + {51'd0, chunk_length},
                            chunk_offset + {12'd0, chunk_length}}),
    .read_valid_o         (read_valid_o),
    .read_ready_i         (read_ready_i),
    .read_address_o       (read_address_o),
    .read_data_valid_i    (read_data_valid_i),
    .read_data_i          (read_data_i),
    .idle_o               (idle_o),
    .out_valid_o          (out_valid),
    .out_ready_i          (out_ready),
    .out_mark_o           (out_mark),
    .out_sop_o            (request_sop_o),
    .out_eop_o            (request_eop_o),
    .out_data_o           (request_data_o),
    .out_empty_o          (request_empty_o),
    .out_hdr_o            (request_hdr_o),
    .out_prefix_o         (request_prefix_o),
    .out_prefix_valid_o   (request_prefix_valid_o),
    .out_meta_o           ({out_last, out_operation, out_flush, out_code, out_end_address, out_bytes})
  );

  logic        flush_room;
  logic        flush_free;
  logic        leave;
  logic        operation_left;
  logic [63:0] first_address;
  logic [11:0] page_offset;
  logic [13:0] pages;
  logic [2:0]  unused_flush_count;

  always_comb begin
    // The beat that ends an operation with flush waits for room in the flush queue. The queue's ready is registered: no path from
    // the non-posted stream to the posted one.
    flush_free = flush_room || !(out_flush && out_last);
    request_valid_o = out_valid && !out_mark && flush_free;
    out_ready = flush_free && (out_mark || request_ready_i);
    leave = out_valid && out_ready;
    operation_left = leave && request_eop_o && out_last;
    first_address = out_end_address - {39'd0, out_bytes};
    page_offset = first_address[11:0];
    // Pages touched, a range of 0 bytes counts as one byte.
    pages = 14'(({1'b0, out_bytes} + {14'd0, page_offset} + ((out_bytes == 25'd0) ? 26'd4096 : 26'd4095)) >> 12);
  end

  fifo #(
    .WIDTH(OPERATION_W + 64 + 25 + 1 + 32),
    .DEPTH(4)
  ) u_flush_ranges (
    .clk_i      (clk_i),
    .rst_i      (rst_i),
    .in_valid_i (operation_left && out_flush),
    .in_ready_o (flush_room),
    .in_data_i  ({out_operation, first_address, out_bytes, request_prefix_valid_o, request_prefix_o}),
    .out_valid_o(flush_valid_o),
    .out_ready_i(flush_ready_i),
    .out_data_o ({flush_operation_o, flush_address_o, flush_length_o, flush_prefix_valid_o, flush_prefix_o}),
    .count_o    (unused_flush_count)
  );

  always_ff @(posedge clk_i) begin
    issued_operation_o <= out_operation;
    issued_requests_o <= out_flush ? {5'd0, pages} : 19'd0;
    issued_code_o <= out_code;
    issued_offset_o <= out_bytes;
    if (rst_i) issued_valid_o <= 1'b0;
    else issued_valid_o <= operation_left;
  end

endmodule
`default_nettype wire
