`default_nettype none
// Cuts an operation into chunks, each of them one TLP.
// A chunk ends at the next multiple of the boundary size (128 << boundary_code_i), so the first chunk aligns all that follow and none
// crosses 4 KiB. One chunk per cycle; the next operation starts in the cycle after the last chunk of the one before.
// An operation of length 0, or one that cancel_i ends early, gives one last chunk of length 0 that only marks its end.
module dma_chunk_splitter #(
  // Width of a local memory byte address
  parameter int LOCAL_ADDRESS_W = 21,
  // Width of what travels beside an operation unchanged
  parameter int META_W = 32
) (
  input  wire                        clk_i,
  input  wire                        rst_i,

  // log2(boundary / 128): the code of Max_Payload_Size or Max_Read_Request_Size, 0..5
  input  wire  [2:0]                 boundary_code_i,
  // While 1 the operation at work, and every one that comes, ends at its next chunk
  input  wire                        cancel_i,

  // Operations
  input  wire                        operation_valid_i,
  output logic                       operation_ready_o,
  input  wire  [63:0]                operation_address_i,
  input  wire  [LOCAL_ADDRESS_W-1:0] operation_local_i,
  input  wire  [24:0]                operation_length_i,
  input  wire  [META_W-1:0]          operation_meta_i,

  // Chunks; chunk_length_o is 0 for an end mark. While chunk_ready_i is 0 only cancel_i changes them
  output logic                       chunk_valid_o,
  input  wire                        chunk_ready_i,
  output logic [63:0]                chunk_address_o,
  output logic [LOCAL_ADDRESS_W-1:0] chunk_local_o,
  output logic [12:0]                chunk_length_o,
  // Bytes of the operation before this chunk
  output logic [24:0]                chunk_offset_o,
  output logic                       chunk_last_o,
  // 1: cancel_i ended the operation before its last byte
  output logic                       chunk_cancelled_o,
  output logic [META_W-1:0]          chunk_meta_o
);

  logic                       active_q;
  logic [63:0]                address_q;
  logic [LOCAL_ADDRESS_W-1:0] local_q;
  logic [24:0]                remaining_q;
  logic [24:0]                offset_q;
  logic [META_W-1:0]          meta_q;

  logic [12:0] boundary;
  logic [12:0] room;
  logic        fits;
  logic        step;

  always_comb begin
    boundary = 13'd128 << boundary_code_i;
    room = boundary - (address_q[12:0] & (boundary - 13'd1));
    fits = remaining_q <= {12'd0, room};

    chunk_valid_o = active_q;
    chunk_address_o = address_q;
    chunk_local_o = local_q;
    chunk_offset_o = offset_q;
    chunk_meta_o = meta_q;
    chunk_cancelled_o = cancel_i && remaining_q != 25'd0;
    chunk_last_o = fits || cancel_i;
    chunk_length_o = cancel_i ? 13'd0 : fits ? remaining_q[12:0] : room;

    step = active_q && chunk_ready_i;
    operation_ready_o = !active_q || (step && chunk_last_o);
  end

  always_ff @(posedge clk_i) begin
    if (operation_ready_o) begin
      address_q <= operation_address_i;
      local_q <= operation_local_i;
      remaining_q <= operation_length_i;
      offset_q <= 25'd0;
      meta_q <= operation_meta_i;
    end else if (step) begin
      address_q <= address_q + {51'd0, chunk_length_o};
      local_q <= local_q + LOCAL_ADDRESS_W'(chunk_length_o);
      remaining_q <= remaining_q - {12'd0, chunk_length_o};
      offset_q <= offset_q + {12'd0, chunk_length_o};
    end
    if (rst_i) active_q <= 1'b0;
    else if (operation_ready_o) active_q <= operation_valid_i;
  end

`ifndef SYNTHESIS
  initial if (LOCAL_ADDRESS_W < 8) $fatal(1, "LOCAL_ADDRESS_W must be at least 8");
  always_ff @(posedge clk_i)
    if (!rst_i && active_q && {1'b0, address_q[11:0]} + chunk_length_o > 13'd4096)
      assert (0) else $error("chunk at %h crosses 4 KiB", address_q);
`endif

endmodule
`default_nettype wire
