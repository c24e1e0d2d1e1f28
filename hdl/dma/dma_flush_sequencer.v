`default_nettype none
// One zero-length read for each 4 KiB page of a written range: the reads that push posted writes to their destination (PCIE section 5).
// The first read is at the range's first byte, the others at page starts. One page per cycle.
module dma_flush_sequencer #(
  // Bits of an operation's index
  parameter int OPERATION_W = 7
) (
  input  wire                    clk_i,
  input  wire                    rst_i,

  // Ranges; length 0 counts as one byte
  input  wire                    range_valid_i,
  output logic                   range_ready_o,
  input  wire  [OPERATION_W-1:0] range_operation_i,
  input  wire  [63:0]            range_address_i,
  input  wire  [24:0]            range_length_i,
  input  wire                    range_prefix_valid_i,
  input  wire  [31:0]            range_prefix_i,

  // Flush requests; offset of their page's first byte in the range
  output logic                   flush_valid_o,
  input  wire                    flush_ready_i,
  output logic [OPERATION_W-1:0] flush_operation_o,
  output logic [63:0]            flush_address_o,
  output logic [24:0]            flush_offset_o,
  output logic                   flush_prefix_valid_o,
  output logic [31:0]            flush_prefix_o
);

  logic [24:0] remaining_q;
  logic [12:0] room;
  logic        last;

  always_comb begin
    room = 13'd4096 - {1'b0, flush_address_o[11:0]};
    last = remaining_q <= {12'd0, room};
    range_ready_o = !flush_valid_o || (flush_ready_i && last);
  end

  always_ff @(posedge clk_i) begin
    if (range_ready_o) begin
      flush_operation_o <= range_operation_i;
      flush_address_o <= range_address_i;
      flush_offset_o <= 25'd0;
      flush_prefix_valid_o <= range_prefix_valid_i;
      flush_prefix_o <= range_prefix_i;
      remaining_q <= range_length_i;
    end else if (flush_ready_i) begin
      flush_address_o <= flush_address_o + {51'd0, room};
      flush_offset_o <= flush_offset_o + {12'd0, room};
      remaining_q <= remaining_q - {12'd0, room};
    end
    if (rst_i) flush_valid_o <= 1'b0;
    else if (range_ready_o) flush_valid_o <= range_valid_i;
  end

endmodule
`default_nettype wire
