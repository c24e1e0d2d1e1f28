`default_nettype none
// The operations in flight, in order: allocated at dispatch, retired in order with their status.
// An operation is complete when its requester reported it issued and all tagged requests it counted then are finished.
// The code reported is that of the first error in address order, `bytes` the offset of that error, or the length on success.
// Allocates one, takes one event and retires one per cycle; an operation whose last event comes in cycle t retires in t + 2.
module dma_operation_table #(
  // Entries, a power of two
  parameter int OPERATIONS = 128
) (
  input  wire                           clk_i,
  input  wire                           rst_i,

  // Allocation, in order
  input  wire                           allocate_valid_i,
  output logic                          allocate_ready_o,
  output logic [$clog2(OPERATIONS)-1:0] allocate_operation_o,
  input  wire  [15:0]                   allocate_id_i,
  input  wire  [63:0]                   allocate_cookie_i,
  input  wire  [24:0]                   allocate_length_i,

  // Everything issued: tagged requests in all, and the error that ended it early (0 = none) with its offset. One port each for
  // operations that read and for all others
  input  wire                           read_issued_valid_i,
  input  wire  [$clog2(OPERATIONS)-1:0] read_issued_operation_i,
  input  wire  [18:0]                   read_issued_requests_i,
  input  wire  [3:0]                    read_issued_code_i,
  input  wire  [24:0]                   read_issued_offset_i,
  input  wire                           write_issued_valid_i,
  input  wire  [$clog2(OPERATIONS)-1:0] write_issued_operation_i,
  input  wire  [18:0]                   write_issued_requests_i,
  input  wire  [3:0]                    write_issued_code_i,
  input  wire  [24:0]                   write_issued_offset_i,

  // Event of a tagged request: finished, or an error (code not 0) at an offset, or both
  input  wire                           event_valid_i,
  input  wire  [$clog2(OPERATIONS)-1:0] event_operation_i,
  input  wire                           event_finished_i,
  input  wire  [3:0]                    event_code_i,
  input  wire  [24:0]                   event_offset_i,

  // Status, in order of allocation
  output logic                          status_valid_o,
  input  wire                           status_ready_i,
  output logic [15:0]                   status_id_o,
  output logic [63:0]                   status_cookie_o,
  output logic [7:0]                    status_code_o,
  output logic [24:0]                   status_bytes_o,

  output logic                          empty_o
);

  localparam int INDEX_W = $clog2(OPERATIONS);

  // Finished tagged requests per entry: counts on for ever, an allocation remembers where it began.
  logic [18:0] finished [0:OPERATIONS-1];
  logic [123:0] allocated [0:OPERATIONS-1];
  logic [47:0] read_issued [0:OPERATIONS-1];
  logic [47:0] write_issued [0:OPERATIONS-1];
  logic [28:0] error [0:OPERATIONS-1];

  logic [OPERATIONS-1:0] is_read_issued_q;
  logic [OPERATIONS-1:0] is_write_issued_q;
  logic [OPERATIONS-1:0] is_error_q;
  logic [INDEX_W:0]      head_q;
  logic [INDEX_W:0]      tail_q;

  logic               full;
  logic               allocate;
  logic [INDEX_W-1:0] head;
  logic [15:0]        head_id;
  logic [63:0]        head_cookie;
  logic [24:0]        head_length;
  logic [18:0]        head_base;
  logic [18:0]        head_requests;
  logic [3:0]         issued_code;
  logic [24:0]        issued_offset;
  logic [3:0]         error_code;
  logic [24:0]        error_offset;
  logic               head_issued;
  logic               complete;
  logic               retire;
  logic [3:0]         code;
  logic [24:0]        bytes;

  logic               event_is_error;
  logic               event_is_first;
  logic [24:0]        event_known_offset;

  always_comb begin
    full = (tail_q - head_q) == (INDEX_W + 1)'(OPERATIONS);
    allocate_ready_o = !full;
    allocate_operation_o = tail_q[INDEX_W-1:0];
    allocate = allocate_valid_i && !full;
    empty_o = head_q == tail_q && !status_valid_o;

    head = head_q[INDEX_W-1:0];
    {head_id, head_cookie, head_length, head_base} = allocated[head];
    {head_requests, issued_code, issued_offset} = is_read_issued_q[head] ? read_issued[head] : write_issued[head];
    {error_code, error_offset} = error[head];
    head_issued = is_read_issued_q[head] || is_write_issued_q[head];
    complete = head_q != tail_q && head_issued && (finished[head] - head_base) == head_requests;
    retire = complete && (!status_valid_o || status_ready_i);

    if (is_error_q[head] && (issued_code == 4'd0 || error_offset < issued_offset)) begin
      code = error_code;
      bytes = error_offset;
    end else if (issued_code != 4'd0) begin
      code = issued_code;
      bytes = issued_offset;
    end else begin
      code = 4'd0;
      bytes = head_length;
    end

    event_is_error = event_valid_i && event_code_i != 4'd0;
    event_known_offset = error[event_operation_i][24:0];
    event_is_first = event_is_error && (!is_error_q[event_operation_i] || event_offset_i < event_known_offset);
  end

  always_ff @(posedge clk_i) begin
    if (allocate)
      allocated[tail_q[INDEX_W-1:0]] <=
          {allocate_id_i, allocate_cookie_i, allocate_length_i, finished[tail_q[INDEX_W-1:0]]};
    if (read_issued_valid_i)
      read_issued[read_issued_operation_i] <= {read_issued_requests_i, read_issued_code_i, read_issued_offset_i};
    if (write_issued_valid_i)
      write_issued[write_issued_operation_i] <= {write_issued_requests_i, write_issued_code_i, write_issued_offset_i};
    if (event_valid_i && event_finished_i) finished[event_operation_i] <= finished[event_operation_i] + 1'b1;
    if (event_is_first) error[event_operation_i] <= {event_code_i, event_offset_i};
    if (retire) begin
      status_id_o <= head_id;
      status_cookie_o <= head_cookie;
      status_code_o <= {4'd0, code};
      status_bytes_o <= bytes;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      head_q <= '0;
      tail_q <= '0;
      status_valid_o <= 1'b0;
      is_read_issued_q <= '0;
      is_write_issued_q <= '0;
      is_error_q <= '0;
    end else begin
      if (allocate) tail_q <= tail_q + 1'b1;
      if (retire) head_q <= head_q + 1'b1;
      if (retire) status_valid_o <= 1'b1;
      else if (status_ready_i) status_valid_o <= 1'b0;
      if (retire) begin
        is_read_issued_q[head] <= 1'b0;
        is_write_issued_q[head] <= 1'b0;
        is_error_q[head] <= 1'b0;
      end
      if (read_issued_valid_i) is_read_issued_q[read_issued_operation_i] <= 1'b1;
      if (write_issued_valid_i) is_write_issued_q[write_issued_operation_i] <= 1'b1;
      if (event_is_error) is_error_q[event_operation_i] <= 1'b1;
    end
  end

`ifdef __ICARUS__
  // Any start value works; four-state simulation needs a known one.
  initial for (int i = 0; i < OPERATIONS; i++) finished[i] = '0;
`endif

  generate
    if (OPERATIONS < 4 || (OPERATIONS & (OPERATIONS - 1)) != 0) begin : g_check_operations
      initial $fatal(1, "dma_operation_table: OPERATIONS must be a power of two of at least 4");
    end
  endgenerate

endmodule
`default_nettype wire
