`default_nettype none
// Turns chunks into memory read requests, each with a tag: one per cycle.
// Two chunk inputs: copies (cut at Max_Read_Request_Size) and flushes (zero-length reads of written pages, served first).
// For each request it hands the read completer what to expect under that tag.
module dma_read_requester #(
  // Number of tags
  parameter int TAGS = 64,
  // Value of the first tag on the link
  parameter int TAG_BASE = 0,
  // Bits of an operation's index
  parameter int OPERATION_W = 7,
  // Width of a local memory byte address
  parameter int LOCAL_ADDRESS_W = 21
) (
  input  wire                        clk_i,
  input  wire                        rst_i,

  // Identity of the function
  input  wire  [15:0]                requester_id_i,
  // Why copies end now: status code, 0 = go on
  input  wire  [3:0]                 stop_code_i,

  // Copy chunks; attributes {IDO, RO, NS}; prefix is a PASID prefix. Length 0 marks an end without request
  input  wire                        copy_valid_i,
  output logic                       copy_ready_o,
  input  wire  [63:0]                copy_address_i,
  input  wire  [LOCAL_ADDRESS_W-1:0] copy_local_i,
  input  wire  [12:0]                copy_length_i,
  input  wire  [24:0]                copy_offset_i,
  input  wire                        copy_last_i,
  input  wire                        copy_cancelled_i,
  input  wire  [OPERATION_W-1:0]     copy_operation_i,
  input  wire  [2:0]                 copy_attributes_i,
  input  wire                        copy_prefix_valid_i,
  input  wire  [31:0]                copy_prefix_i,

  // Flushes: one zero-length read each
  input  wire                        flush_valid_i,
  output logic                       flush_ready_o,
  input  wire  [63:0]                flush_address_i,
  input  wire  [24:0]                flush_offset_i,
  input  wire  [OPERATION_W-1:0]     flush_operation_i,
  input  wire                        flush_prefix_valid_i,
  input  wire  [31:0]                flush_prefix_i,

  // Free tags
  input  wire                        tag_valid_i,
  output logic                       tag_ready_o,
  input  wire  [$clog2(TAGS)-1:0]    tag_i,

  // What was asked under a tag, one cycle before the request can leave
  output logic                       issue_valid_o,
  output logic [$clog2(TAGS)-1:0]    issue_tag_o,
  output logic [OPERATION_W-1:0]     issue_operation_o,
  output logic                       issue_flush_o,
  output logic [LOCAL_ADDRESS_W-1:0] issue_local_o,
  output logic [24:0]                issue_offset_o,
  output logic [6:0]                 issue_lower_address_o,
  output logic [12:0]                issue_length_o,
  output logic [1:0]                 issue_attributes_o,

  // A copy is issued completely
  output logic                       issued_valid_o,
  output logic [OPERATION_W-1:0]     issued_operation_o,
  output logic [18:0]                issued_requests_o,
  output logic [3:0]                 issued_code_o,
  output logic [24:0]                issued_offset_o,

  // Non-posted stream; every TLP is one beat
  output logic                       request_valid_o,
  input  wire                        request_ready_i,
  output logic [127:0]               request_hdr_o,
  output logic [31:0]                request_prefix_o,
  output logic                       request_prefix_valid_o
);

  logic        free;
  logic        take_flush;
  logic        take_copy;
  logic        send;
  logic [7:0]  tag_value;
  logic [63:0] address;
  logic [18:0] requests_q;

  always_comb begin
    free = !request_valid_o || request_ready_i;
    take_flush = flush_valid_i && tag_valid_i && free;
    take_copy = copy_valid_i && (copy_length_i == 13'd0 || (!flush_valid_i && tag_valid_i && free));
    flush_ready_o = tag_valid_i && free;
    copy_ready_o = copy_length_i == 13'd0 || (!flush_valid_i && tag_valid_i && free);
    send = take_flush || (take_copy && copy_length_i != 13'd0);
    tag_ready_o = send;
    tag_value = 8'(TAG_BASE) + 8'(tag_i);
    address = take_flush ? flush_address_i : copy_address_i;

    issue_valid_o = send;
    issue_tag_o = tag_i;
    issue_flush_o = take_flush;
    issue_operation_o = take_flush ? flush_operation_i : copy_operation_i;
    issue_local_o = copy_local_i;
    issue_offset_o = take_flush ? flush_offset_i : copy_offset_i;
    // A zero-length read is answered as one byte at the DW's first address (PCIe Base, Lower Address rules).
    issue_lower_address_o = take_flush ? {address[6:2], 2'b00} : address[6:0];
    issue_length_o = take_flush ? 13'd1 : copy_length_i;
    issue_attributes_o = take_flush ? 2'd0 : copy_attributes_i[1:0];
  end

  always_ff @(posedge clk_i) begin
    if (free && send) begin
      // Flushes carry no relaxed ordering: they must push the writes before them.
      request_hdr_o <= dma_pkg::memory_request_header(1'b0, address, take_flush ? 13'd0 : copy_length_i, requester_id_i,
                                                      tag_value, take_flush ? 3'd0 : copy_attributes_i);
      request_prefix_o <= take_flush ? flush_prefix_i : copy_prefix_i;
      request_prefix_valid_o <= take_flush ? flush_prefix_valid_i : copy_prefix_valid_i;
    end
    if (rst_i) request_valid_o <= 1'b0;
    else if (free) request_valid_o <= send;

    if (rst_i) requests_q <= 19'd0;
    else if (take_copy) requests_q <= copy_last_i ? 19'd0 : requests_q + 1'b1;

    issued_operation_o <= copy_operation_i;
    issued_requests_o <= requests_q + 19'(copy_length_i != 13'd0);
    issued_code_o <= copy_cancelled_i ? stop_code_i : 4'd0;
    issued_offset_o <= copy_offset_i;
    if (rst_i) issued_valid_o <= 1'b0;
    else issued_valid_o <= take_copy && copy_last_i;
  end

endmodule
`default_nettype wire
