`default_nettype none
// Checks descriptors and hands each to the requester that serves it, one per cycle, in order.
// Copies into local memory go to the read side, everything else to the write side: copies out of it, flushes, and what ends at once
// (no operation, an invalid descriptor, a stop), so that it keeps its place behind the writes.
module dma_dispatcher #(
  // Bits of an operation's index
  parameter int OPERATION_W = 7,
  // Size of local memory in bytes, a power of two
  parameter int LOCAL_MEMORY_BYTES = 2097152,
  // Derived: width of a local memory byte address
  parameter int LOCAL_ADDRESS_W = $clog2(LOCAL_MEMORY_BYTES)
) (
  // Device Control: ID-based ordering, relaxed ordering, no snoop may be used
  input  wire                        enable_id_ordering_i,
  input  wire                        enable_relaxed_ordering_i,
  input  wire                        enable_no_snoop_i,
  // PASID control: {privileged, execute, PASID} enabled; a descriptor that uses a disabled PASID is invalid
  input  wire  [2:0]                 pasid_enable_i,
  // Why nothing may start: status code, 0 = go on
  input  wire  [3:0]                 stop_code_i,

  // Descriptors (docs/interfaces.md section 7)
  input  wire                        descriptor_valid_i,
  output logic                       descriptor_ready_o,
  input  wire  [511:0]               descriptor_data_i,

  // Entry in the operation table
  output logic                       allocate_valid_o,
  input  wire                        allocate_ready_i,
  input  wire  [OPERATION_W-1:0]     allocate_operation_i,
  output logic [63:0]                allocate_cookie_o,
  output logic [24:0]                allocate_length_o,

  // Operation, to one of two requesters; attributes {IDO, RO, NS}
  output logic                       read_valid_o,
  input  wire                        read_ready_i,
  output logic                       write_valid_o,
  input  wire                        write_ready_i,
  output logic [OPERATION_W-1:0]     operation_o,
  output logic [63:0]                address_o,
  output logic [LOCAL_ADDRESS_W-1:0] local_o,
  output logic [24:0]                length_o,
  output logic [2:0]                 attributes_o,
  output logic                       prefix_valid_o,
  output logic [31:0]                prefix_o,
  output logic                       flush_o,
  output logic [3:0]                 code_o
);

  logic [3:0]  opcode;
  logic [1:0]  source_space;
  logic [1:0]  destination_space;
  logic [24:0] length;
  logic [63:0] source;
  logic [63:0] destination;
  logic        is_copy;
  logic        is_flush;
  logic        to_local;
  logic        from_local;
  logic [63:0] local_address;
  logic [64:0] link_end;
  logic        invalid;
  logic        outside;
  logic        is_read;
  logic        target_ready;
  logic        unused_bits;

  always_comb begin
    opcode = descriptor_data_i[3:0];
    source_space = descriptor_data_i[5:4];
    destination_space = descriptor_data_i[7:6];
    length = descriptor_data_i[56:32];
    source = descriptor_data_i[127:64];
    destination = descriptor_data_i[191:128];
    // Interrupt on completion and next belong to the ring; reserved bits are ignored.
    unused_bits = ^{descriptor_data_i[31:13], descriptor_data_i[63:57], descriptor_data_i[255:214], descriptor_data_i[511:320]};

    is_copy = opcode == dma_pkg::OPCODE_COPY;
    is_flush = opcode == dma_pkg::OPCODE_FLUSH;
    to_local = destination_space == dma_pkg::SPACE_LOCAL;
    from_local = source_space == dma_pkg::SPACE_LOCAL;
    local_address = from_local ? source : destination;
    address_o = (is_flush || to_local) ? source : destination;
    link_end = {1'b0, address_o} + {40'd0, length};

    // A copy has exactly one local side; the other is on the link and ends within the 64-bit address space.
    invalid = (opcode != dma_pkg::OPCODE_NOP && !is_copy && !is_flush) || source_space == 2'd3 || destination_space == 2'd3 ||
        (is_flush && from_local) || (descriptor_data_i[11] && !pasid_enable_i[0] && opcode != dma_pkg::OPCODE_NOP) ||
        (is_copy && (to_local == from_local || length == 25'd0 || (link_end[64] && link_end[63:0] != 64'd0)));
    outside = is_copy && ({1'b0, local_address} + {40'd0, length} > 65'(LOCAL_MEMORY_BYTES));

    if (invalid) code_o = dma_pkg::STATUS_INVALID_DESCRIPTOR;
    else if (outside) code_o = dma_pkg::STATUS_LOCAL_RANGE;
    else if (is_copy || is_flush) code_o = stop_code_i;
    else code_o = dma_pkg::STATUS_SUCCESS;

    is_read = is_copy && to_local && code_o == 4'd0;
    operation_o = allocate_operation_i;
    local_o = local_address[LOCAL_ADDRESS_W-1:0];
    length_o = (is_copy && code_o == 4'd0) ? length : 25'd0;
    attributes_o = {descriptor_data_i[9] && enable_id_ordering_i, descriptor_data_i[8] && enable_relaxed_ordering_i,
                    descriptor_data_i[10] && enable_no_snoop_i};
    prefix_valid_o = descriptor_data_i[11];
    // Execute is a property of reads that ask for code; writes and flushes do not.
    prefix_o = {8'h91, 2'b00, descriptor_data_i[212] && pasid_enable_i[2], descriptor_data_i[213] && pasid_enable_i[1] && is_read,
                descriptor_data_i[211:192]};
    flush_o = code_o == 4'd0 &&
        (is_flush || (is_copy && from_local && (descriptor_data_i[12] || destination_space == dma_pkg::SPACE_PEER)));

    allocate_cookie_o = descriptor_data_i[319:256];
    allocate_length_o = length_o;

    target_ready = is_read ? read_ready_i : write_ready_i;
    descriptor_ready_o = allocate_ready_i && target_ready;
    allocate_valid_o = descriptor_valid_i && target_ready;
    read_valid_o = descriptor_valid_i && allocate_ready_i && is_read;
    write_valid_o = descriptor_valid_i && allocate_ready_i && !is_read;
  end

endmodule
`default_nettype wire
