`default_nettype none
// Local memory with one write and one read port that move DATA_W bits per cycle at any byte address.
// Even and odd words lie in two banks, so an access that straddles two words touches each bank once. Addresses wrap at BYTES.
// Write: visible to reads accepted two cycles later or more. Read: data READ_LATENCY = 2 cycles after acceptance. Never stalls.
module dma_local_memory #(
  // Bits of a word: 128, 256 or 512
  parameter int DATA_W = 256,
  // Size in bytes, a power of two of at least four words
  parameter int BYTES = 2097152
) (
  input  wire                       clk_i,
  input  wire                       rst_i,

  // Write: byte i of data goes to address + i where strobe[i]
  input  wire                       write_valid_i,
  input  wire  [$clog2(BYTES)-1:0]  write_address_i,
  input  wire  [DATA_W-1:0]         write_data_i,
  input  wire  [DATA_W/8-1:0]       write_strobe_i,

  // Read: byte i of data comes from address + i
  input  wire                       read_valid_i,
  input  wire  [$clog2(BYTES)-1:0]  read_address_i,
  output logic                      read_data_valid_o,
  output logic [DATA_W-1:0]         read_data_o
);

  localparam int LANES = DATA_W / 8;
  localparam int LANE_W = $clog2(LANES);
  localparam int ADDRESS_W = $clog2(BYTES);
  localparam int ROWS = BYTES / LANES / 2;
  localparam int ROW_W = $clog2(ROWS);

  logic [DATA_W-1:0] bank_even [0:ROWS-1];
  logic [DATA_W-1:0] bank_odd [0:ROWS-1];

  // Write: rotate into word position, then write both banks.
  logic                write_even_q;
  logic                write_odd_q;
  logic [ROW_W-1:0]    write_row_even_q;
  logic [ROW_W-1:0]    write_row_odd_q;
  logic [DATA_W-1:0]   write_data_even_q;
  logic [DATA_W-1:0]   write_data_odd_q;
  logic [LANES-1:0]    write_strobe_even_q;
  logic [LANES-1:0]    write_strobe_odd_q;
  logic [2*DATA_W-1:0] write_shifted;
  logic [2*LANES-1:0]  write_strobe_shifted;
  logic                write_starts_odd;
  logic [ROW_W-1:0]    write_row;

  always_comb begin
    write_shifted = {{DATA_W{1'b0}}, write_data_i} << {write_address_i[LANE_W-1:0], 3'b000};
    write_strobe_shifted = {{LANES{1'b0}}, write_strobe_i} << write_address_i[LANE_W-1:0];
    write_starts_odd = write_address_i[LANE_W];
    write_row = write_address_i[ADDRESS_W-1:LANE_W+1];
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      write_even_q <= 1'b0;
      write_odd_q <= 1'b0;
    end else begin
      write_even_q <= write_valid_i;
      write_odd_q <= write_valid_i;
    end
    write_row_odd_q <= write_row;
    write_row_even_q <= write_starts_odd ? write_row + 1'b1 : write_row;
    {write_data_odd_q, write_data_even_q} <= write_starts_odd ?
        {write_shifted[DATA_W-1:0], write_shifted[2*DATA_W-1:DATA_W]} : write_shifted;
    {write_strobe_odd_q, write_strobe_even_q} <= write_starts_odd ?
        {write_strobe_shifted[LANES-1:0], write_strobe_shifted[2*LANES-1:LANES]} : write_strobe_shifted;
  end

  always_ff @(posedge clk_i) begin
    for (int i = 0; i < LANES; i++) begin
      if (write_even_q && write_strobe_even_q[i]) bank_even[write_row_even_q][i*8 +: 8] <= write_data_even_q[i*8 +: 8];
      if (write_odd_q && write_strobe_odd_q[i]) bank_odd[write_row_odd_q][i*8 +: 8] <= write_data_odd_q[i*8 +: 8];
    end
  end

  // Read: both banks, then rotate to byte 0.
  logic [ROW_W-1:0]    read_row;
  logic                read_valid_q;
  logic                read_starts_odd_q;
  logic [LANE_W-1:0]   read_lane_q;
  logic [DATA_W-1:0]   read_even_q;
  logic [DATA_W-1:0]   read_odd_q;
  logic [2*DATA_W-1:0] read_pair;

  always_comb begin
    read_row = read_address_i[ADDRESS_W-1:LANE_W+1];
    read_pair = read_starts_odd_q ? {read_even_q, read_odd_q} : {read_odd_q, read_even_q};
  end

  always_ff @(posedge clk_i) begin
    if (read_valid_i) begin
      read_even_q <= bank_even[read_address_i[LANE_W] ? read_row + 1'b1 : read_row];
      read_odd_q <= bank_odd[read_row];
    end
    read_starts_odd_q <= read_address_i[LANE_W];
    read_lane_q <= read_address_i[LANE_W-1:0];
    read_data_o <= DATA_W'(read_pair >> {read_lane_q, 3'b000});
    if (rst_i) begin
      read_valid_q <= 1'b0;
      read_data_valid_o <= 1'b0;
    end else begin
      read_valid_q <= read_valid_i;
      read_data_valid_o <= read_valid_q;
    end
  end

  generate
    if (DATA_W != 128 && DATA_W != 256 && DATA_W != 512) begin : g_check_width
      initial $fatal(1, "dma_local_memory: DATA_W must be 128, 256 or 512");
    end
    if (BYTES < 4 * LANES || (BYTES & (BYTES - 1)) != 0) begin : g_check_size
      initial $fatal(1, "dma_local_memory: BYTES must be a power of two of at least four words");
    end
  endgenerate

endmodule
`default_nettype wire
