`default_nettype none
// RAM with one write port and one read port on one clock, read latency 1 cycle (maps to block RAM of any vendor).
// Addresses must be below DEPTH. A read of the address that is written in the same cycle returns anything, as block RAM does: callers
// that need either contents bypass them (fifo.v).
module ram_simple_dual_port #(
    // Bits of a word.
    parameter int WIDTH = 32,
    // Words.
    parameter int DEPTH = 16,
    // Derived: bits of an address.
    parameter int ADDRESS_W = $clog2(DEPTH)
) (
    input  wire                 clk_i,

    // Write port.
    input  wire                 write_i,
    input  wire [ADDRESS_W-1:0] write_address_i,
    input  wire [WIDTH-1:0]     write_data_i,

    // Read port: `read_data_o` belongs to the address of the last cycle with `read_i`.
    input  wire                 read_i,
    input  wire [ADDRESS_W-1:0] read_address_i,
    output wire [WIDTH-1:0]     read_data_o
);

  logic [WIDTH-1:0] memory_q [0:DEPTH-1];
  logic [WIDTH-1:0] read_data_q;

  assign read_data_o = read_data_q;

  always_ff @(posedge clk_i) begin
    if (write_i) memory_q[write_address_i] <= write_data_i;
    if (read_i) read_data_q <= write_i && write_address_i == read_address_i ? 'x : memory_q[read_address_i];
  end

  generate
    if (DEPTH < 2) begin : g_check_depth
      initial $fatal(1, "ram_simple_dual_port: DEPTH must be at least 2");
    end
  endgenerate

endmodule
`default_nettype wire
