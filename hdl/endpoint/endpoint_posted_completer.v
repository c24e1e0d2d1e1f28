`default_nettype none
// Takes posted TLPs: memory writes to BAR0 (one DW: a register) and BAR2 (local memory), with their byte enables.
// Dropped: poisoned and nullified writes, messages, and writes that hit nothing or are longer than a DW in BAR0 (reported as unsupported).
// A nullified write of several beats to BAR2 is known as such only at its end; the beats before it are in memory then.
// Header wires hold for all beats of a TLP (tlp_receive_buffer). One beat per cycle.
module endpoint_posted_completer #(
  // Bits of payload per beat
  parameter int DATA_W = 256,
  // Size of BAR2 in bytes, a power of two
  parameter int LOCAL_MEMORY_BYTES = 2097152,
  // Derived: width of a local memory byte address
  parameter int LOCAL_ADDRESS_W = $clog2(LOCAL_MEMORY_BYTES)
) (
  input  wire                        clk_i,
  input  wire                        rst_i,

  // Command Memory Space Enable, BARs
  input  wire                        memory_enable_i,
  input  wire  [31:0]                bar0_i,
  input  wire  [63:0]                bar2_i,

  // Posted stream in
  input  wire                        posted_valid_i,
  output logic                       posted_ready_o,
  input  wire                        posted_sop_i,
  input  wire                        posted_eop_i,
  input  wire  [DATA_W-1:0]          posted_data_i,
  input  wire  [127:0]               posted_hdr_i,
  input  wire                        posted_err_i,

  // Local memory write
  output logic                       local_valid_o,
  input  wire                        local_ready_i,
  output logic [LOCAL_ADDRESS_W-1:0] local_address_o,
  output logic [DATA_W-1:0]          local_data_o,
  output logic [DATA_W/8-1:0]        local_strobe_o,

  // Register write
  output logic                       register_write_o,
  output logic [13:0]                register_address_o,
  output logic [31:0]                register_data_o,
  output logic [3:0]                 register_strobe_o,

  // An unsupported posted request was dropped
  output logic                       unsupported_o
);

  localparam int DWORDS = DATA_W / 32;
  localparam int LANES = DATA_W / 8;

  logic [7:0]  fmt_type;
  logic [63:0] address;
  logic [10:0] length;
  logic [3:0]  first_enables;
  logic [3:0]  last_enables;
  logic        is_write;
  logic        is_message;
  logic        poisoned;
  logic        hits_bar0;
  logic        hits_bar2;
  logic        move;
  logic        to_register;
  logic [10:0] left;
  logic [10:0] left_q;
  logic [LOCAL_ADDRESS_W-1:0] offset;
  logic [LOCAL_ADDRESS_W-1:0] offset_q;

  always_comb begin
    fmt_type = posted_hdr_i[127:120];
    address = tlp_pkg::request_address(posted_hdr_i);
    length = tlp_pkg::payload_dwords(posted_hdr_i);
    last_enables = posted_hdr_i[71:68];
    first_enables = posted_hdr_i[67:64];
    is_write = fmt_type == tlp_pkg::MWR32 || fmt_type == tlp_pkg::MWR64;
    is_message = fmt_type[4:3] == 2'b10;
    poisoned = posted_hdr_i[110];
    hits_bar0 = is_write && memory_enable_i && address[63:14] == {32'd0, bar0_i[31:14]};
    hits_bar2 = is_write && memory_enable_i && address[63:LOCAL_ADDRESS_W] == bar2_i[63:LOCAL_ADDRESS_W];
    to_register = hits_bar0 && length == 11'd1 && !poisoned && !posted_err_i;

    left = posted_sop_i ? length : left_q;
    offset = posted_sop_i ? address[LOCAL_ADDRESS_W-1:0] : offset_q;

    local_valid_o = posted_valid_i && hits_bar2 && !poisoned && !posted_err_i;
    local_address_o = offset;
    local_data_o = posted_data_i;
    for (int i = 0; i < DWORDS; i++) begin
      if (11'(i) >= left) local_strobe_o[i*4 +: 4] = 4'b0000;
      else if (posted_sop_i && i == 0) local_strobe_o[i*4 +: 4] = first_enables;
      else if (11'(i) + 11'd1 == left) local_strobe_o[i*4 +: 4] = last_enables;
      else local_strobe_o[i*4 +: 4] = 4'b1111;
    end

    posted_ready_o = !local_valid_o || local_ready_i;
    move = posted_valid_i && posted_ready_o;
    register_write_o = move && to_register;
    register_address_o = address[13:0];
    register_data_o = posted_data_i[31:0];
    register_strobe_o = first_enables;
    unsupported_o = move && posted_eop_i && !posted_err_i && !is_message && !hits_bar2 && !(hits_bar0 && length == 11'd1);
  end

  always_ff @(posedge clk_i) begin
    if (move) begin
      left_q <= (left > 11'(DWORDS)) ? left - 11'(DWORDS) : 11'd0;
      offset_q <= offset + LOCAL_ADDRESS_W'(LANES);
    end
  end

  logic unused_bits;
  always_comb unused_bits = ^{posted_hdr_i[119:111], posted_hdr_i[109:106], posted_hdr_i[95:72], posted_hdr_i[1:0], bar0_i[13:0],
                              bar2_i[LOCAL_ADDRESS_W-1:0], rst_i};

endmodule
`default_nettype wire
