`default_nettype none
// Local memory of the endpoint, shared by the DMA engine (port 0) and the completer (port 1), which take turns at the write and
// at the read port. Both directions of one link bring at most one beat per cycle, so the ports never limit the throughput.
module endpoint_local_memory #(
  // Bits of payload per beat
  parameter int DATA_W = 256,
  // Size in bytes, a power of two
  parameter int BYTES = 2097152,
  // Derived: width of a byte address
  parameter int ADDRESS_W = $clog2(BYTES)
) (
  input  wire                    clk_i,
  input  wire                    rst_i,

  // Writes of the two clients, as in dma_local_memory
  input  wire  [1:0]             write_valid_i,
  output logic [1:0]             write_ready_o,
  input  wire  [2*ADDRESS_W-1:0] write_address_i,
  input  wire  [2*DATA_W-1:0]    write_data_i,
  input  wire  [2*DATA_W/8-1:0]  write_strobe_i,

  // Reads; data two cycles after acceptance
  input  wire  [1:0]             read_valid_i,
  output logic [1:0]             read_ready_o,
  input  wire  [2*ADDRESS_W-1:0] read_address_i,
  output logic [1:0]             read_data_valid_o,
  output logic [DATA_W-1:0]      read_data_o
);

  localparam int LANES = DATA_W / 8;

  logic [1:0] write_grant;
  logic [1:0] read_grant;
  logic       write_index;
  logic       read_index;
  logic       read_owner_q;
  logic       read_owner_q2;
  logic       data_valid;

  round_robin_arbiter #(
    .REQUESTS(2)
  ) u_write_arbiter (
    .clk_i        (clk_i),
    .rst_i        (rst_i),
    .request_i    (write_valid_i),
    .advance_i    (1'b1),
    .grant_o      (write_grant),
    .grant_index_o(write_index)
  );

  round_robin_arbiter #(
    .REQUESTS(2)
  ) u_read_arbiter (
    .clk_i        (clk_i),
    .rst_i        (rst_i),
    .request_i    (read_valid_i),
    .advance_i    (1'b1),
    .grant_o      (read_grant),
    .grant_index_o(read_index)
  );

  dma_local_memory #(
    .DATA_W(DATA_W),
    .BYTES (BYTES)
  ) u_memory (
    .clk_i            (clk_i),
    .rst_i            (rst_i),
    .write_valid_i    (write_grant != 2'd0),
    .write_address_i  (write_index ? write_address_i[2*ADDRESS_W-1:ADDRESS_W] : write_address_i[ADDRESS_W-1:0]),
    .write_data_i     (write_index ? write_data_i[2*DATA_W-1:DATA_W] : write_data_i[DATA_W-1:0]),
    .write_strobe_i   (write_index ? write_strobe_i[2*LANES-1:LANES] : write_strobe_i[LANES-1:0]),
    .read_valid_i     (read_grant != 2'd0),
    .read_address_i   (read_index ? read_address_i[2*ADDRESS_W-1:ADDRESS_W] : read_address_i[ADDRESS_W-1:0]),
    .read_data_valid_o(data_valid),
    .read_data_o      (read_data_o)
  );

  always_comb begin
    write_ready_o = write_grant;
    read_ready_o = read_grant;
    read_data_valid_o = {data_valid && read_owner_q2, data_valid && !read_owner_q2};
  end

  always_ff @(posedge clk_i) begin
    read_owner_q <= read_index;
    read_owner_q2 <= read_owner_q;
  end

endmodule
`default_nettype wire
